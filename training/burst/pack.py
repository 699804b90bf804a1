"""Pack the training set: `python -m training.burst.pack --data ../shared/data/train --out runs/burst/data`.

Open portraits that are sharp enough, and clips as every second frame, all aligned and in AVIF of 256x256; and the
networks of the losses. At most 32 MiB: two thirds of what JPEG would take; the same data give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vfe.face.detect.upright import apply, invert
from vfe.face.paste.align import ALIGNED_SIDE, steady_similarities, take_aligned
from vfe.types import VFEError

from ..data.clips import read_frames
from ..losses.perceptual.squeeze import SQUEEZE_FILE
from .likeness import LIKENESS_FILE
from .packed import PACK_FILE, Pack, write_pack

MAX_PACK_BYTES = 32 << 20  # bytes: what may travel beside a checkout


@dataclass(frozen=True, kw_only=True)
class PackConfig:
    """Which items are packed, and how finely."""

    quality: int = 69
    """The quality of the AVIFs: 39 dB, and 8 KB a portrait."""
    stride: int = 2
    """Every so many frames of a clip, one is packed."""
    frames: int = 18
    """Most of a clip, of those."""
    sharp: float = 60.0
    """Least variance of the Laplacian of a portrait, as the manifest has it."""
    high_frequency: float = 1.3
    """Least `hf` of a portrait that has one."""


class PackedItem(NamedTuple):
    """An entry of the manifest that is packed, with its files as paths."""

    name: str
    path: Path
    label: Path
    person: str
    sha256: str
    is_video: bool


def chosen_items(root: Path, config: PackConfig) -> list[PackedItem]:
    """The open items that are good enough, in the manifest's order. Raises VFEError where there is no manifest."""
    manifest = root / "manifest.json"
    if not manifest.exists():
        raise VFEError(f"{manifest} does not exist; --data needs a folder with a manifest.json")
    items = json.loads(manifest.read_text(encoding="utf-8"))["items"]
    return [
        PackedItem(
            entry["file"],
            root / entry["file"],
            root / entry["label"],
            entry["person"],
            entry["sha256"],
            entry["kind"] == "hq_video",
        )
        for entry in items
        if entry["open"] and entry["kind"] in ("hq_image", "hq_video") and _good(entry, config)
    ]


def _good(entry: dict[str, Any], config: PackConfig) -> bool:
    if entry["kind"] == "hq_video":
        return True
    return entry["sharp"] >= config.sharp and entry.get("hf", config.high_frequency) >= config.high_frequency


class Aligned(NamedTuple):
    """The aligned pictures of an item and where the landmarks are in them."""

    pictures: list[Tensor]  # (S, S, 3) uint8
    landmarks: np.ndarray  # (n, 5, 2)


def aligned(item: PackedItem, config: PackConfig) -> Aligned:
    """The item as a restorer would see it: aligned crops, which in a clip move as steadily as the face does."""
    frames = read_frames(item.path)
    points = torch.from_numpy(np.load(item.label)["landmarks5"]).double()
    chosen = list(range(0, len(frames), config.stride))[: config.frames] if item.is_video else [0]
    matrices = steady_similarities(points)[chosen]
    pictures = []
    for index, matrix in zip(chosen, matrices, strict=True):
        crop = take_aligned(frames[index].permute(2, 0, 1).float(), matrix)
        pictures.append(crop.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous())
    return Aligned(pictures, (apply(invert(matrices), points[chosen]) * ALIGNED_SIDE).numpy())


def encode(picture: Tensor, quality: int) -> bytes:
    """AVIF with full colour resolution: chroma of half the size would be learned as if it were a face's."""
    buffer = io.BytesIO()
    Image.fromarray(picture.numpy()).save(buffer, "AVIF", quality=quality, subsampling="4:4:4", speed=5)
    return buffer.getvalue()


def pack(items: list[PackedItem], config: PackConfig) -> Pack:
    """Align, encode and collect all items. Progress goes to stderr."""
    files: list[bytes] = []
    landmarks, first = [], [0]
    for number, item in enumerate(items):
        found = aligned(item, config)
        files += [encode(picture, config.quality) for picture in found.pictures]
        landmarks.append(found.landmarks)
        first.append(len(files))
        if number % 100 == 0:
            print(f"{number} of {len(items)} items, {sum(map(len, files)) / 2**20:.1f} MiB", file=sys.stderr)
    people = {name: number for number, name in enumerate(sorted({item.person for item in items}))}
    return Pack(
        np.frombuffer(b"".join(files), np.uint8),
        np.cumsum([len(data) for data in files]),
        np.array(first),
        np.concatenate(landmarks).astype(np.float16),
        np.array([people[item.person] for item in items]),
        list_hash(items),
    )


def list_hash(items: list[PackedItem]) -> str:
    """SHA-256 over the names and content hashes of the items: says which list trained a model."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.name} {item.sha256}\n".encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--squeeze", type=Path, help=f"weights of the perceptual loss, kept as {SQUEEZE_FILE}")
    parser.add_argument(
        "--likeness", type=Path, help=f"what training.burst.likeness_file made, kept as {LIKENESS_FILE}"
    )
    parser.add_argument("--limit", type=int, default=MAX_PACK_BYTES, help="bytes")
    args = parser.parse_args(arguments)
    try:
        config = PackConfig()
        items = chosen_items(args.data, config)
        path = write_pack(args.out, pack(items, config))
        for given, name in ((args.squeeze, SQUEEZE_FILE), (args.likeness, LIKENESS_FILE)):
            if given is not None and given.resolve() != (args.out / name).resolve():
                shutil.copyfile(given, args.out / name)
    except VFEError as error:
        sys.exit(str(error))
    size = sum(file.stat().st_size for file in args.out.iterdir())
    if size > args.limit:
        sys.exit(f"{args.out}: {size / 2**20:.1f} MiB, needed at most {args.limit / 2**20:.0f}; lower a quality")
    print(f"{path}: {len(items)} items, {size / 2**20:.1f} MiB, list {list_hash(items)[:16]} ({PACK_FILE})")


if __name__ == "__main__":
    main()
