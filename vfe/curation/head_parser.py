"""Masks of heads by facexlib's parsing, where its file is there.

T frames, S side of a crop, M side of a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..face.detect.facexlib import HEAD_CLASSES, PARSED_SIDE, load_parser, parse
from ..library.folders import search_folders
from ..library.scan import scan
from ..types import VFEError
from .config import MaskKind
from .masks import MASK_SIDE, HeadParser

FILE = "parsing_bisenet.pth"
"""What `vfe models pull facexlib-bisenet` gets."""


@dataclass(frozen=True)
class ParserChoice:
    """Which parser workers load; None for the box that is grown."""

    path: Path | None

    @classmethod
    def of(cls, mask: MaskKind, path: Path | None) -> ParserChoice:
        """Return the parser of a file or, without one, of the file that is found, if facexlib is there to read it.

        Raises VFEError where `path` cannot be used.
        """
        if mask != "head":
            return cls(None)
        if path is not None:
            load_parser(path)
            return cls(path)
        found = next(
            (candidate.path for candidate in scan(search_folders()).found if candidate.path.name == FILE), None
        )
        if found is None:
            return cls(None)
        try:
            load_parser(found)
        except VFEError:  # facexlib is not installed, or the file is another one
            return cls(None)
        return cls(found)

    def __call__(self) -> HeadParser | None:
        """Load it. Raises VFEError as `load_parser` does."""
        if self.path is None:
            return None
        net = load_parser(self.path).eval()

        @torch.inference_mode()
        def heads(frames: Tensor) -> Tensor:
            masks = []
            for frame in frames:  # one at a time: a clip of all frames would need gigabytes
                pixels = rearrange(frame, "h w c -> 1 c h w").float() / 127.5 - 1
                crop = F.interpolate(pixels, (PARSED_SIDE, PARSED_SIDE), mode="bilinear", antialias=True)
                masks.append(F.interpolate(parse(net, crop, HEAD_CLASSES)[None], (MASK_SIDE, MASK_SIDE), mode="area"))
            return torch.cat(masks)[:, 0]

        return heads
