"""The weight files of perceptual losses. Nothing is ever downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from vfe.types import VFEError


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig:
    """Weight files that the user has, as torch pickles (read with weights_only) or safetensors.

    `vgg19` and `vgg16` are torchvision's state dicts (vgg19-dcbb9e9d.pth, vgg16-397923af.pth), `lpips` the v0.1 vgg.pth
    of the lpips package, `dists` the weights.pt of DISTS. LPIPS and DISTS need vgg16 too. `squeeze` is SqueezeNet 1.1
    with the heads of LPIPS (`squeeze.py`), which takes the place of DISTS on small computers. `chunk` frames at a time
    go through a network.
    """

    vgg19: str | None = None
    vgg16: str | None = None
    lpips: str | None = None
    dists: str | None = None
    squeeze: str | None = None
    chunk: int = 4

    def __post_init__(self) -> None:
        alone = [name for name in ("lpips", "dists") if getattr(self, name) is not None and self.vgg16 is None]
        if alone:
            raise VFEError(
                f"perceptual.{alone[0]} is given without perceptual.vgg16; it needs torchvision's VGG16 weights: "
                "give both files, or neither"
            )
        if self.dists is not None and self.squeeze is not None:
            raise VFEError("perceptual.dists and perceptual.squeeze are both given, needed one: leave one out")
        if self.chunk < 1:
            raise VFEError(f"perceptual.chunk={self.chunk} frames, needed at least 1")
