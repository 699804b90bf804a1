"""Timelines as `vfe conform` writes them, as JSON: it has its note on the media of restored clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RATE = 25.0
FADE = {
    "OTIO_SCHEMA": "Transition.1",
    "in_offset": {"value": 2, "rate": RATE},
    "out_offset": {"value": 2, "rate": RATE},
}


def moment(value: float, rate: float = RATE) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "value": value, "rate": rate}


def span(start: dict[str, Any], duration: dict[str, Any]) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": start, "duration": duration}


def clip(
    name: str, source: Path, start: int, frames: int, restored: tuple[int, int], effect: str = "", rate: float = RATE
) -> dict[str, Any]:
    """A clip whose source was restored from one frame to before another, in frames of the source."""
    first, stop = restored
    file = source.with_name(f"{source.stem}.{first}-{stop - 1}.mov")
    media = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {"vfe": {"source": str(source), "frames": list(restored)}},
        "target_url": str(file),
        "available_range": span(moment(first, rate), moment(stop - first, rate)),
    }
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "source_range": span(moment(start), moment(frames)),
        "effects": [{"OTIO_SCHEMA": effect}] if effect else [],
        "media_references": {"DEFAULT_MEDIA": media},
        "active_media_reference_key": "DEFAULT_MEDIA",
    }


def gap(frames: int) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "Gap.1", "name": "", "source_range": span(moment(0), moment(frames))}


def track(children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "Track.1", "name": "", "kind": "Video", "source_range": None, "children": children}


def nested(name: str, *children: dict[str, Any]) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "Stack.1", "name": name, "source_range": None, "children": [track(list(children))]}


def timeline_of(path: Path, *tracks: dict[str, Any]) -> Path:
    sound = {"OTIO_SCHEMA": "Track.1", "kind": "Audio", "children": []}
    content = {"OTIO_SCHEMA": "Timeline.1", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": [*tracks, sound]}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
