"""What `vfe score` is asked for. It imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..types import VFEError

PACKS = ("perceptual", "identity", "fvd", "fastervqa", "dover", "pyiqa")
"""Metrics that need weights or packages that the user has."""


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """How clips are scored. Raises VFEError for values that make no sense."""

    packs: tuple[str, ...] = ()
    weights: Path | None = None
    """A folder of weight files and clones, by their published names."""
    labels: Path | None = None
    """A folder of label files, named like the clips, that say where the face is."""
    frames: int | None = None
    """Score only so many frames from the first on."""
    every: int = 1
    """Networks of image quality and recognition look at every so-manieth frame."""
    device: str = "cpu"
    """Where the networks of packs run."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.packs) - set(PACKS))
        if unknown:
            raise VFEError(f"there is no pack {unknown[0]!r}; needed is one of {', '.join(PACKS)}")
        for name, folder in (("weights", self.weights), ("labels", self.labels)):
            if folder is not None and not folder.is_dir():
                raise VFEError(f"{folder}: is no folder; --{name} needs one")
        if self.every < 1 or (self.frames is not None and self.frames < 1):
            raise VFEError(f"frames={self.frames}, every={self.every}: needed are 1 and more")
