"""Measurements of speed and quality; run from the root of the clone as `python -m benchmarks.speed` and `.quality`."""
