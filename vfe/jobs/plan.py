"""The plan of a job, which `job.json` holds and nothing changes: an order, the arithmetic, and the segments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config import from_mapping
from ..files.durable import write_durably
from ..report.run_report import ModelNames
from ..types import Stretch, VFEError
from .arithmetic import Arithmetic
from .layout import PLAN
from .order import Order
from .records import read_json

FORMAT = "vfe-job-1"
_ID_DIGITS = 16


@dataclass(frozen=True)
class Plan:
    """What every process that works on a job must know. Raises ValueError for segments that do not make up a clip."""

    order: Order
    arithmetic: Arithmetic
    survey: str
    """The SHA-256 of what a first pass over the source learned."""
    segments: tuple[Stretch, ...]
    model: ModelNames
    """What the model and its part for faces are called, for reports."""
    seconds: float
    """How long the first pass took."""

    def __post_init__(self) -> None:
        starts = [0, *(segment.stop for segment in self.segments)]
        if not self.segments or [segment.start for segment in self.segments] != starts[:-1]:
            raise ValueError("segments: needed are stretches that follow each other from frame 0 on")

    @property
    def frames(self) -> int:
        """The frames of the clip."""
        return self.segments[-1].stop

    def segment_id(self, number: int) -> str:
        """Return the name of a segment's files: its number, and a hash of all that determines its pixels."""
        order = self.order.to_json()
        del order["result"]
        known = {"order": order, "arithmetic": asdict(self.arithmetic), "survey": self.survey}
        known["segment"] = asdict(self.segments[number])
        digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
        return f"{number:05d}-{digest[:_ID_DIGITS]}"

    def write(self, folder: Path) -> None:
        """Write `job.json`. Raises OSError as writing does."""
        raw = {
            "format": FORMAT,
            "order": self.order.to_json(),
            "arithmetic": asdict(self.arithmetic),
            "survey": self.survey,
            "segments": [asdict(segment) for segment in self.segments],
            "model": asdict(self.model),
            "seconds": self.seconds,
        }
        write_durably(folder / PLAN, json.dumps(raw, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read `job.json`. Raises VFEError where there is none, or it says anything else than `write` does."""
        path = folder / PLAN
        try:
            raw = read_json(path)
            if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
                raise ValueError(f"is not of the format {FORMAT}")
            plain = from_mapping(_PlainPlan, raw, PLAN)
            order = Order.from_json(plain.order)
            return cls(order, plain.arithmetic, plain.survey, plain.segments, plain.model, plain.seconds)
        except FileNotFoundError:
            raise VFEError(f"{folder}: is no job, it has no {PLAN}; make one with `vfe plan`") from None
        except OSError as error:
            raise VFEError(f"{path}: cannot be read ({error.strerror}); needed is the folder of a job") from error
        except ValueError as error:
            raise VFEError(f"{path}: {error}; delete the folder and plan the job anew") from error


@dataclass(frozen=True)
class _PlainPlan:
    format: str
    order: dict[str, Any]
    arithmetic: Arithmetic
    survey: str
    segments: tuple[Stretch, ...]
    model: ModelNames
    seconds: float


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files of a folder. Raises OSError."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
