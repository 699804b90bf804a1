"""The diffusion transformer: its blocks, rotary positions and attention, and the ways to run it in less memory."""
