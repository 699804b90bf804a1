"""The terms of the losses."""
