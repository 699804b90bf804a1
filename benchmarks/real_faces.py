"""A sheet of truly bad faces, before and after: `python -m benchmarks.real_faces --model MODEL FILES -o sheet.png`.

Of each file the largest face of its first frames is found, and aligned in the frames as they are, and as the bundled
part for frames restores them, which is what models for faces get. The sheet shows these two in its first rows, then a
row for each model, and a column for each file.

T frames, S side.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from training.burst.precision import fast_restorer
from vfe.face.detect.detector import FaceDetector
from vfe.face.paste.align import steady_similarities, take_aligned
from vfe.face.track.tracker import track_faces
from vfe.options import ModelOptions
from vfe.restore.restorer import Restorer, load
from vfe.types import whole_frames
from vfe.video.read import open_source

from .faces import restored

CLIP_FRAMES = 17


class AlignedFace(NamedTuple):
    """The largest face of a file as aligned clips (T, 3, S, S) uint8 of 4n + 1 frames."""

    degraded: Tensor
    """Of the frames as they are."""
    restored: Tensor
    """Of the frames that the part for frames restored."""


def aligned_face(path: Path, detector: FaceDetector, frame_part: Restorer) -> AlignedFace | None:
    """The largest face of a file; None without a face."""
    with open_source(path) as source:
        frames = [frame.pixels.clamp(-1, 1) for frame in islice(source, CLIP_FRAMES)]
    tracks = track_faces(iter(frames), detector).tracks
    if not tracks:
        return None
    track = max(tracks, key=lambda track: len(track.boxes) * track.side)
    matrices = steady_similarities(track.landmarks)
    shown = slice(track.start, track.start + whole_frames(len(track.boxes)))

    def aligned(frames: list[Tensor]) -> Tensor:
        crops = [take_aligned(frame.float(), matrix) for frame, matrix in zip(frames[shown], matrices, strict=False)]
        return ((torch.stack(crops).clamp(-1, 1) + 1) * 127.5).round().byte()

    return AlignedFace(aligned(frames), aligned(list(frame_part.restore_frames(frames))))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, action="append", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(arguments)
    detector = FaceDetector.load()
    frame_part = load("lite", options=ModelOptions(face_model="none"))
    clip_of_file = {path: aligned_face(path, detector, frame_part) for path in args.files}
    clips = [clip for clip in clip_of_file.values() if clip is not None]
    if not clips:
        sys.exit("no face was found in any of the files")
    for path, clip in clip_of_file.items():
        print(f"{path.name}: {'no face' if clip is None else f'{len(clip.restored)} frames'}")
    middles = [len(clip.restored) // 2 for clip in clips]
    rows = [
        [clip.degraded[middle] for clip, middle in zip(clips, middles, strict=True)],
        [clip.restored[middle] for clip, middle in zip(clips, middles, strict=True)],
    ]
    for path in args.model:
        net = fast_restorer(path)
        results = [restored(net, clip.restored, clip.degraded) for clip in clips]
        rows.append([result[middle] for result, middle in zip(results, middles, strict=True)])
    picture = torch.cat([rearrange(torch.stack(row), "n c h w -> h (n w) c") for row in rows])
    Image.fromarray(picture.numpy()).save(args.output)


if __name__ == "__main__":
    main()
