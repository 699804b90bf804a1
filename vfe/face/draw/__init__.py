"""Faces for the eye: contact sheets and overlays."""
