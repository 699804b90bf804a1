"""The networks and the equations: pure modules that know no files, faces or video containers."""
