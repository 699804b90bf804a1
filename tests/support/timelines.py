"""Made-up media, and timelines of editors that cut them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

COLUMNS, ROWS, SIDE = 8, 2, 16  # a number of 16 bits as a board of black and white squares


@dataclass(frozen=True)
class Tape:
    """A video of which each picture says its number, and the level of grey that says which video it is."""

    frames: int = 60
    rate: Fraction = Fraction(25)
    timecode: str = ""
    level: int = 128
    codec: str = "libx264"
    pts: tuple[int, ...] | None = None
    """In 1/1000 s, for a variable rate."""


def write_tape(path: Path, tape: Tape | None = None) -> Path:
    """Write a video with B-frames and few key frames, as cameras and editors do."""
    tape = tape or Tape()
    unit = Fraction(1, 1000) if tape.pts else 1 / tape.rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream(tape.codec, rate=tape.rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        if tape.codec == "libx264":
            stream.options = {"crf": "1", "g": "30", "bf": "2"}
        stream.time_base = stream.codec_context.time_base = unit
        if tape.timecode:
            stream.metadata["timecode"] = tape.timecode
        for index in range(tape.frames):
            frame = av.VideoFrame.from_ndarray(board(index, tape.level), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = (tape.pts[index] if tape.pts else index), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def board(number: int, level: int) -> npt.NDArray[np.uint8]:
    """(64, 128): above the bits of a number, below a grey of a level."""
    image = np.full((64, 128), level, np.uint8)
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        image[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = 235 if number >> bit & 1 else 20
    return image


def numbers_of(pictures: npt.NDArray[np.uint8]) -> list[int]:
    """Return the numbers that pictures (T, H, W) of any size show."""
    height, width = pictures.shape[1:]
    y, x = height // 4 // ROWS, width // COLUMNS // 2
    found = []
    for picture in pictures:
        rows = [picture[y + row * height // 4] for row in range(ROWS)]
        bits = [rows[bit // COLUMNS][x + bit % COLUMNS * width // COLUMNS] > 128 for bit in range(COLUMNS * ROWS)]
        found.append(sum(int(value) << bit for bit, value in enumerate(bits)))
    return found


def grey_pictures(path: Path) -> npt.NDArray[np.uint8]:
    """Return the pictures (T, H, W) of a video."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def melted(project: Path, frames: int) -> npt.NDArray[np.uint8]:
    """Return the first pictures (T, H, W, 3) that melt makes of a project of Kdenlive, small ones."""
    text = project.read_text(encoding="utf-8")
    small = project.with_name(f"{project.stem}.small.mlt")
    small.write_text(text.replace('width="1920"', 'width="128"').replace('height="1080"', 'height="64"')
                     .replace('display_aspect_num="16"', 'display_aspect_num="2"')
                     .replace('display_aspect_den="9"', 'display_aspect_den="1"'), encoding="utf-8")  # fmt: skip
    out = project.with_name(f"{project.stem}.render.avi")
    command = [
        "melt",
        str(small),
        f"out={frames - 1}",
        "-consumer",
        f"avformat:{out}",
        "vcodec=ffv1",
        "pix_fmt=yuv420p",
        "an=1",
    ]
    subprocess.run([*command, "real_time=-1", "rescale=nearest"], check=True, capture_output=True, timeout=120,
                   env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "LC_ALL": "C"})  # fmt: skip
    with av.open(str(out)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def clip_of(path: Path | str, start: float, length: float, rate: float = 25.0, **more: Any) -> Any:  # noqa: ANN401
    """Return a clip that reads `length` frames from `start` on; `available` gives (start, length) of its media."""
    import opentimelineio as otio

    available: tuple[float, float] | None = more.pop("available", None)
    media = otio.schema.ExternalReference(target_url=str(path))
    if available is not None:
        media.available_range = span(available[0], available[1], more.pop("media_rate", rate))
    clip = otio.schema.Clip(name=more.pop("name", Path(path).stem), media_reference=media, **more)
    clip.source_range = span(start, length, rate)
    return clip


def span(start: float, length: float, rate: float = 25.0) -> Any:  # noqa: ANN401
    """Return a range of time."""
    from opentimelineio.opentime import RationalTime, TimeRange

    return TimeRange(RationalTime(start, rate), RationalTime(length, rate))


def timeline_of(*tracks: Sequence[Any], name: str = "cut") -> Any:  # noqa: ANN401
    """Return a timeline of video tracks of these items."""
    import opentimelineio as otio

    timeline = otio.schema.Timeline(name=name)
    for number, items in enumerate(tracks, start=1):
        track = otio.schema.Track(name=f"V{number}", kind=otio.schema.TrackKind.Video)
        track.extend(list(items))
        timeline.tracks.append(track)
    return timeline


def media_of(cut: Path, clip: Any) -> Path:  # noqa: ANN401
    """Return the file of a clip of a timeline."""
    from vfe.timeline.urls import path_text

    text = path_text(clip.media_reference.target_url)
    assert text is not None
    return cut.parent / text
