"""The timeline that `vfe conform` wrote: which clips are restored, and where they are. OpenTimelineIO is JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from .failure import Failure

MARK = "vfe"
"""The key under which `vfe conform` says of media what they were made of."""
OF_SPEED = ("LinearTimeWarp", "FreezeFrame", "TimeEffect")


@dataclass(frozen=True)
class Placement:
    """A restored clip: what it is of, where that is on the timeline, and its place in the restored file, in frames."""

    name: str
    source: str
    media: str
    record: int
    duration: int
    first: int
    frames: int


def placements_of(output: Path) -> tuple[list[Placement], list[str]]:
    """Return the restored clips of a timeline in an OTIO file, and the names of those that only the timeline can show.

    These are clips whose speed is changed and clips within others. Raises Failure for a file that is none.
    """
    try:
        tracks = json.loads(output.read_text(encoding="utf-8"))["tracks"]["children"]
        placed: list[Placement] = []
        others: list[str] = []
        for track in tracks:
            if track.get("kind") == "Video":
                _place(track["children"], output.parent, placed, others)
        return placed, others
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(f"{output}: cannot be read as a timeline ({error})") from error


def _place(children: list[Any], folder: Path, placed: list[Placement], others: list[str]) -> None:
    at = 0.0
    for child in children:
        if child["OTIO_SCHEMA"].startswith("Transition"):
            continue  # it takes no room
        media = _media(child)
        if media is not None and MARK in media.get("metadata", {}):
            has_speed = any(effect["OTIO_SCHEMA"].startswith(OF_SPEED) for effect in child.get("effects") or ())
            if has_speed:
                others.append(child["name"])
            else:
                placed.append(_placement(child, media, folder, at))
        elif _holds_restored(child):
            others.append(child["name"])
        at += _length(child)


def _placement(clip: Any, media: Any, folder: Path, at: float) -> Placement:
    own, whole = clip["source_range"], media["available_range"]
    rate = whole["start_time"]["rate"]
    seconds = _seconds(own["start_time"]) - _seconds(whole["start_time"])
    return Placement(
        name=clip["name"],
        source=media["metadata"][MARK]["source"],
        media=path_of(media["target_url"], folder),
        record=round(at),
        duration=round(_length(clip)),
        first=round(seconds * rate),
        frames=round(_seconds(own["duration"]) * rate),
    )


def _media(item: Any) -> Any:
    if "media_references" in item:
        return item["media_references"].get(item.get("active_media_reference_key", "DEFAULT_MEDIA"))
    return item.get("media_reference")


def _holds_restored(item: Any) -> bool:
    below = item.get("children") or ()
    return any(MARK in ((_media(child) or {}).get("metadata") or {}) or _holds_restored(child) for child in below)


def _length(item: Any) -> float:
    """Return how long an item is, in frames of the timeline."""
    if item.get("source_range"):
        return float(item["source_range"]["duration"]["value"])
    if "children" in item:
        lengths = [_length(child) for child in item["children"] if not child["OTIO_SCHEMA"].startswith("Transition")]
        return sum(lengths) if item["OTIO_SCHEMA"].startswith("Track") else max(lengths, default=0.0)
    return float(_media(item)["available_range"]["duration"]["value"])


def _seconds(moment: Any) -> float:
    return float(moment["value"]) / float(moment["rate"])


def path_of(url: str, folder: Path) -> str:
    """Return the path that a URL or a path means in a file of a folder."""
    parts = urlparse(url)
    if parts.scheme == "file":
        server = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
        return server + url2pathname(parts.path)
    path = Path(url if Path(url).exists() else unquote(url))
    return str(path if path.is_absolute() else folder / path)
