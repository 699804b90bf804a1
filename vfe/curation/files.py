"""The files of a clip: video or picture, and label. Each is whole or not there, also after the power failed.

T frames, S side, M side of a mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from torch import Tensor

from ..files.aside import hidden_name, remove_leftovers
from ..files.durable import publish_durably
from ..video.colour import BT709, LIMITED
from ..video.errors import writing
from ..video.frame import Frame
from ..video.imagesink import ImageWriter
from ..video.pixels import FrameFormat, FrameWriter
from ..video.x264 import reproducible_parameters
from .cut import Labels

CRF = "12"
"""The quality of clips: no loss that is seen, at a tenth of a lossless file's size."""
STORED = FrameFormat("yuv444p", BT709, LIMITED)


def write_clip(path: Path, frames: Tensor, fps: Fraction) -> str:
    """Write crops (T, S, S, 3) uint8 as H.264 in MP4 and return the file's SHA-256. Raises VFEError and OSError."""
    return _published(path, lambda hidden: _encode(hidden, frames, fps))


def write_picture(path: Path, picture: Tensor) -> str:
    """Write a crop (S, S, 3) uint8 as PNG and return the file's SHA-256. Raises VFEError and OSError."""
    return _published(path, lambda hidden: hidden.write_bytes(ImageWriter(".png", False).encode(_frame(picture))))


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels as training reads them. Raises VFEError and OSError.

    `masks` are packed bits of (T, M, M), with `mask_shape`; `boxes`, `landmarks5` and `valid`, which is 1 where the
    face was measured, are as in `Labels`.
    """
    columns = {
        "masks": np.packbits(labels.masks.numpy(), axis=-1),
        "mask_shape": np.array(labels.masks.shape),
        "boxes": labels.boxes.numpy(),
        "landmarks5": labels.landmarks.numpy(),
        "valid": labels.seen.numpy().astype(np.uint8),
    }
    _published(path, lambda hidden: np.savez_compressed(hidden, **columns))  # type: ignore[arg-type]


def _published(path: Path, write: Callable[[Path], object]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    hidden = hidden_name(path, path.suffix)
    try:
        with writing(path):
            write(hidden)
            digest = hashlib.sha256(hidden.read_bytes()).hexdigest()
            publish_durably(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    return digest


def _encode(path: Path, frames: Tensor, fps: Fraction) -> None:
    """Encode on one thread: x264's files depend on how many there are."""
    parameters = ":".join(part for part in ("threads=1", reproducible_parameters()) if part)
    writer = FrameWriter(STORED)
    with av.open(f"file:{path}", "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": CRF, "x264-params": parameters})
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width = context.height = frames.shape[1]
        context.pix_fmt = STORED.pix_fmt
        context.colorspace, context.color_range = STORED.matrix, STORED.color_range
        context.color_primaries = context.color_trc = BT709
        context.time_base = 1 / fps
        for number, picture in enumerate(frames):
            frame = writer.write(_frame(picture).pixels, None)
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frame(picture: Tensor) -> Frame:
    """Return a crop (S, S, 3) uint8 as a frame."""
    return Frame(picture.permute(2, 0, 1).float() / 127.5 - 1)
