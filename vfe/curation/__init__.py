"""Curation: clips of faces worth training on, out of raw video (VividFace, section 3.3)."""
