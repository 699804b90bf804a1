"""Finding out what a video or image file is, by decoding one frame of it. It imports no torch."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..types import VFEError
from .colour import FULL, UNSPECIFIED, PixelLayout, guess_matrix, guess_range, layout_of
from .container_crop import read_framing
from .decode import Damage, decode_frames
from .errors import reading
from .files import Input, find_input, open_video
from .hdr import ColourCoding
from .hdr_of_frame import read_hdr
from .info import VideoInfo
from .orient import UPRIGHT, Orientation, orientation_of
from .part import is_part, part_info, read_part
from .photo.animation import Animation, describe_animation
from .photo.file import Photo, read_photo
from .pipe.y4m import LONGEST_LINE, Y4M, chroma_location
from .pyav_compat import colour_tags

IMAGE_RATE = Fraction(25)  # frames per second given to image sequences, which have none
_MAX_RATE = 1000  # a claimed rate above this is a time base, not a rate


def probe(path: str | Path) -> VideoInfo:
    """Describe a video, an image, a folder of images or a glob, by decoding one frame.

    Raises VFEError where there is no such file, no video in it, or no frame that can be decoded.
    """
    source = find_input(path)
    if is_part(source.path):
        part = read_part(source.path)
        return part_info(source.path, part, probe(part.source))
    if source.kind == "animation":
        animation = describe_animation(source.path)
        return _probe(source.path) if animation is None else _animation_info(source.path, animation)
    if source.kind == "video":
        return _probe(source.path)
    return _still_info(source, read_photo(source.images[0]))


def video_stream(container: InputContainer, path: Path, number: int | None = None) -> VideoStream:
    """Return the stream of a number, which `probe` found; without it the best one that is not cover art.

    Raises VFEError where there is none.
    """
    streams = _video_streams(container, path)
    return next((stream for stream in streams if stream.index == number), streams[0])


def _video_streams(container: InputContainer, path: Path) -> list[VideoStream]:
    """Return the streams that may be restored, the best one first. Raises VFEError where there is none."""
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    candidates = [s for s in pictures if s.codec_context is not None]
    if not pictures:
        has = "only audio" if container.streams.audio else "no video"
        raise VFEError(f"{path}: has {has}; needed is a file with a video stream")
    if not candidates:
        raise VFEError(f"{path}: its video codec is not supported by this FFmpeg; convert it to H.264 first")
    best = container.streams.best("video")
    return sorted(candidates, key=lambda stream: stream != best)


def stream_seconds(stream: VideoStream) -> float | None:
    """Return the length of a stream in seconds as the file states it, or None; Matroska states it in a tag."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _probe(path: Path) -> VideoInfo:
    info = _described(path)
    if info.container != Y4M:
        return info
    with path.open("rb") as file:
        return replace(info, chroma_location=chroma_location(file.readline(LONGEST_LINE)))


def _described(path: Path) -> VideoInfo:
    """Describe the first stream of a video of which a frame can be decoded, from the best one on."""
    tried: list[Damage] = []
    while True:
        with reading(path), open_video(path) as container:
            streams, damage = _video_streams(container, path), Damage()
            if len(tried) == len(streams):
                raise VFEError(f"{path}: no frame can be decoded, {tried[0].cause}; needed is a whole video or image")
            stream = streams[len(tried)]
            with closing(decode_frames(container, stream, damage)) as frames:
                frame = next(frames, None)
            if frame is not None:
                return describe_stream(path, container, stream, frame)
        tried.append(damage)


class _Pace(NamedTuple):
    rate: Fraction
    frames: int | None
    duration: float | None


def describe_stream(path: Path, container: InputContainer, stream: VideoStream, frame: VideoFrame) -> VideoInfo:
    """Describe the stream of a video by what its container says and by its first frame."""
    layout = layout_of(frame.format.name)
    size = (frame.width, frame.height)
    codec = stream.codec_context.codec.canonical_name
    turn = orientation_of(frame, codec)
    framing = read_framing(path, container, stream, size)
    width, height = turn.upright_size(framing.crop.size(size))
    primaries, transfer = colour_tags(frame, stream.codec_context)
    pace = _pace(container, stream)
    return VideoInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frames=pace.frames,
        rate=pace.rate,
        duration=pace.duration,
        codec=codec,
        pix_fmt=layout.name,
        bit_depth=min(layout.depth, 16),
        has_alpha=_has_alpha(layout, frame, stream.codec_context.name),
        rotation=90 * turn.quarter_turns,
        sample_aspect_ratio=_shown_aspect(framing.aspect or _stored_aspect(stream), turn),
        color_range=guess_range(layout, frame.color_range),
        color_space=guess_matrix(layout, frame.colorspace, size, still=False),
        color_primaries=primaries,
        color_transfer=transfer,
        interlaced=frame.interlaced_frame,
        container=container.format.name,
        time_base=stream.time_base or 1 / pace.rate,
        audio=tuple(_stream_text(s) for s in container.streams.audio),
        subtitles=tuple(_stream_text(s) for s in container.streams.subtitles),
        orientation=turn,
        images=(),
        crop=framing.crop,
        metadata=dict(container.metadata),
        track_metadata=dict(stream.metadata),
        hdr=read_hdr(frame, codec),
        stream=stream.index,
    )


def _still_info(source: Input, photo: Photo) -> VideoInfo:
    """Describe an image, or a set of images by its first one."""
    frame, layout = photo.frame, layout_of(photo.frame.format.name)
    width, height = photo.orientation.upright_size(photo.crop.size((frame.width, frame.height)))
    coding = photo.tags.coding or ColourCoding(*colour_tags(frame, None))
    return VideoInfo(
        path=source.path,
        kind=source.kind,
        width=width,
        height=height,
        frames=len(source.images),
        rate=IMAGE_RATE,
        duration=None,
        codec=photo.codec,
        pix_fmt=layout.name,
        bit_depth=min(layout.depth, 16),
        has_alpha=photo.alpha is not None or _has_alpha(layout, frame, photo.codec),
        rotation=90 * photo.orientation.quarter_turns,
        sample_aspect_ratio=_shown_aspect(photo.aspect, photo.orientation),
        color_range=guess_range(layout, frame.color_range),
        color_space=guess_matrix(layout, frame.colorspace, (frame.width, frame.height), still=True),
        color_primaries=coding.primaries,
        color_transfer=coding.transfer,
        interlaced=False,
        container=photo.container,
        time_base=1 / IMAGE_RATE,
        audio=(),
        subtitles=(),
        orientation=photo.orientation,
        images=source.images,
        hdr=coding.hdr,
    )


def _animation_info(path: Path, animation: Animation) -> VideoInfo:
    layout, (width, height) = layout_of(animation.pix_fmt), animation.size
    return VideoInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frames=animation.frames,
        rate=animation.frames / animation.seconds,
        duration=float(animation.seconds),
        codec=animation.codec,
        pix_fmt=layout.name,
        bit_depth=min(layout.depth, 16),
        has_alpha=layout.alpha,
        rotation=0,
        sample_aspect_ratio=Fraction(1),
        color_range=guess_range(layout, FULL),
        color_space=guess_matrix(layout, UNSPECIFIED, animation.size, still=True),
        color_primaries=UNSPECIFIED,
        color_transfer=UNSPECIFIED,
        interlaced=False,
        container=animation.format,
        time_base=animation.time_base,
        audio=(),
        subtitles=(),
        orientation=UPRIGHT,
        images=(),
    )


def _pace(container: InputContainer, stream: VideoStream) -> _Pace:
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    rate = next((Fraction(r) for r in rates if r and 0 < r <= _MAX_RATE), IMAGE_RATE)
    duration = stream_seconds(stream)
    if duration is None and container.duration:
        duration = container.duration / av.time_base
    frames = stream.frames or (round(duration * rate) if duration else None)
    return _Pace(rate, frames or None, duration)


def _stored_aspect(stream: VideoStream) -> Fraction | None:
    return stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio


def _shown_aspect(stored: Fraction | None, turn: Orientation) -> Fraction:
    if not stored or stored <= 0:
        return Fraction(1)
    return 1 / Fraction(stored) if turn.swaps_sides else Fraction(stored)


def _has_alpha(layout: PixelLayout, frame: VideoFrame, codec: str) -> bool:
    """Return whether there is transparency to keep; palettes and GIFs have room for it but seldom use it."""
    if VideoFormat(layout.name).has_palette:
        palette = memoryview(bytes(frame.planes[1])).cast("I")
        return any(colour >> 24 != 255 for colour in palette)
    if codec == "gif":
        return min(bytes(frame.planes[0])[3::4], default=255) != 255  # bgra
    return layout.alpha


def _stream_text(stream: Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context else "unknown codec"
    details = []
    if isinstance(stream, av.AudioStream) and stream.codec_context:
        details = [f"{stream.sample_rate} Hz", stream.layout.name]
    return ", ".join([codec, *details, *([stream.language] if stream.language else [])])
