"""How files are written: they appear when they are complete, under names that the file system takes."""
