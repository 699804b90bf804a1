"""Dev scoring during training: fixed clips at the three levels of the restoration benchmark.

It follows the benchmark's levels but scores fewer frames; `benchmarks/quality.py` gives the figures that are published.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfe.degradations.vividface import Degradation, degrade
from vfe.types import whole_frames

from ..losses.terms import luma, structure_loss
from ..run.config import EvalConfig
from .clips import read_frames
from .sheets import to_frames, write_sheet

LEVELS = {
    "mild": Degradation(1.0, 2.0, 3.0, 23, stored=4, careless=True),
    "medium": Degradation(2.0, 3.0, 6.0, 28, stored=4, careless=True),
    "severe": Degradation(3.0, 5.0, 10.0, 33, stored=4, careless=True),
}


MEASURES = ("psnr_gain", *(f"psnr_gain.{level}" for level in LEVELS), "ssim_gain", "flicker_ratio", "detail_ratio")
"""What `evaluate` measures, and "perceptual_gain" where it is given a distance."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""A perceptual distance of two videos (1, 3, T, H, W) in [-1, 1], as a stage's loss has it: a scalar, 0 for equal."""

Restore = Callable[[Tensor], Tensor]
"""Degraded video (1, 3, T, H, W) in [-1, 1] to restored video, called as training calls it: in the run's autocast."""


def dev_clips(config: EvalConfig) -> list[Path]:
    """The files of the clips that are scored. Raises ValueError where there are none."""
    assert config.root is not None
    paths = sorted((Path(config.root) / "hq_video").glob("*.mp4"))[: config.clips]
    if not paths:
        raise ValueError(f"no clips in {config.root}/hq_video: set eval.root to a folder of clean clips")
    return paths


class DevSet:
    """The dev clips as triples (level, degraded, clean) with clips of (T, H, W, 3) uint8, degraded once.

    `shown` is the number of clips of which pictures are written.
    """

    def __init__(self, config: EvalConfig) -> None:
        self.shown = config.samples
        self.pairs: list[tuple[str, Tensor, Tensor]] = []
        for number, path in enumerate(dev_clips(config)):
            clean = read_frames(path)[: config.frames]
            height, width = (size // 8 * 8 for size in clean.shape[1:3])
            clean = clean[: whole_frames(len(clean)), :height, :width]
            for level, how in LEVELS.items():
                self.pairs.append((level, degrade(clean, how, np.random.default_rng(number)), clean))
        read_frames.cache_clear()


def to_video(frames: Tensor, device: torch.device) -> Tensor:
    """Frames (T, H, W, 3) uint8 as a video (1, 3, T, H, W) in [-1, 1] on `device`."""
    return frames.to(device).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two videos in [-1, 1], at most 106."""
    return float(10 * torch.log10(4 / (a - b).square().mean().clamp(min=1e-10)))


def restored(restore: Restore, video: Tensor, precision: str) -> Tensor:
    """The restored clip, rounded to 8 bits as in the files that users get: (1, 3, T, H, W) in [-1, 1]."""
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    with torch.autocast(video.device.type, dtype, enabled=precision != "no"):
        result = restore(video)
    return ((result.float().clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


@torch.no_grad()
def evaluate(
    restore: Restore, dev: DevSet, device: torch.device, precision: str, perceptual: Distance | None = None
) -> dict[str, float]:
    """Means over the clips of what restoring changes.

    `psnr_gain.<level>`, `psnr_gain` (dB), `ssim_gain` and, where there is a distance `perceptual`, `perceptual_gain`
    are differences to the degraded input, above 0 where the restored clip is nearer to the clean one. `flicker_ratio`
    divides the error's change from frame to frame by the input's: below 1 it flickers less. `detail_ratio` divides
    gradient energy by the clean clip's: 1 is ideal.
    """
    rows: list[dict[str, float]] = []
    for level, degraded, clean in dev.pairs:
        lq, hq = to_video(degraded, device), to_video(clean, device)
        out = restored(restore, lq, precision)
        gain = psnr(out, hq) - psnr(lq, hq)
        row = {
            f"psnr_gain.{level}": gain,
            "psnr_gain": gain,
            "ssim_gain": float(structure_loss(lq, hq) - structure_loss(out, hq)),
            "flicker_ratio": float((out - hq).diff(dim=2).abs().mean() / (lq - hq).diff(dim=2).abs().mean()),
            "detail_ratio": gradient_energy(out) / gradient_energy(hq),
        }
        if perceptual is not None:
            row["perceptual_gain"] = float(perceptual(lq, hq) - perceptual(out, hq))
        rows.append(row)
    return {
        key: float(np.mean([row[key] for row in rows if key in row])) for key in {k: 0 for row in rows for k in row}
    }


@torch.no_grad()
def write_samples(restore: Restore, dev: DevSet, folder: Path, device: torch.device, precision: str) -> None:
    """Write a PNG for each of the first clips: a row a level, with the last frame degraded, restored and clean."""
    levels = len(LEVELS)
    for number in range(min(dev.shown, len(dev.pairs) // levels)):
        rows = []
        for _, degraded, clean in dev.pairs[number * levels : (number + 1) * levels]:
            frames = to_frames(restored(restore, to_video(degraded, device), precision))
            rows.append([degraded[-1], frames[-1], clean[-1]])
        write_sheet(folder / f"clip{number}.png", rows)


def gradient_energy(video: Tensor) -> float:
    """Mean square of the differences of luma between neighbours, across plus down: how much detail a video shows."""
    y = luma(video)
    return float(y.diff(dim=-1).square().mean() + y.diff(dim=-2).square().mean())
