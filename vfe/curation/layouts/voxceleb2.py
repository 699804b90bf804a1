"""VoxCeleb2 (Chung et al. 2018, https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html).

Clips of the set are `mp4/id00017/01dfn2spqyE/00001.mp4`: person, video and number, cut out at 224 pixels. A text of the
same name, `txt/id00017/01dfn2spqyE/00001.txt`, tells where they are in the video:

    Identity  :     id00017
    Reference :     01dfn2spqyE
    Offset    :     11
    FV Conf   :     19.159    (1)
    ASD Conf  :     4.352

    FRAME   X       Y       W       H
    000245  0.375   0.120   0.260   0.462

with frames at 25 a second, and boxes in parts of the frame's sides. Where the raw video `01dfn2spqyE.mp4` is there too,
the clip is taken from it, in which the face is larger; else the clip is taken as it is.

Source: `crop_vox.py` of the public repository AliaksandrSiarohin/video-preprocessing, which reads both.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median

from ...types import VFEError
from ..sources import Part, Region, Source, Sources
from .folder import source_at
from .index import videos_by_stem, words_of

RATE = 25.0
"""The frames a second that the texts count."""


def find(root: Path, output: Path, frames: bool) -> Sources:
    """Return the clips, from raw videos where there are any. Raises VFEError for a folder without any."""
    del output, frames
    raw = videos_by_stem(root)
    texts = sorted(path for path in root.rglob("*.txt") if _is_clip(path))
    clips = {(*path.parts[-3:-1], path.stem): path for path in sorted(root.rglob("*.mp4")) if _is_clip(path)}
    parts: dict[tuple[str, str], list[Part]] = defaultdict(list)
    unread: list[tuple[str, str]] = []
    missing = 0
    for path in texts:
        person, video, name = path.parts[-3], path.parts[-2], path.stem
        if video not in raw:
            missing += (person, video, name) not in clips
            continue
        part = _part_in(path)
        if part is None:
            unread.append((str(path), "has no frames with boxes, as texts of VoxCeleb2 have"))
        else:
            parts[person, video].append(part)
            clips.pop((person, video, name), None)
    if not texts and not clips:
        raise VFEError(f"{root}: has no idNNNNN/VIDEO/NNNNN.mp4 or .txt, as VoxCeleb2 has; is it another layout?")
    sources = [
        Source(raw[video], _name(raw[video], root), "hq_video", tuple(sorted(own)), person)
        for (person, video), own in sorted(parts.items())
    ]
    sources += [source_at(path, _name(path, root), person) for (person, _, _), path in sorted(clips.items())]
    notes = (f"{missing} texts in {root} have neither a raw video nor a clip here",) if missing else ()
    return Sources(tuple(sources), tuple(unread), notes)


def _is_clip(path: Path) -> bool:
    """Return whether a path is that of a clip or a text: idNNNNN/VIDEO/NNNNN."""
    person = path.parts[-3] if len(path.parts) > 2 else ""
    return path.stem.isdigit() and person.startswith("id") and person[2:].isdigit()


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root.parent).as_posix()


def _part_in(path: Path) -> Part | None:
    """Return the part of the raw video that a text tells of, with the median of its boxes."""
    rows = []
    for words in words_of(path):
        if len(words) == 5 and words[0].isdigit():
            try:
                rows.append([float(word) for word in words])
            except ValueError:
                return None
    if not rows:
        return None
    left, top, width, height = (median(column) for column in list(zip(*rows, strict=True))[1:])
    first, last = min(row[0] for row in rows), max(row[0] for row in rows)
    region = Region((left, top, left + width, top + height), (1.0, 1.0))
    return Part(first / RATE, (last + 1) / RATE, "seconds", region)
