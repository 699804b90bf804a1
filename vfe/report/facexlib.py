"""Likeness as facexlib's ArcFace sees it, where a user has installed facexlib and has its weights.

Nothing is downloaded here: the weights count where facexlib itself keeps them, once another program has fetched them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tensor_io.load import CPU, check_fits, load_strictly, shapes_of
from ..tensor_io.open import open_tensors
from .likeness_scale import LikenessScale

WEIGHTS = Path("weights") / "recognition_arcface_ir_se50.pth"
"""Where facexlib keeps them, in its package."""
TOP, LEFT, SHOWN = 35 / 256, 32 / 256, 188 / 256
"""The square of an aligned crop that the net is shown: its top, left and side in sides of the crop.

Eyes, nose and mouth are then within 3 of its 112 pixels of where it learned them.
"""
SIDE = 112


class FacexlibLikeness:
    """The distance between two embeddings of ArcFace."""

    scale = LikenessScale("facexlib's ArcFace", tells_people_apart=True, stranger=None)

    def __init__(self, net: nn.Module) -> None:
        """`net` takes (N, 3, 112, 112) in [-1, 1] and gives embeddings (N, K)."""
        self._net = net

    @classmethod
    def load(cls, weights: Path) -> FacexlibLikeness:
        """Read the net. Raises ImportError without a working facexlib, VFEError where the file is of another net."""
        try:
            from facexlib.recognition.arcface_arch import Backbone
        except (RuntimeError, OSError) as error:  # what packages raise that were built for another torch
            raise ImportError(f"facexlib cannot be used: {error}") from error
        net = Backbone(num_layers=50, drop_ratio=0.6, mode="ir_se").eval()
        source = open_tensors(weights)
        check_fits(weights, shapes_of(net), source)
        return cls(load_strictly(net, source.get, weights, device=CPU, dtype=torch.float32))

    @torch.inference_mode()
    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings (N, K) of aligned crops (N, 3, S, S) in [-1, 1]."""
        embedded: Tensor = self._net(arcface_crops(faces))
        return embedded

    def distance(self, before: Tensor, after: Tensor) -> float:
        """Return the distance of two aligned crops (3, S, S) in [-1, 1]."""
        look = F.normalize(self.embed(torch.stack([before, after])), dim=1)
        return max(0.0, 1 - float(look[0] @ look[1]))


def arcface_crops(faces: Tensor) -> Tensor:
    """Return what ArcFace and its kin are shown of aligned crops (N, 3, S, S): (N, 3, 112, 112)."""
    top, left, shown = (round(part * faces.shape[-1]) for part in (TOP, LEFT, SHOWN))
    cut = faces[:, :, top : top + shown, left : left + shown]
    return F.interpolate(cut, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


def find_weights() -> Path | None:
    """Return the file of facexlib's recognition, or None where it is not there. facexlib is not imported."""
    found = find_spec("facexlib")
    folders = found.submodule_search_locations if found is not None else None
    files = (Path(folder) / WEIGHTS for folder in folders or ())
    return next((file for file in files if file.is_file()), None)
