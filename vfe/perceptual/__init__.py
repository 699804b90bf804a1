"""Perceptual distances of images by published networks, from weight files that the user has: LPIPS and DISTS, and
VGG's features.

They are losses of training and metrics of `vfe score`.
"""
