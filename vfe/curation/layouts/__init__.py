"""Where the clips of data sets are, and their crop lists, as the sets were published.

A layout looks through a folder and tells which sources are in it. The names of the functions' modules are those of the
option `--layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from ..sources import Source, Sources

LayoutName = Literal["folder", "vfhq", "celebv-hq", "hdtf", "voxceleb2"]
LAYOUTS: tuple[LayoutName, ...] = ("folder", "vfhq", "celebv-hq", "hdtf", "voxceleb2")


def find_sources(roots: Sequence[Path], layout: LayoutName, output: Path, *, frames: bool = False) -> Sources:
    """Return what is to be curated in `roots`, each source once. What is in the folder `output` is passed over.

    With `frames`, a folder of images holds the frames of a clip; else each image is a portrait. Raises VFEError where a
    root is missing, or is not of the layout.
    """
    find = import_module("." + layout.replace("-", "_"), __name__).find
    found: list[Sources] = [find(root, output, frames) for root in roots]
    sources: dict[Path, Source] = {}
    for source in (source for part in found for source in part.sources):
        sources.setdefault(source.path.absolute(), source)
    return Sources(
        tuple(sources.values()),
        tuple(line for part in found for line in part.unread),
        tuple(note for part in found for note in part.notes),
    )
