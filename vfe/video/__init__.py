"""Video and image files in and out, through PyAV.

Import the submodules: `info` and `probe` need no torch, the others do.
"""
