"""Faces through a clip: shots, tracks of one person each, and the choice among them."""
