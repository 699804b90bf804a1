"""Wan2.1's VAE, exact and fast: derived kernels, steps of a few latents, tiles without seams."""

from .config import VAEPlan, WanVAEConfig
from .keys import vae_keys_from_diffusers
from .memory import clip_bytes, step_bytes, tile_for
from .model import WanVAE

__all__ = [
    "VAEPlan",
    "WanVAE",
    "WanVAEConfig",
    "clip_bytes",
    "step_bytes",
    "tile_for",
    "vae_keys_from_diffusers",
]
