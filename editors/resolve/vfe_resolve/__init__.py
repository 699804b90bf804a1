"""The menu script of DaVinci Resolve. Python 3.8 or newer, and nothing but its standard library."""
