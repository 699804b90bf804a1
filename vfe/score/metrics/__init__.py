"""The metrics that need no weights but those of this package, one a file."""
