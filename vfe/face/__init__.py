"""Faces: found in a frame, followed through a clip, cut out, pasted back, and drawn."""
