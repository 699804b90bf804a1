"""Synthetic clips for the tests of files: small, with a moving picture in them, made with PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer


@dataclass(frozen=True)
class Clip:
    """What a synthetic video is like."""

    frames: int = 6
    width: int = 64
    height: int = 48
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: int = 25
    pts: tuple[int, ...] | None = None
    """In 1/1000 s, for a variable rate; None: one frame each 1/rate s."""
    audio: bool = False
    cuts: tuple[int, ...] = ()
    """At each of these frames the picture turns into its negative, or back."""


def picture(index: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3): a smooth gradient with a square that moves."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack((x * 200 // width, y * 200 // height, (x + y) * 200 // (width + height)), axis=2).astype(np.uint8)
    side = max(2, height // 4)
    left = (4 * index) % max(1, width - side)
    image[side : 2 * side, left : left + side] = (250, 220, 190)
    return image


def write_clip(path: Path, clip: Clip | None = None) -> Path:
    """Write the clip with PyAV and return its path."""
    clip = clip or Clip()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(clip.codec, rate=clip.rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pix_fmt
        if clip.pts:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        sound = _add_sound(container) if clip.audio else None
        for index in range(clip.frames):
            image = picture(index, clip.width, clip.height)
            if sum(cut <= index for cut in clip.cuts) % 2:
                image = 255 - image
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if clip.pts:
                frame.pts, frame.time_base = clip.pts[index], Fraction(1, 1000)
            container.mux(stream.encode(frame.reformat(format=clip.pix_fmt)))
        container.mux(stream.encode(None))
        if sound:
            _write_sound(container, sound, seconds=clip.frames / clip.rate)
    return path


def write_audio(path: Path) -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w") as container:
        _write_sound(container, _add_sound(container), seconds=0.5)
    return path


def write_image(path: Path, width: int = 64, height: int = 48, pix_fmt: str = "rgb24") -> Path:
    """A PNG."""
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, pix_fmt, Fraction(1)
    frame = av.VideoFrame.from_ndarray(picture(0, width, height), format="rgb24").reformat(format=pix_fmt)
    path.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None))))
    return path


def read_pixels(path: Path) -> npt.NDArray[np.uint8]:
    """(T, H, W, 3) as coded, rotation not applied."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def read_times(path: Path) -> list[float]:
    """Seconds at which the frames are shown."""
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0) if frame.time is not None]


def _add_sound(container: OutputContainer) -> av.AudioStream:
    stream = container.add_stream("aac", rate=16000, layout="mono")
    assert isinstance(stream, av.AudioStream)
    return stream


def _write_sound(container: OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    wave = np.sin(np.arange(int(16000 * seconds)) * 0.05).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
