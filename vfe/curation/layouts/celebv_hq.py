"""CelebV-HQ (Zhu et al. 2022, https://celebv-hq.github.io).

`celebvhq_info.json` has for each clip the video, the seconds and a box, in parts of height and width:

    {"clips": {"M2Ohb0FAaJU_1": {"ytb_id": "M2Ohb0FAaJU", "duration": {"start_sec": 81.62, "end_sec": 86.17},
     "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922}, "attributes": {...}}}}

The raw videos are `ytb_id.mp4`; clips that were cut out of them have the name of the clip. A clip that was cut out is
taken as it is, for which the raw video is not needed.

Source: `download_and_process.py` of the public repository CelebV-HQ/CelebV-HQ.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from ...types import VFEError
from ..sources import Part, Region, Source, Sources
from .folder import source_at
from .index import missing_note, read_list, videos_by_stem

LIST = "celebvhq_info.json"


def find(root: Path, output: Path, frames: bool) -> Sources:
    """Return the clips that were cut out, and the raw videos with their parts for the others.

    Raises VFEError where the list is missing or is none.
    """
    del output, frames
    videos = videos_by_stem(root)
    clips = _clips_in(root)
    parts: dict[str, list[Part]] = defaultdict(list)
    sources: list[Source] = []
    unread: list[tuple[str, str]] = []
    missing = 0
    for name, values in sorted(clips.items()):
        if name in videos:
            sources.append(source_at(videos[name], videos[name].relative_to(root.parent).as_posix()))
            continue
        try:
            video, part = _part_of(values)
        except (KeyError, TypeError, ValueError):
            unread.append((f"{LIST}: {name}", "has no ytb_id, duration and bbox with numbers"))
            continue
        if video in videos:
            parts[video].append(part)
        else:
            missing += 1
    sources += [
        Source(videos[name], videos[name].relative_to(root.parent).as_posix(), "hq_video", tuple(sorted(own)), name)
        for name, own in sorted(parts.items())
    ]
    return Sources(tuple(sources), tuple(unread), missing_note(missing, len(clips), LIST))


def _clips_in(root: Path) -> dict[str, Any]:
    """Return the clips of the list. Raises VFEError where there is none."""
    path = next(iter(sorted(root.rglob(LIST))), None)
    if path is None:
        raise VFEError(f"{root}: has no {LIST}, as CelebV-HQ has; put it there, or choose another layout")
    try:
        clips = json.loads(read_list(path))["clips"]
    except (ValueError, KeyError, TypeError, RecursionError):
        clips = None
    if not isinstance(clips, dict):
        raise VFEError(f"{path}: is no list of clips, needed is JSON with `clips` by name; get it again")
    return clips


def _part_of(values: Any) -> tuple[str, Part]:  # noqa: ANN401 - JSON
    """Return the name of the video and the part that a clip is. Raises KeyError, TypeError and ValueError."""
    start, stop = (float(values["duration"][name]) for name in ("start_sec", "end_sec"))
    box = [float(values["bbox"][name]) for name in ("left", "top", "right", "bottom")]
    if not 0 <= start < stop or not all(math.isfinite(value) for value in (stop, *box)):
        raise ValueError("times and box need to be numbers in order")
    return str(values["ytb_id"]), Part(start, stop, "seconds", Region((box[0], box[1], box[2], box[3]), (1.0, 1.0)))
