"""Metrics that need weights or packages that the user has. Nothing is downloaded here."""
