"""The diffusion transformer: blocks, rotary places, attention, and the ways to run it in less memory."""
