"""The packed training set: aligned crops as AVIF, in one file that travels with a checkout.

N pictures of side S; a clip is a run of pictures, of one for a portrait.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vfe.types import VFEError

PACK_FILE = "faces.npz"


class Pack(NamedTuple):
    """The arrays of the packed file."""

    files: np.ndarray
    """All files, one after the other, uint8."""
    ends: np.ndarray
    """(N,) where each ends."""
    first: np.ndarray
    """(clips + 1,) the first picture of each clip, and N."""
    landmarks: np.ndarray
    """(N, 5, 2) float16, in pixels of the crop."""
    person: np.ndarray
    """(clips,) number of the person."""
    list_sha256: str
    """The hash of the names and hashes of the items that were packed."""


def write_pack(folder: Path, pack: Pack) -> Path:
    """Write the packed file into `folder` and return its path.

    It is not compressed, as pictures gain nothing by that, and holds no times: the same pack gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PACK_FILE
    values = {**pack._asdict(), "list_sha256": np.array(pack.list_sha256)}
    np.savez(path, **values)
    return path


def read_pack(folder: Path) -> Pack:
    """Read the packed file of `folder`. Raises VFEError where there is none."""
    if not (folder / PACK_FILE).exists():
        raise VFEError(f"{folder / PACK_FILE} does not exist; make it with python -m training.burst.pack")
    with np.load(folder / PACK_FILE, allow_pickle=False) as arrays:
        values = {name: arrays[name] for name in Pack._fields}
    return Pack(**{**values, "list_sha256": str(values["list_sha256"])})


@dataclass(frozen=True)
class PackedAlbum:
    """The pictures of a pack in memory, split by person: those held out are never trained on.

    N pictures of side S, K clips.
    """

    pictures: Tensor
    """(N, 3, S, S) uint8."""
    landmarks: Tensor
    """(N, 5, 2) float32."""
    trained: Tensor
    """(K, 2) first picture and length of the clips to train on."""
    held_out: Tensor
    """The same, of other people."""
    list_sha256: str

    @property
    def side(self) -> int:
        return self.pictures.shape[-1]


HELD_OUT_EVERY = 25
"""One in so many people is held out."""


def read_packed_album(folder: Path, device: torch.device) -> PackedAlbum:
    """Read the packed file of `folder` and decode all pictures onto `device`. Raises VFEError where there is none."""
    pack = read_pack(folder)
    starts = np.concatenate([[0], pack.ends[:-1]])
    files = [pack.files[a:b] for a, b in zip(starts, pack.ends, strict=True)]
    with ThreadPoolExecutor() as threads:
        pictures = np.stack(list(threads.map(_decode, files)))
    spans = torch.from_numpy(np.stack([pack.first[:-1], np.diff(pack.first)], axis=1).astype(np.int64))
    held_out = torch.from_numpy(pack.person % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)
    return PackedAlbum(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().to(device),
        torch.from_numpy(pack.landmarks.astype(np.float32)).to(device),
        spans[~held_out],
        spans[held_out],
        pack.list_sha256,
    )


def _decode(data: np.ndarray) -> np.ndarray:
    with Image.open(io.BytesIO(data.tobytes())) as image:
        return np.asarray(image.convert("RGB"))
