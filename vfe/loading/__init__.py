"""From model files to pipelines that run: the lite model, or a Wan DiT with its VAE, prompt, LoRAs and adapter."""
