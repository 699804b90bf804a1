"""Faces in one frame: boxes, five landmarks and masks, by the bundled net or by facexlib's."""
