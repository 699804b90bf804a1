"""Synthetic videos with every property that `vfe.video` must keep: times, colours, rotation, sound, text, chapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

ASS_HEADER = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n"
ASS_HEADER += b"[Events]\nFormat: Text\n"


@dataclass(frozen=True)
class Media:
    """What a synthetic file holds."""

    size: tuple[int, int] = (64, 48)
    frames: int = 6
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(25)
    pts: tuple[int, ...] | None = None
    """Times in units of `time_base`; None: one frame every 1/rate s."""
    time_base: Fraction | None = None
    options: dict[str, str] = field(default_factory=dict)
    color_range: int = 0
    color_space: int = 2
    color_primaries: int = 2
    color_transfer: int = 2
    aspect: Fraction | None = None
    rotation: float = 0
    hflip: bool = False
    audio: str | None = None
    audio_delay: float = 0.0
    subtitles: str | None = None
    chapters: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    """Options of the container."""


def make(path: Path, media: Media | None = None) -> Path:
    """Write the file and return its path."""
    media = media or Media()
    with av.open(str(path), "w", options=media.muxer) as container:
        container.metadata.update(media.metadata)
        stream = _video(container, media)
        sound = container.add_stream(media.audio, rate=48000) if media.audio else None
        text = _text(container, media.subtitles) if media.subtitles else None
        if media.chapters:
            bounds = [(0, 100), (100, 200)]
            container.set_chapters(
                [
                    {"id": i, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": f"part {i}"}}
                    for i, (a, b) in enumerate(bounds)
                ]
            )
        container.start_encoding()
        step = round(1 / (media.rate * _time_base(media)))
        for index in range(media.frames):
            frame = picture(index, media.size, media.pix_fmt)
            frame.time_base = _time_base(media)
            frame.pts = media.pts[index] if media.pts else index * step
            frame.color_range, frame.colorspace = media.color_range, media.color_space
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            assert isinstance(sound, av.AudioStream)
            _sound(container, sound, media)
        if text is not None:
            _lines(container, text)
    return path


def picture(index: int, size: tuple[int, int], pix_fmt: str) -> VideoFrame:
    """A smooth frame whose planes are filled directly, so that it is the same whatever swscale does."""
    width, height = size
    frame = VideoFrame(width, height, pix_fmt)
    if VideoFormat(pix_fmt).has_palette or not VideoFormat(pix_fmt).is_planar:
        return _packed(index, size, pix_fmt)
    for number, plane in enumerate(frame.planes):
        bits = frame.format.components[min(number, len(frame.format.components) - 1)].bits
        y, x = np.mgrid[0 : plane.height, 0 : plane.width]
        wave = np.sin(3 * x / plane.width + number + 0.3 * index) + np.cos(2.5 * y / plane.height - number)
        luma = 0.5 + 0.12 * wave if number == 0 else 0.5 + 0.05 * wave
        store(plane, (luma * (2**bits - 1)).round(), bits)
    return frame


def store(plane: av.video.plane.VideoPlane, values: npt.NDArray[np.float64], bits: int) -> None:
    """Fill a plane with code values (H, W)."""
    dtype = np.dtype("u1" if bits <= 8 else "<u2")
    rows = np.zeros((plane.height, plane.line_size // dtype.itemsize), dtype)
    rows[:, : plane.width] = values
    plane.update(rows.tobytes())


def planes(path: Path) -> list[list[npt.NDArray[np.int64]]]:
    """Code values of each plane of each frame."""
    with av.open(str(path)) as container:
        return [[_values(frame, i) for i in range(len(frame.planes))] for frame in container.decode(video=0)]


def times(path: Path, kind: str = "video") -> list[Fraction]:
    """Seconds at which frames are shown or, for audio, packets start."""
    with av.open(str(path)) as container:
        if kind == "video":
            found = [f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base]
        else:
            packets = container.demux(**{kind: 0})
            found = [p.pts * p.time_base for p in packets if p.pts is not None]
    return found


def _values(frame: VideoFrame, index: int) -> npt.NDArray[np.int64]:
    plane = frame.planes[index]
    dtype = np.dtype("u1" if frame.format.components[0].bits <= 8 else "<u2")
    rows = np.frombuffer(memoryview(plane), dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return rows[: plane.height, : plane.width].astype(np.int64)


def _packed(index: int, size: tuple[int, int], pix_fmt: str) -> VideoFrame:
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    colour = [x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y + 20 * index) % 256]
    alpha = (x + y) * 255 // (width + height)
    image = np.stack([*colour, alpha], axis=2).astype(np.uint8)
    frame = VideoFrame.from_ndarray(image, format="rgba")
    return frame if pix_fmt == "rgba" else frame.reformat(format=pix_fmt)


def _time_base(media: Media) -> Fraction:
    return media.time_base or 1 / media.rate


def _video(container: OutputContainer, media: Media) -> av.VideoStream:
    stream = container.add_stream(media.codec, rate=media.rate, options=dict(media.options))
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    (context.width, context.height), context.pix_fmt = media.size, media.pix_fmt
    context.time_base = stream.time_base = _time_base(media)
    context.color_range, context.colorspace = media.color_range, media.color_space
    context.color_primaries, context.color_trc = media.color_primaries, media.color_transfer
    if media.aspect:
        context.sample_aspect_ratio = media.aspect
    if media.rotation or media.hflip:
        stream.set_display_rotation(media.rotation, hflip=media.hflip)
    return stream


def _sound(container: OutputContainer, stream: av.AudioStream, media: Media) -> None:
    seconds = media.frames / media.rate
    count = int(48000 * seconds)
    wave = (8000 * np.sin(np.arange(count) * 0.05)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
    frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
    frame.pts = round(48000 * media.audio_delay)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _text(container: OutputContainer, codec: str) -> SubtitleStream:
    stream = container.add_stream(codec)
    assert isinstance(stream, SubtitleStream)
    stream.codec_context.subtitle_header = ASS_HEADER
    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "eng"
    return stream


def _lines(container: OutputContainer, stream: SubtitleStream) -> None:
    for start, line in ((40, b"0,0,Default,,0,0,0,,Hello"), (120, b"1,0,Default,,0,0,0,,Second line")):
        packet = stream.codec_context.encode_subtitle(SubtitleSet.create(line, 0, 60, start))
        packet.pts = packet.dts = start
        packet.duration, packet.time_base, packet.stream = 60, Fraction(1, 1000), stream
        container.mux(packet)
