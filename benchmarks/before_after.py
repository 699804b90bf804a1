"""The moving picture of the README: `python -m benchmarks.before_after docs/before_after.webp`.

The clip of the quickstart, noisier and softer than there, beside what `vfe enhance` with its defaults makes of it, as
an animated WebP. T frames, H W sides; frames are (T, H, W, 3) uint8.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import av
import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

import vfe
from training.demo import SEED, clean_clip, write_clip
from vfe.degradations.h264 import FRAME_RATE
from vfe.degradations.vividface import Degradation, degrade

DEGRADATION = Degradation(sigma=2.5, ratio=4.0, noise=10.0, crf=25)
"""More of everything than the quickstart's, so that the damage is plain to see at the size of a web page."""
QUALITY = 60  # of WebP, 0 to 100
MILLISECONDS = 1000  # in a second


def read_clip(path: Path) -> Tensor:
    """All frames of a short video, (T, H, W, 3) uint8."""
    with av.open(str(path)) as container:
        return torch.from_numpy(np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]))


def before_and_after(degraded: Tensor) -> Tensor:
    """(T, H, W, 3) -> (T, H, 2 W, 3): the clip and its restoration side by side, both read back from their files."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "degraded.mp4", Path(folder) / "restored.mp4"
        write_clip(before, degraded)
        vfe.load("lite").restore_file(before, after)
        return rearrange([read_clip(before), read_clip(after)], "side t h w c -> t h (side w) c")


def write_animation(path: Path, frames: Tensor) -> None:
    """Write (T, H, W, 3) as an animated WebP that repeats for ever, at the frame rate of the clip."""
    first, *rest = (Image.fromarray(frame.numpy()) for frame in frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(
        path, save_all=True, append_images=rest, duration=MILLISECONDS // FRAME_RATE, loop=0, quality=QUALITY, method=6
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the README's animation of a clip before and after.")
    parser.add_argument("output", type=Path, help="the animation, a .webp file; replaced if it exists")
    args = parser.parse_args()
    degraded = degrade(clean_clip(), DEGRADATION, np.random.default_rng(SEED))
    write_animation(args.output, before_and_after(degraded))


if __name__ == "__main__":
    main()
