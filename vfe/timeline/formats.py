"""The kinds of timelines that are read and written, and which packages they need. Nothing of those is imported here."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec
from pathlib import Path

from ..types import VFEError

_INSTALL = 'pip install "video-face-enhancement[editors]"'


class Format(Enum):
    """A kind of timeline file: its suffix, OpenTimelineIO's name of the adapter, and the module that has it."""

    OTIO = (".otio", "otio_json", "opentimelineio")
    FCP_XML = (".xml", "fcp_xml", "otio_fcp_adapter")
    EDL = (".edl", "cmx_3600", "otio_cmx3600_adapter")
    KDENLIVE = (".kdenlive", "kdenlive", "otio_kdenlive_adapter")

    def __init__(self, suffix: str, adapter: str, module: str) -> None:
        self.suffix, self.adapter, self.module = suffix, adapter, module


def format_of(path: Path) -> Format:
    """Return the kind of timeline that a file's name says. Raises VFEError for another name."""
    for kind in Format:
        if path.suffix.lower() == kind.suffix:
            return kind
    hint = "; of Final Cut Pro X, export FCP7 XML" if path.suffix.lower().startswith(".fcpxml") else ""
    needed = ", ".join(f"{kind.suffix}" for kind in Format)
    raise VFEError(f"{path}: is no timeline by its name; needed is {needed} (.xml is FCP7 XML){hint}")


def check_installed(*kinds: Format) -> None:
    """Raise VFEError unless the packages are there that read and write timelines of these kinds."""
    for module in ("opentimelineio", *(kind.module for kind in kinds)):
        if find_spec(module) is None:
            raise VFEError(f"timelines need the package {module}, which is not installed; run {_INSTALL}")
