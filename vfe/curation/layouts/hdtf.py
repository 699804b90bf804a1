"""HDTF (Zhang et al. 2021, https://github.com/MRzzm/HDTF).

Of each part of the set (RD, WDA, WRA) there are lists with a line for each video or clip:

    RD_annotion_time.txt:  Radio11.mp4 00:30-01:00 01:30-02:30       minutes and seconds of each clip
    RD_crop_wh.txt:        Radio11_0.mp4 412 599 0 599               left, width, top, height of clip 0
    RD_resolution.txt:     Radio11.mp4 720                           the height for which the crop is meant

Videos are `Radio11.mp4`, or `RD_Radio11.mp4` as `download.py` of the set calls them. Clips that were cut out already
are `Radio11_0.mp4`, or `RD_Radio11_000.mp4`; they are taken as they are. A clip without a crop is left out by
`download.py`, and here has its largest face.

Source: README.md, `download.py` and the lists of the public repository MRzzm/HDTF.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...types import VFEError
from ..sources import Part, Region, Source, Sources
from .folder import source_at
from .index import missing_note, videos_by_stem, words_of

TIMES = "_annotion_time.txt"
STAMP = re.compile(r"(\d+):(\d{1,2}(?:\.\d+)?)-(\d+):(\d{1,2}(?:\.\d+)?)")


def find(root: Path, output: Path, frames: bool) -> Sources:
    """Return the clips that were cut out, and the videos with the parts that the lists have.

    Raises VFEError where there is no list of times.
    """
    del output, frames
    videos = videos_by_stem(root)
    lists = sorted(root.rglob(f"*{TIMES}"))
    if not lists:
        raise VFEError(f"{root}: has no *{TIMES}, as HDTF has; put the lists there, or choose another layout")
    sources: list[Source] = []
    unread: list[tuple[str, str]] = []
    missing = total = 0
    for path in lists:
        subset = path.name.removesuffix(TIMES)
        regions = _regions(path.parent, subset)
        for words in words_of(path):
            name = Path(words[0]).stem
            total += len(words) - 1
            cut = [video for index in range(len(words) - 1) if (video := _cut_out(videos, subset, name, index))]
            whole = videos.get(f"{subset}_{name}") or videos.get(name)
            if cut:
                sources += [source_at(video, video.relative_to(root.parent).as_posix(), name) for video in cut]
                missing += len(words) - 1 - len(cut)
            elif whole is None:
                missing += len(words) - 1
            elif parts := _parts(name, words[1:], regions, unread):
                sources.append(Source(whole, whole.relative_to(root.parent).as_posix(), "hq_video", tuple(parts), name))
    return Sources(tuple(sources), tuple(unread), missing_note(missing, total, str(root)))


def _cut_out(videos: dict[str, Path], subset: str, name: str, index: int) -> Path | None:
    """Return the file of a clip that was cut out."""
    return videos.get(f"{subset}_{name}_{index:03d}") or videos.get(f"{name}_{index}")


def _parts(name: str, stamps: list[str], regions: dict[str, Region], unread: list[tuple[str, str]]) -> list[Part]:
    """Return the parts of a video in the order of time; what cannot be read is added to `unread`."""
    parts = []
    for index, stamp in enumerate(stamps):
        match = STAMP.fullmatch(stamp)
        if match is None:
            unread.append((f"{name} {stamp}", "is no time, needed is 00:30-01:00"))
            continue
        start, stop = (60 * int(match[at]) + float(match[at + 1]) for at in (1, 3))
        if start < stop:
            parts.append(Part(start, stop, "seconds", regions.get(f"{name}_{index}")))
    return sorted(parts, key=lambda part: part.start)


def _regions(folder: Path, subset: str) -> dict[str, Region]:
    """Return the crops of a subset by the names of clips."""
    heights = {}
    for words in _words_if_there(folder / f"{subset}_resolution.txt"):
        if len(words) == 2 and words[1].isdigit():
            heights[Path(words[0]).stem] = float(words[1])
    regions = {}
    for words in _words_if_there(folder / f"{subset}_crop_wh.txt"):
        if len(words) == 5 and all(word.isdigit() for word in words[1:]):
            left, width, top, height = (float(word) for word in words[1:])
            clip = Path(words[0]).stem
            meant = heights.get(clip.rpartition("_")[0]) or None
            regions[clip] = Region((left, top, left + width, top + height), (None, meant))
    return regions


def _words_if_there(path: Path) -> list[list[str]]:
    return list(words_of(path)) if path.is_file() else []
