"""The sheets of docs/faces.md: `python -m benchmarks.face_sheets --data ../shared/data/dev --score ../shared/score`.

Faces of footage that is truly bad, and of clips of which the clean twin is known, before and after `vfe enhance` with
its defaults. What is shown are the items of the manifest that are marked open. The restoration benchmark (score.py in
the folder given) degrades the clips. A model of one's own is shown with `--face-model`.

T frames, H W sides; a sheet has a column for each item, in the order of the manifest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from vfe.face.detect.detector import FaceDetector
from vfe.face.paste.crop_box import CropBox
from vfe.face.paste.resample import take_crop
from vfe.face.track.tracker import track_faces
from vfe.options import ModelOptions
from vfe.restore.restorer import Restorer, load
from vfe.video.read import open_source

CLIP_FRAMES = 17
"""Frames of each item that are restored; the middle one is shown."""
MARGIN = 1.6  # sides of the face that a picture shows
SIDE = 224  # pixels of a picture
COLUMNS = 8
QUALITY = 88  # of JPEG, 0 to 100


def read_frames(path: Path) -> list[Tensor]:
    with open_source(path) as source:
        return [frame.pixels.clamp(-1, 1).float() for frame in islice(source, CLIP_FRAMES)]


def restored(restorer: Restorer, frames: list[Tensor], folder: Path) -> list[Tensor]:
    """What a restorer makes of frames (3, H, W) in [-1, 1], from file to file as a user has it, in lossless files."""
    before, after = folder / "before", folder / "after"
    before.mkdir()
    for index, frame in enumerate(frames):
        levels = ((frame + 1) * 127.5).round().byte()
        Image.fromarray(rearrange(levels, "c h w -> h w c").numpy()).save(before / f"{index:03}.png")
    restorer.restore_file(before, after)
    return read_frames(after)


def largest_face(frames: list[Tensor], detector: FaceDetector) -> tuple[int, CropBox] | None:
    """The frame to be shown, and the square to be shown of it; None where there is no face."""
    tracks = track_faces(iter(frames), detector).tracks
    if not tracks:
        return None
    track = max(tracks, key=lambda track: len(track.boxes) * track.side)
    index = len(track.boxes) // 2
    left, top, right, bottom = track.boxes[index].tolist()
    side = MARGIN * max(right - left, bottom - top)
    return track.start + index, CropBox((left + right - side) / 2, (top + bottom - side) / 2, side)


def column(versions: list[list[Tensor]], shown: tuple[int, CropBox]) -> Tensor:
    """The same face in all versions of a clip, one under the other: (3, n S, S) uint8."""
    index, box = shown
    faces = [take_crop(frames[index], box, SIDE) for frames in versions]
    return ((torch.cat(faces, 1).clamp(-1, 1) + 1) * 127.5).round().byte()


def write_sheet(path: Path, columns: list[Tensor]) -> None:
    """Write columns (3, h, S) beside each other, at most `COLUMNS` in a row, and in rows of equal length."""
    per_row = -(-len(columns) // -(-len(columns) // COLUMNS))
    rows = [columns[start : start + per_row] for start in range(0, len(columns), per_row)]
    width = per_row * SIDE
    strips = [torch.cat(row, 2) for row in rows]
    padded = [torch.nn.functional.pad(strip, (0, width - strip.shape[2]), value=255) for strip in strips]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rearrange(torch.cat(padded, 1), "c h w -> h w c").numpy()).save(path, quality=QUALITY)


class SheetMaker:
    """Makes the columns of sheets with one restorer."""

    def __init__(self, restorer: Restorer) -> None:
        self._restorer, self._detector = restorer, FaceDetector.load()

    def of_real(self, path: Path) -> Tensor | None:
        """Before and after; None where no face is found."""
        frames = read_frames(path)
        shown = largest_face(frames, self._detector)
        return None if shown is None else self._column(frames, shown, [])

    def of_known(self, clean: np.ndarray, degraded: np.ndarray) -> Tensor | None:
        """Before, after and clean, of frames (T, H, W, 3) uint8."""
        before, truth = (
            [rearrange(torch.from_numpy(frame), "h w c -> c h w").float() / 127.5 - 1 for frame in frames]
            for frames in (degraded, clean)
        )
        shown = largest_face(truth, self._detector)
        return None if shown is None else self._column(before, shown, [truth])

    def _column(self, frames: list[Tensor], shown: tuple[int, CropBox], truth: list[list[Tensor]]) -> Tensor:
        with tempfile.TemporaryDirectory() as folder:
            return column([frames, restored(self._restorer, frames, Path(folder)), *truth], shown)


def open_items(data: Path, kinds: tuple[str, ...]) -> list[Path]:
    """The files of the manifest's open items of some kinds, in its order."""
    items = json.loads((data / "manifest.json").read_text(encoding="utf-8"))["items"]
    return [data / item["file"] for item in items if item["kind"] in kinds and item["open"]]


def known_columns(maker: SheetMaker, data: Path, score: Any, level: str) -> list[Tensor]:  # noqa: ANN401 - by path
    columns = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(open_items(data, ("hq_video",))):
            clean = score.read(path, CLIP_FRAMES)
            made = maker.of_known(clean, score.degrade(clean, level, number, Path(scratch)))
            columns += [] if made is None else [made]
    return columns


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json")
    parser.add_argument("--score", type=Path, required=True, help="folder of score.py")
    parser.add_argument("--out", type=Path, default=Path("docs/faces"))
    parser.add_argument("--levels", nargs="*", default=["medium", "severe"], help="of degraded clips")
    parser.add_argument("--face-model", help="as of vfe enhance")
    args = parser.parse_args(arguments)
    sys.path[:0] = [str(args.score), str(args.score.parent / "nets")]
    maker = SheetMaker(load("lite", options=ModelOptions(face_model=args.face_model)))
    real = [maker.of_real(path) for path in open_items(args.data, ("lq_image", "lq_video", "scene_video"))]
    write_sheet(args.out / "real.jpg", [made for made in real if made is not None])
    for level in args.levels:
        write_sheet(args.out / f"{level}.jpg", known_columns(maker, args.data, import_module("score"), level))


if __name__ == "__main__":
    main()
