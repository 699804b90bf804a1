"""The degraded clip of the quickstart: `python -m training.demo FILE.mp4`.

A public-domain portrait that scikit-image carries, a gentle synthetic camera, and the degradation of training.
T frames, H W sides; frames are (T, H, W, 3) uint8.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import av
import numpy as np
import skimage.data
import torch
from torch import Tensor
from torch.nn import functional as F

from vfe.degradations.h264 import FRAME_RATE
from vfe.degradations.vividface import Degradation, degrade

FACE_CENTRE = (224.0, 108.0)  # x, y in pixels of the 512x512 portrait
VIEW_SIDE = 192.0  # side in pixels of the portrait that a frame shows: the head and some background
SIDE = 384  # of a frame; the size of the clips that the bundled model was trained on
FRAMES = 50
DEGRADATION = Degradation(sigma=2.0, ratio=3.0, noise=6.0, crf=28)
SEED = 0
NEARLY_LOSSLESS_CRF = 8  # crf of the file, so that the damage is that of DEGRADATION


def camera(frames: int) -> Tensor:
    """The camera's path as affine maps (T, 2, 3) from a frame to the portrait, in the units of `affine_grid`: slow
    drift, zoom and roll."""
    phase = torch.arange(frames) / frames * 2 * math.pi
    zoom = VIEW_SIDE / 512 * (1 + 0.05 * torch.sin(phase))
    roll = torch.deg2rad(2.0 * torch.sin(phase + 1.0))
    x = (FACE_CENTRE[0] + 6 * torch.sin(phase + 2.0)) / 256 - 1
    y = (FACE_CENTRE[1] + 4 * torch.sin(2 * phase)) / 256 - 1
    cosine, sine = zoom * torch.cos(roll), zoom * torch.sin(roll)
    return torch.stack((torch.stack((cosine, -sine, x), dim=1), torch.stack((sine, cosine, y), dim=1)), dim=1)


def clean_clip(frames: int = FRAMES, side: int = SIDE) -> Tensor:
    """The portrait seen by the moving camera: (T, side, side, 3) uint8."""
    portrait = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None].float()
    grid = F.affine_grid(camera(frames), [frames, 3, side, side], align_corners=False)
    clip = F.grid_sample(portrait.expand(frames, -1, -1, -1), grid, "bicubic", "reflection", align_corners=False)
    return clip.permute(0, 2, 3, 1).round_().clamp_(0, 255).byte()


def degraded_clip(clean: Tensor) -> Tensor:
    """A poor recording of the clip, of the same size; the same at every call."""
    return degrade(clean, DEGRADATION, np.random.default_rng(SEED))


def write_clip(path: Path, frames: Tensor) -> None:
    """Write frames (T, H, W, 3) uint8 as a nearly lossless H.264 file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.options = {"crf": str(NEARLY_LOSSLESS_CRF)}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.numpy()), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the degraded demonstration clip.")
    parser.add_argument("output", type=Path, help="the clip, an .mp4 file; replaced if it exists")
    parser.add_argument("--clean", type=Path, help="also write the clip before its degradation")
    args = parser.parse_args()
    clean = clean_clip()
    for path, frames in ((args.clean, clean), (args.output, degraded_clip(clean))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, frames)


if __name__ == "__main__":
    main()
