"""Wan2.1's VAE decoder with gradients, for losses on pixels and for training it: diffusers' modules, our weights.

B batch, n+1 latents of 4n+1 frames, h w latent sides. `vfe.models.wan_vae` computes the same faster, without gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vfe.models.wan_vae import WanVAE, WanVAEConfig, vae_keys_from_diffusers
from vfe.models.wan_vae.latents import denormalised

History = tuple[Any, ...]
"""What each causal convolution of diffusers' decoder remembers of earlier latents: None at first, "Rep" or frames."""


class WanDecoder(nn.Module):
    """Latents of mean 0 and deviation 1 to video, latent by latent: equal to `WanVAE.decode` but for rounding."""

    def __init__(self, vae: WanVAE, checkpointing: bool = False) -> None:
        """Copy the decoder's weights from `vae`; they are frozen until `requires_grad_` says otherwise."""
        super().__init__()
        both = _on_meta(vae.config)
        self.decoder, self.post_quant_conv = both.decoder, both.post_quant_conv
        self.checkpointing = checkpointing
        self._official = {name: vae_keys_from_diffusers(name, vae.config.blocks) for name in self.state_dict()}
        weights = vae.state_dict()
        state = {name: weights[official].detach().clone() for name, official in self._official.items()}
        self.load_state_dict(state, assign=True)
        self.requires_grad_(False)
        self._memories = _count_causal(self.decoder)

    def forward(self, latent: Tensor) -> Tensor:
        """Decode latents (B, 16, n+1, h, w) to video (B, 3, 4n+1, 8h, 8w) in [-1, 1], differentiably.

        Values outside of [-1, 1] are cut, and their gradient passes: a pixel that is too bright can still be lowered.
        """
        scaled = rearrange(denormalised(rearrange(latent, "b c t h w -> (b t) c h w")), "(b t) c h w -> b c t h w",
                           b=len(latent))  # fmt: skip
        z = self.post_quant_conv(scaled)
        history: History = (None,) * self._memories
        clips = []
        for index in range(z.shape[2]):
            step = z[:, :, index : index + 1]
            if self.checkpointing and torch.is_grad_enabled():
                frames, history = checkpoint(self._step, step, history, use_reentrant=False)
            else:
                frames, history = self._step(step, history)
            clips.append(frames)
        return clamped(torch.cat(clips, dim=2).float())

    def official_state(self) -> dict[str, Tensor]:
        """Its weights under Wan's own names, as `export_vae` takes them."""
        return {self._official[name]: value.detach() for name, value in self.state_dict().items()}

    def _step(self, z: Tensor, history: History) -> tuple[Tensor, History]:
        """One latent to its frames, and what its successor needs to know: `history` itself stays as it was."""
        memory = list(history)
        return self.decoder(z, feat_cache=memory, feat_idx=[0]), tuple(memory)


def clamped(video: Tensor) -> Tensor:
    """Cut to [-1, 1] with the gradient of the identity."""
    return video + (video.clamp(-1, 1) - video).detach()


def _on_meta(config: WanVAEConfig) -> Any:  # noqa: ANN401 - diffusers has no types
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        return AutoencoderKLWan(
            base_dim=config.dim,
            z_dim=config.latent_channels,
            dim_mult=list(config.multipliers),
            num_res_blocks=config.blocks,
            temperal_downsample=list(config.temporal),
            decoder_base_dim=config.up_dim,
        )


def _count_causal(decoder: nn.Module) -> int:
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d

    return sum(isinstance(module, WanCausalConv3d) for module in decoder.modules())
