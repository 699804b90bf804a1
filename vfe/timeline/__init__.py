"""Timelines of editors: what a cut uses of its media is restored, and a copy of the timeline points to the results.

The modules need OpenTimelineIO, of the extra `editors`; `formats.check_installed` says so before they are imported.
"""
