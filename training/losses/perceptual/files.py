"""The weight files of perceptual losses: which there are, and reading one strictly. Nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vfe.tensor_io.load import check_fits
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig:
    """Weight files that the user has, as torch pickles (read with weights_only) or safetensors.

    `vgg19` and `vgg16` are torchvision's state dicts (vgg19-dcbb9e9d.pth, vgg16-397923af.pth), `lpips` the v0.1 vgg.pth
    of the lpips package, `dists` the weights.pt of DISTS. LPIPS and DISTS need vgg16 too. `chunk` frames at a time go
    through a network.
    """

    vgg19: str | None = None
    vgg16: str | None = None
    lpips: str | None = None
    dists: str | None = None
    chunk: int = 4

    def __post_init__(self) -> None:
        alone = [name for name in ("lpips", "dists") if getattr(self, name) is not None and self.vgg16 is None]
        if alone:
            raise VFEError(
                f"perceptual.{alone[0]} is given without perceptual.vgg16; it needs torchvision's VGG16 weights: "
                "give both files, or neither"
            )
        if self.chunk < 1:
            raise VFEError(f"perceptual.chunk={self.chunk} frames, needed at least 1")


def read_weights(path: Path, wanted: Mapping[str, tuple[int, ...]], what: str) -> dict[str, Tensor]:
    """The `wanted` tensors {name: shape} of a file in float32; `what` names the file that is meant.

    Other parts of a network (`classifier.*` beside `features.*`) are left out; within a part every name and shape has
    to fit. Raises VFEError, in one line, for a file that is no such one or holds NaN.
    """
    parts = {name.partition(".")[0] for name in wanted}
    try:
        source = open_tensors(path)
        source = source.select({name: name for name in source if name.partition(".")[0] in parts})
        check_fits(path, wanted, source)
        return {name: source.get(name).float().clone() for name in wanted}
    except VFEError as error:
        raise VFEError(f"this file is not {what}: {error}") from error
