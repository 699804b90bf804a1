"""The 1.3B restorer as it is trained: from the user's files, with LoRA or whole, and a VAE decoder with gradients."""
