"""A restorer or a flow model in training, lite or Wan: a DiT, its prompt embedding and its one step.

B batch, C channels, t h w latent grid, L tokens, D width, S rows of the prompt; z latent (B, C, t, h, w), tau in
(0, 1).
"""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn

from vfe.models.dit.model import Fuse, Timestep, WanDiT
from vfe.models.flow import TRAIN_TIMESTEPS, OneStepFlow


class OneStepDiT(nn.Module):
    """z_lq -> z_hq, and what else is asked of v(z, t, c). What is trained of it has `requires_grad`."""

    def __init__(self, dit: WanDiT, prompt_embedding: Tensor, flow: OneStepFlow) -> None:
        """`prompt_embedding` (1, S, text_dim) is trained with the DiT where it is a parameter, as lite's is."""
        super().__init__()
        self.dit, self.flow = dit, flow
        if isinstance(prompt_embedding, nn.Parameter):
            self.prompt_embedding: Tensor = prompt_embedding
        else:
            self.register_buffer("prompt_embedding", prompt_embedding, persistent=False)

    def forward(self, z_lq: Tensor, fuse: Fuse | None = None) -> Tensor:
        """z_hq = z_lq - s v(z_lq, t*, c), in float32 (VividFace, eq. 3, or DVFace's step by the flow's rule).

        `fuse` is called with each block's number and tokens, as in `WanDiT`.
        """
        return self.flow.restore(z_lq, self.velocity(z_lq, fuse=fuse).float())

    def velocity(
        self, z: Tensor, timestep: Timestep | None = None, prompt: Tensor | None = None, fuse: Fuse | None = None
    ) -> Tensor:
        """The velocity v(z, t, c) in the dtype of the DiT, for t* and its own prompt where no others are given."""
        velocity: Tensor = self.dit(
            z,
            self.flow.timestep if timestep is None else timestep,
            self.prompt_embedding if prompt is None else prompt,
            fuse,
        )
        return velocity

    def denoised(self, x_tau: Tensor, tau: Tensor, prompt: Tensor | None = None) -> Tensor:
        """x_0 = x_tau - tau v(x_tau, 1000 tau), what a flow model takes the clean latent to be, for tau (B,)."""
        return x_tau - per_clip(tau) * self.velocity(x_tau, TRAIN_TIMESTEPS * tau, prompt).float()

    def with_hidden(self, z_lq: Tensor, depths: Collection[int]) -> tuple[Tensor, dict[int, Tensor]]:
        """z_hq, and the tokens (B, L, D) before the blocks of `depths`."""
        kept: dict[int, Tensor] = {}

        def keep(index: int, tokens: Tensor) -> Tensor:
            if index in depths:
                kept[index] = tokens
            return tokens

        return self(z_lq, keep), kept


def per_clip(numbers: Tensor) -> Tensor:
    """Numbers (B,) as (B, 1, 1, 1, 1), to be multiplied with latents or video."""
    return numbers.view(-1, 1, 1, 1, 1)
