"""The one step on clips: windows, tiles, latents, and the memory that they may take."""
