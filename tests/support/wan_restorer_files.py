"""The files of a tiny Wan restorer, the networks that they were written from, and a clip for them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

import vfe
from tests.support.weight_layouts import DIT_LAYOUTS, TINY_DIT, random_dit
from vfe.models.dit.model import WanDiT
from vfe.models.wan_vae import WanVAE, WanVAEConfig
from vfe.options import ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.weights.prompt import read_prompt_embedding, write_prompt_embedding

CPU = torch.device("cpu")


NOISE_VIDEO = torch.rand(1, 3, 9, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


class WanRestorerFiles:
    """The three files of a Wan restorer, and the networks that they were written from."""

    def __init__(self, folder: Path, layout: str = "comfyui bf16") -> None:
        (folder / "dit").mkdir(parents=True)
        self.folder = folder
        self.dit, state = DIT_LAYOUTS[layout](folder / "dit", random_dit().state_dict())
        self.network = random_dit()
        self.network.load_state_dict(state)
        torch.manual_seed(1)
        self.codec = WanVAE(WanVAEConfig(dim=16, blocks=1)).eval().requires_grad_(False)
        self.vae, self.context = folder / "vae.safetensors", folder / "context.safetensors"
        save_file(self.codec.state_dict(), self.vae)
        write_prompt_embedding(self.context, torch.randn(3, TINY_DIT.text_dim))

    def options(self, **changes: object) -> ModelOptions:
        return ModelOptions(**{"vae": self.vae, "prompt_embedding": self.context, **changes})  # type: ignore[arg-type]

    def load(self, **changes: object) -> vfe.Restorer:
        return vfe.load(self.dit, "cpu", "fp32", WindowConfig(9, 1), self.options(**changes))

    def by_hand(self, video: Tensor, network: WanDiT | None = None) -> Tensor:
        """z_hq = z_lq - v(z_lq, t* = 400, c)."""
        z = self.codec.encode(video)
        with torch.no_grad():
            v = (network or self.network)(z, 400.0, read_prompt_embedding(self.context, TINY_DIT.text_dim))
        return self.codec.decode(z - v)


def restore_video(restorer: vfe.Restorer, video: Tensor = NOISE_VIDEO) -> Tensor:
    return torch.stack(list(restorer.restore_frames(video[0].unbind(1))), dim=1)[None]
