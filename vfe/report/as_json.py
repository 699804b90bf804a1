"""The numbers of a report as JSON. docs/formats.md says what each is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from .. import __version__
from ..options import RestoreOptions
from ..types import Stretch
from .run_report import Change, ReportedFace, RunReport, Segment

FORMAT = "vfe-report-1"
DECIMALS = 4
OF_FILES = ("compare", "report", "overwrite", "tracks")
"""Options that say which files are read and written, and how."""


def as_json(report: RunReport) -> str:
    """Return everything but the pictures, as JSON that holds ASCII and no NaN."""
    return json.dumps(_rounded(_numbers(report)), indent=1, allow_nan=False) + "\n"


def _numbers(report: RunReport) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "vfe": __version__,
        "source": {
            "name": report.source.name,
            "kind": report.kind,
            "width": report.source.width,
            "height": report.source.height,
            "rate": float(report.rate),
        },
        "output": {"name": report.output.name, "width": report.output.width, "height": report.output.height},
        "model": asdict(report.model),
        "options": given_options(report.options),
        "frames": report.frames,
        "seconds": report.seconds,
        "fps": report.fps,
        "stages": report.stages._asdict(),
        "memory": asdict(report.memory),
        "segments": [_segment(segment) for segment in report.segments],
        "cuts": report.cuts,
        "windows": _bounds(report.windows),
        "colour_shift": report.colour._asdict() | {
            "samples": [{"frame": frame, **shift._asdict()} for frame, shift in report.colours]
        },
        "likeness": None if report.likeness is None else report.likeness._asdict(),
        "faces": None if report.faces is None else [_face(face) for face in report.faces],
        "lost": [{"start": lost.start, "end": lost.end} for lost in report.lost],
        "notes": report.notes,
    }  # fmt: skip


def given_options(options: RestoreOptions) -> dict[str, Any]:
    """Return the options of a run that say how it restored, by their names."""
    return {option.name: getattr(options, option.name) for option in fields(options) if option.name not in OF_FILES}


def _segment(segment: Segment) -> dict[str, Any]:
    return segment._asdict() | {"fps": segment.fps, "retries": len(segment.failures)}


def _face(face: ReportedFace) -> dict[str, Any]:
    return {
        "number": face.number,
        "start": face.start,
        "stop": face.stop,
        "seen": face.seen,
        "unseen": _bounds(face.unseen),
        "side": face.side,
        "windows": _bounds(face.windows),
        "sharpness": _change(face.sharpness),
        "distance": face.distance,
        "samples": [sample._asdict() for sample in face.samples],
    }


def _bounds(stretches: Sequence[Stretch]) -> list[tuple[int, int]]:
    """Return the first frame of each stretch, and the frame after its last."""
    return [(stretch.start, stretch.stop) for stretch in stretches]


def _change(change: Change | None) -> dict[str, float] | None:
    return None if change is None else change._asdict()


def _rounded(value: Any) -> Any:  # noqa: ANN401 - lists and objects of JSON
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return round(value, DECIMALS) if isinstance(value, float) else value
