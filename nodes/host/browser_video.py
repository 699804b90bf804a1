"""Videos that a browser plays: as they are where possible, else converted one frame at a time."""

# T frames, H W pixels

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor
from torch.nn.functional import pad

from ...vfe.types import Progress
from ...vfe.video.colour import FULL, RGB
from ...vfe.video.info import VideoInfo
from ...vfe.video.orient import UPRIGHT
from ...vfe.video.probe import probe
from ...vfe.video.read import Frame, open_source
from ...vfe.video.write import SinkConfig, open_sink
from .images import to_frames

# What Chromium, Firefox and Safari play: suffix of the file, and in it codec and pixel format.
_PLAYABLE = {
    ".mp4": {("h264", "yuv420p"), ("h264", "yuvj420p"), ("av1", "yuv420p")},
    ".webm": {("vp8", "yuv420p"), ("vp9", "yuv420p"), ("av1", "yuv420p")},
}
_CRF = 14  # finer than the eye sees: the two sides are compared, not their compression


@dataclass(frozen=True, kw_only=True)
class BrowserVideo:
    """A file that a browser plays, and what of it the widget shows."""

    path: Path
    width: int
    height: int
    frames: int | None
    rate: Fraction


def from_file(path: Path, folder: Path, on_progress: Progress) -> BrowserVideo:
    """The file itself if a browser plays it, else an H.264 version of it in `folder`, with its times and sound.

    Raises VFEError for what cannot be read.
    """
    info = probe(path)
    if (info.codec, info.pix_fmt) in _PLAYABLE.get(path.suffix.lower(), ()):
        return BrowserVideo(path=path, width=info.width, height=info.height, frames=info.frames, rate=info.rate)
    with open_source(path) as source:
        return _write(source, replace(info, bit_depth=8, pix_fmt="yuv420p", has_alpha=False), folder, on_progress)


def from_images(images: Tensor, rate: Fraction, folder: Path, on_progress: Progress) -> BrowserVideo:
    """An H.264 version in `folder` of an IMAGE (T, H, W, C) in [0, 1], `rate` frames a second."""
    return _write(map(Frame, to_frames(images)), images_info(images, rate), folder, on_progress)


def images_info(images: Tensor, rate: Fraction) -> VideoInfo:
    """What a video of an IMAGE (T, H, W, C) is like, `rate` frames a second."""
    frames, height, width = images.shape[:3]
    return VideoInfo(
        path=Path(),
        kind="images",
        width=width,
        height=height,
        frames=frames,
        rate=rate,
        duration=float(frames / rate),
        codec="rawvideo",
        pix_fmt="rgb24",
        bit_depth=8,
        has_alpha=False,
        rotation=0,
        sample_aspect_ratio=Fraction(1),
        color_range=FULL,
        color_space=RGB,
        color_primaries=2,
        color_transfer=2,
        interlaced=False,
        container="",
        time_base=1 / rate,
        audio=(),
        subtitles=(),
        orientation=UPRIGHT,
        images=(),
    )


def _write(frames: Iterable[Frame], info: VideoInfo, folder: Path, on_progress: Progress) -> BrowserVideo:
    """Encode frames (3, H, W); an odd side gets its last row or column twice, as 4:2:0 stores even sizes only."""
    more_x, more_y = info.width % 2, info.height % 2
    info = replace(info, width=info.width + more_x, height=info.height + more_y)
    path = folder / f"vfe_compare_{secrets.token_hex(8)}.mp4"
    count = 0
    with open_sink(path, info, (info.width, info.height), SinkConfig(crf=_CRF)) as sink:
        for frame in frames:
            even = pad(frame.pixels[None], (0, more_x, 0, more_y), mode="replicate")[0]
            sink.write(replace(frame, pixels=even, alpha=None))
            count += 1
            on_progress(count, info.frames)
    return BrowserVideo(path=path, width=info.width, height=info.height, frames=count, rate=info.rate)
