"""Files of experts (vfe/models/dit/experts.py): of a Wan DiT, a file of their changes alone; of lite, its own file.

The file of a Wan DiT's experts is given as a LoRA is. A lite model with experts holds them beside its weights, and the
facts of its training say how many there are and between which severities; its format is that of all lite models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config import from_mapping
from ..models.dit.config import DiTConfig
from ..models.dit.experts import ExpertLinear, ExpertSizes, add_experts
from ..models.dit.model import WanDiT
from ..models.flow import OneStepFlow
from ..tensor_io.described import FileFormat
from ..tensor_io.load import build_on_meta, check_fits
from ..tensor_io.source import TensorSource, printable
from ..types import VFEError

ENTRY = "experts"
"""Where the facts of a lite model's training say what its experts are."""


@dataclass(frozen=True, kw_only=True)
class ExpertsFile:
    """What a file of a Wan DiT's experts says of itself."""

    sizes: ExpertSizes
    layers: int
    """The blocks of the DiT."""
    flow: OneStepFlow
    """The step that was trained."""

    @property
    def depths(self) -> tuple[int, ...]:
        """The blocks, each of which has more tensors than one."""
        return (self.layers,)


EXPERTS_FORMAT = FileFormat("vfe-experts-1", ExpertsFile, "the experts of a Wan DiT, which method experts trains")


@dataclass(frozen=True)
class OpenExperts:
    """An open file of experts that fits a DiT, and the factor by which their changes are multiplied."""

    said: ExpertsFile
    source: TensorSource
    strength: float


def save_experts(path: Path, dit: WanDiT, sizes: ExpertSizes, flow: OneStepFlow, training: Mapping[str, Any]) -> None:
    """Write the experts of a DiT, in their own dtype, with how they were made."""
    changes = {
        f"{name}.{part}": getattr(layer, part).detach()
        for name, layer in dit.named_modules()
        if isinstance(layer, ExpertLinear)
        for part in ("down", "up")
    }
    EXPERTS_FORMAT.write(path, ExpertsFile(sizes=sizes, layers=dit.config.layers, flow=flow), changes, training)


def open_experts(path: Path, dit: DiTConfig, strength: float = 1.0) -> OpenExperts:
    """Open a file of experts; no tensor is read. Raises VFEError where it is damaged, or of another DiT's size."""
    source = EXPERTS_FORMAT.open(path)
    said = EXPERTS_FORMAT.config_of(source)
    _check_stored(source, said.sizes)

    def build() -> WanDiT:
        bare = WanDiT(dit)
        add_experts(bare, said.sizes)
        return bare

    wanted = {name: tuple(value.shape) for name, value in build_on_meta(build).state_dict().items() if _is_change(name)}
    check_fits(path, wanted, source)
    return OpenExperts(said, source, strength)


def note_of(sizes: ExpertSizes) -> dict[str, Any]:
    """Return what the facts of a lite model's training say under `ENTRY`."""
    return asdict(sizes)


def read_note(source: TensorSource, training: Mapping[str, Any]) -> ExpertSizes | None:
    """Return the experts that the facts of a lite model's training speak of, or None. VFEError where damaged."""
    if ENTRY not in training:
        return None
    try:
        sizes = from_mapping(ExpertSizes, training[ENTRY], ENTRY)
    except ValueError as error:
        raise VFEError(f"{source.path}: its metadata is damaged ({printable(error)}); get the file again") from error
    _check_stored(source, sizes)
    return sizes


def _check_stored(source: TensorSource, sizes: ExpertSizes) -> None:
    """Raise VFEError where tensors are not of the given sizes, of which layers are to be built."""
    stored = [source.shape(name) for name in source if _is_change(name)]
    if any(len(shape) != 3 or shape[0] != sizes.count or sizes.rank not in shape[1:] for shape in stored):
        raise VFEError(f"{source.path}: its experts are not of the sizes that its metadata gives; get the file again")


def _is_change(name: str) -> bool:
    return name.endswith((".down", ".up"))
