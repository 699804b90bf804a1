"""Video and image files in and out, through PyAV. Import the submodules: `info` needs no torch, the others do."""
