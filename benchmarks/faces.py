"""Compare face restorers on aligned dev faces: a table by level, and a sheet of before, after and clean.

    python -m benchmarks.faces --data ../shared/data/dev --score ../shared/score --nets ../shared/nets \
        --cache runs/faces/dev --model A.safetensors --out runs/faces/compared

The degradations and the networks that measure are those of the restoration benchmark (score.py and nets.py in the
folders given). Aligned clips are stored in the cache: as they are, and as the bundled part for frames restored their
frames, which is what models for faces get.

N clips of T frames, S side; a clip is (T, 3, S, S) uint8.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from training.burst.precision import fast_restorer
from vfe.face.paste.align import ALIGNED_SIDE, steady_similarities, take_aligned, template
from vfe.luma import LUMA
from vfe.models.lite import LiteModel
from vfe.options import ModelOptions
from vfe.restore.restorer import load
from vfe.types import never_cancelled

from .saving import write_results

CLIP_FRAMES = 17
"""Frames of each dev clip, counted from its first: 4n + 1."""
METRIC_FRAMES = [0, 8, 16]
SHEET_FRAME = 8
SHEET_CLIPS = (0, 3, 7, 10, 13, 16)
"""The frame and the clips that the sheets show."""
LEVELS = ("mild", "medium", "severe")


class DevClips(NamedTuple):
    """Aligned clips (N, T, 3, S, S) uint8: clean, and by level damaged or restored."""

    clean: Tensor
    levels: dict[str, Tensor]


def aligned_clips(frames: np.ndarray, landmarks: np.ndarray) -> Tensor:
    """Cut the face out of each frame: (T, H, W, 3) uint8 and landmarks (T, 5, 2) in pixels -> (T, 3, S, S) uint8."""
    matrices = steady_similarities(torch.from_numpy(landmarks))
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    crops = [take_aligned(picture, matrix) for picture, matrix in zip(pictures, matrices, strict=True)]
    return torch.stack(crops).round().clamp(0, 255).byte()


def make_clips(data: Path, score: Any, restore: Callable[[np.ndarray], np.ndarray]) -> DevClips:  # noqa: ANN401
    """All dev clips, damaged as the restoration benchmark does it.

    `restore` turns whole damaged frames (T, H, W, 3) uint8 into restored ones, before the faces are aligned.
    """
    clean: list[Tensor] = []
    levels: dict[str, list[Tensor]] = {level: [] for level in LEVELS}
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(sorted((data / "hq_video").glob("*.mp4"))):
            print(path.stem, file=sys.stderr, flush=True)
            frames = score.read(path, CLIP_FRAMES)
            landmarks = np.load(data / "labels" / f"{path.stem}.npz")["landmarks5"][:CLIP_FRAMES]
            clean.append(aligned_clips(frames, landmarks))
            for level, kept in levels.items():
                damaged = score.degrade(frames, level, number, Path(scratch))
                kept.append(aligned_clips(restore(damaged), landmarks))
    return DevClips(torch.stack(clean), {level: torch.stack(kept) for level, kept in levels.items()})


def load_or_make(path: Path, make: Callable[[], DevClips]) -> DevClips:
    """The clips of a cache file, which is made the first time."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"clean": made.clean, **made.levels}
        np.savez(path, **{name: clips.numpy() for name, clips in arrays.items()})
    with np.load(path) as kept:
        levels = {level: torch.from_numpy(kept[level]) for level in LEVELS}
        return DevClips(torch.from_numpy(kept["clean"]), levels)


class FaceMetrics:
    """The figures of a restored clip, by the restoration benchmark's networks on aligned faces.

    `frames` are those that the networks see; the other figures are means over the whole clip.
    """

    def __init__(self, nets: Any, frames: list[int]) -> None:  # noqa: ANN401 - a module by path
        self.nets, self.vgg, self.identity, self.frames = nets, nets.VGG(), nets.FaceID(), frames
        self.points = template().float() * ALIGNED_SIDE

    @torch.inference_mode()
    def __call__(self, result: Tensor, clean: Tensor) -> dict[str, float]:
        """The figures of one clip (T, 3, S, S) uint8 against the clean one.

        `psnr` in dB; `percept` and `id` are distances of features, 0 for equal ones; `detail` is gradient energy over
        that of the clean clip; `flicker` the mean change of the error from frame to frame and `colour` the mean shift
        of the worst channel, in levels of 255.
        """
        a, b = (x[self.frames].float() / 255 for x in (result, clean))
        whole = result.float() - clean.float()
        faces = [self.identity(self.nets.align(x, self.points.expand(len(x), -1, -1))) for x in (a, b)]
        shift = whole.mean((0, 2, 3))
        return {
            "psnr": float(10 * torch.log10(255**2 / whole.square().mean((1, 2, 3)).clamp(min=1e-3)).mean()),
            "percept": float(self.vgg.distance(a, b).mean()),
            "id": float((faces[0] - faces[1]).norm(dim=1).mean()),
            "detail": energy(result) / energy(clean),
            "flicker": float((whole.diff(dim=0)).abs().mean()),
            "colour": float(shift[shift.abs().argmax()]),
        }


def energy(clip: Tensor) -> float:
    """Mean square of the gradient of luma of a clip (T, 3, S, S), in levels of 255."""
    luma = torch.einsum("tchw,c->thw", clip.float(), torch.tensor(LUMA))
    return float(luma.diff(dim=1).square().mean() + luma.diff(dim=2).square().mean())


@torch.inference_mode()
def restored(net: LiteModel, clip: Tensor, original: Tensor, fidelity: float = 0.0) -> Tensor:
    """Restore a clip (T, 3, S, S) uint8 of 4n + 1 frames in one step, without windows.

    `original` is the clip as it was before the part for frames, for a model that sees it.
    """
    video, before = (rearrange(x.float() / 127.5 - 1, "t c h w -> 1 c t h w") for x in (clip, original))
    z = z_lq = net.codec.encode(video)
    if net.sees_original:
        z = torch.cat([z_lq, net.codec.encode(before)], 1)
    velocity = net.velocity(z, never_cancelled, net.read_prior(video, never_cancelled))
    x_hq = net.codec.decode(net.flow.restore(z_lq, velocity.float(), 1 - fidelity))
    return rearrange((x_hq + 1) * 127.5, "1 c t h w -> t c h w").round().clamp(0, 255).byte()


def table(rows: dict[str, dict[str, dict[str, float]]]) -> str:
    """The figures as a Markdown table, level by level, with a row for each restorer."""
    figures = list(next(iter(next(iter(rows.values())).values())))
    lines = ["| level | restorer | " + " | ".join(figures) + " |", "| :-- | :-- |" + " --: |" * len(figures)]
    for level in LEVELS:
        for name, levels in rows.items():
            lines.append(f"| {level} | {name} | " + " | ".join(f"{levels[level][f]:.4g}" for f in figures) + " |")
    return "\n".join(lines)


def write_sheet(path: Path, rows: list[Tensor]) -> None:
    """Write a picture with a row for each of `rows` (N, 3, S, S) uint8, and a column for each of `SHEET_CLIPS`."""
    picture = torch.cat([rearrange(row[list(SHEET_CLIPS)], "n c h w -> h (n w) c") for row in rows])
    Image.fromarray(picture.numpy()).save(path)


def lite_restorer() -> Callable[[np.ndarray], np.ndarray]:
    """The bundled model as a function of whole frames (T, H, W, 3) uint8."""
    restorer = load("lite", "cpu", options=ModelOptions(face_model="none"))

    def restore(frames: np.ndarray) -> np.ndarray:
        video = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
        done = torch.stack(list(restorer.restore_frames(video)))
        return ((done + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()

    return restore


def restorers(args: argparse.Namespace) -> Iterator[tuple[str, DevClips]]:
    """Yield the name of each restorer and what it makes of the clips, the untouched input first."""
    score = import_module("score")
    damaged = load_or_make(args.cache / "input.npz", lambda: make_clips(args.data, score, lambda frames: frames))
    yield "input", damaged
    frames = load_or_make(args.cache / "lite.npz", lambda: make_clips(args.data, score, lite_restorer()))
    yield "frames", frames
    for path, fidelity in product(args.model, args.fidelity):
        net = fast_restorer(path)
        levels = {
            level: torch.stack(
                [restored(net, *both, fidelity) for both in zip(clips, damaged.levels[level], strict=True)]
            )
            for level, clips in frames.levels.items()
        }
        yield f"{path.parent.name}/{path.stem} {fidelity}", frames._replace(levels=levels)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--score", type=Path, required=True, help="folder of score.py")
    parser.add_argument("--nets", type=Path, required=True, help="folder of nets.py")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--fidelity", type=float, nargs="+", default=[0.0], help="0 sharpest to 1 most faithful")
    parser.add_argument(
        "--judged",
        type=int,
        nargs="+",
        default=METRIC_FRAMES,
        help="frames of each clip that percept and id are measured on",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for table.md, table.json and the sheets")
    args = parser.parse_args(arguments)
    sys.path[:0] = [str(args.score), str(args.nets)]
    measure = FaceMetrics(import_module("nets"), args.judged)
    args.out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, dict[str, float]]] = {}
    pictures: dict[str, list[Tensor]] = {level: [] for level in LEVELS}
    for name, clips in restorers(args):
        rows[name] = {}
        for level, made in clips.levels.items():
            figures = [measure(result, clean) for result, clean in zip(made, clips.clean, strict=True)]
            rows[name][level] = {key: float(np.mean([each[key] for each in figures])) for key in figures[0]}
            pictures[level].append(made[:, SHEET_FRAME])
        clean = clips.clean[:, SHEET_FRAME]
    for level, restored_pictures in pictures.items():
        write_sheet(args.out / f"{level}.png", [*restored_pictures, clean])
    write_results(args.out, "table", table(rows), rows)
    print(table(rows))


if __name__ == "__main__":
    main()
