"""Clips through the program x264, on the cores of a machine whose accelerator does the rest and which has no PyAV.

With `--dump-yuv` it writes what a player would show, so nothing needs a decoder. For the codecs of MPEG's and JPEG's
kind `apply_codec` stands in, which is near to them.

B batch, T C C frames; levels of 255.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vfe.types import VFEError

from ..dice import append_axes
from .camera import Camera
from .quantise import Codec, Planes, apply_codec, from_planes, to_planes

PRESETS = ("veryfast", "fast", "medium")
KEYFRAME = 25
GREY = 128.0


class EncodeJob(NamedTuple):
    """A clip for x264."""

    frames: bytes
    """Planes of 8 bits, 4:2:0."""
    side: int
    qp: float
    """The quantiser that the rate factor stands for."""
    intra: bool


def encode(program: Path, job: EncodeJob) -> bytes:
    """The frames of a clip as x264 leaves them, in the planes' order. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        dumped = Path(folder) / "decoded.yuv"
        command = [str(program), "--quiet", "--threads", "1", "--demuxer", "raw", "--input-csp", "i420", "--fps", "25"]
        command += ["--input-res", f"{job.side}x{job.side}", "--crf", f"{job.qp:.1f}"]
        command += ["--preset", PRESETS[int(job.qp * 100) % len(PRESETS)]]
        command += ["--keyint", str(1 if job.intra else KEYFRAME), "--dump-yuv", str(dumped), "-o", os.devnull, "-"]
        subprocess.run(command, input=job.frames, check=True, capture_output=True)
        return dumped.read_bytes()


class X264Codec:
    """Encodes and decodes the clips of a batch side by side: by x264 where they are of H.264, else as `apply_codec`."""

    def __init__(self, program: Path, side: int, executor: Executor) -> None:
        """`side` is that of aligned crops; `executor` has the processes that start the program.

        Raises VFEError where there is no such program.
        """
        found = shutil.which(program) or shutil.which(program.resolve())
        if found is None:
            raise VFEError(f"{program}: is no program that can be started; give a build of x264, or leave it out")
        self.program, self.side, self._executor = Path(found), side, executor

    def __call__(self, video: Tensor, codec: Codec, camera: Camera) -> Tensor:
        """The decoded frames of `video` (B, T, 3, C, C)."""
        chosen = codec.used & ~codec.table
        others = apply_codec(video, codec._replace(used=codec.used & codec.table), camera)
        if not bool(chosen.any()):
            return others
        decoded = self._decoded(to_planes(video), codec, camera, chosen.nonzero().flatten().tolist())
        return torch.where(append_axes(chosen, 5), from_planes(decoded), others)

    def _decoded(self, planes: Planes, codec: Codec, camera: Camera, chosen: list[int]) -> Planes:
        """The planes, those of the clips that are `chosen` encoded where the face is: a camera's own canvas."""
        device = planes.luma.device
        luma, chroma = planes.luma, planes.chroma + GREY
        kept = Planes(*(x.round().clamp(0, 255).byte().cpu() for x in (luma, chroma)))
        cameras = Camera(*(x.cpu() for x in camera))
        qp, intra = codec.qp.tolist(), codec.intra.tolist()
        places = {
            index: middle(kept, index, Camera(*(x[index : index + 1] for x in cameras)).canvas(self.side))
            for index in chosen
        }
        jobs = [
            EncodeJob(packed(place), place.luma.shape[-1], qp[index], intra[index]) for index, place in places.items()
        ]
        for place, frames in zip(places.values(), self._executor.map(partial(encode, self.program), jobs), strict=True):
            unpack(frames, place)
        return Planes(kept.luma.to(device).float(), kept.chroma.to(device).float() - GREY)


def middle(planes: Planes, index: int, side: int) -> Planes:
    """The middle of a clip's frames as views (T, c, side, side) of the luma, and half as large of the chroma."""
    margin = (planes.luma.shape[-1] - side) // 2
    inner, half = slice(margin, margin + side), slice(margin // 2, (margin + side) // 2)
    return Planes(planes.luma[index, :, :, inner, inner], planes.chroma[index, :, :, half, half])


def packed(planes: Planes) -> bytes:
    """Frame after frame: luma, then both chroma planes."""
    data: bytes = torch.cat([planes.luma.flatten(1), planes.chroma.flatten(1)], 1).numpy().tobytes()
    return data


def unpack(frames: bytes, planes: Planes) -> None:
    """Write what `packed` gave into planes of the same shapes."""
    rows = torch.frombuffer(bytearray(frames), dtype=torch.uint8).view(len(planes.luma), -1)
    luma, chroma = rows.split([planes.luma[0].numel(), planes.chroma[0].numel()], 1)
    planes.luma.copy_(luma.reshape(planes.luma.shape))
    planes.chroma.copy_(chroma.reshape(planes.chroma.shape))
