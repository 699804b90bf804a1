"""VFHQ (Xie et al. 2022, https://liangbinxie.github.io/projects/vfhq).

A text file for each clip, `Clip+VIDEO+P0+C1+F1537-1825.txt`, names the video, the person, the clip and its frames, of
which the published script takes those from the first + 1 to the last - 1. Its lines tell the size of frames for which
the crop is meant and the crop:

    H 1080
    W 1920
    FPS 25.0
    CROP 674 122 1346 794

that is left, top, right and bottom. Videos are called VIDEO and a suffix. What the script writes are PNGs in
`extracted_cropped_face_results/Train/VIDEO/P0/C1/00001538.png`; the smaller version that is passed on has a folder
`Clip+VIDEO+P0+C1+F1537-1825` of PNGs for each clip. Those folders are taken as clips where there are no text files.

Source: `download_clips.py` of the data set's page, as in the public repository yunyu/vfhq-downloader
(`vfhq_dl/parse_meta_info.py`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from ...types import VFEError
from ..sources import Part, Region, Source, Sources
from .folder import find as find_folder
from .index import missing_note, videos_by_stem, words_of

CLIP = re.compile(r"Clip\+(?P<video>.+)\+P(?P<person>\d+)\+C\d+\+F(?P<first>\d+)-(?P<last>\d+)")


def find(root: Path, output: Path, frames: bool) -> Sources:
    """Return the videos of the text files with their parts, or the folders of frames where there are no text files.

    Raises VFEError where there are neither.
    """
    videos = videos_by_stem(root)
    lists = [path for path in sorted(root.rglob("Clip+*.txt")) if CLIP.fullmatch(path.stem)]
    if not lists:
        found = find_folder(root, output, True)
        if not found.sources:
            raise VFEError(f"{root}: has no Clip+*.txt and no folder of frames, as VFHQ has; is it another layout?")
        return found
    del frames
    parts: dict[str, list[Part]] = defaultdict(list)
    unread: list[tuple[str, str]] = []
    missing = 0
    for path in lists:
        named = CLIP.fullmatch(path.stem)
        assert named is not None
        if named["video"] not in videos:
            missing += 1
            continue
        region = _region_in(path)
        if region is None:
            unread.append((str(path), "has no H, W and CROP with numbers, as texts of VFHQ have"))
            continue
        parts[named["video"]].append(Part(int(named["first"]) + 1, int(named["last"]), "frames", region))
    sources = [
        Source(videos[name], videos[name].relative_to(root.parent).as_posix(), "hq_video", tuple(sorted(own)), name)
        for name, own in sorted(parts.items())
    ]
    return Sources(tuple(sources), tuple(unread), missing_note(missing, len(lists), str(root)))


def _region_in(path: Path) -> Region | None:
    """Return where a text has the face; None where it does not say."""
    values = {words[0].rstrip(":").upper(): words[1:] for words in words_of(path)}
    try:
        height, width = float(values["H"][-1]), float(values["W"][-1])
        left, top, right, bottom = (float(word) for word in values["CROP"][-4:])
    except (KeyError, IndexError, ValueError):
        return None
    return Region((left, top, right, bottom), (width, height)) if width > 0 and height > 0 else None
