"""Finding faces in frames: boxes, five landmarks and face masks, by the bundled net or by facexlib's."""
