"""Reads files that are named on its input, all of each, as a process that may die of it.

tests/support/decode_guard.py starts it.
"""

from __future__ import annotations

import io
import logging
from contextlib import closing
from pathlib import Path

import av
from av.container import InputContainer
from av.subtitles.stream import SubtitleStream

from tests.support.watched import serve
from vfe.types import VFEError
from vfe.video.decode import Damage, decode_frames
from vfe.video.errors import MEDIA_ERRORS
from vfe.video.orient import orientation_of
from vfe.video.probe import video_stream


def read_all(path: Path, from_memory: bool) -> None:
    """Decode each kind of stream, the picture as the package does. That a file is merely wrong is no matter here."""
    try:
        with _open(path, from_memory) as container:
            stream = video_stream(container, path)
            with closing(decode_frames(container, stream, Damage())) as frames:
                for frame in frames:
                    orientation_of(frame, stream.codec_context.codec.canonical_name)
        with _open(path, from_memory) as container:
            _read_side(container)
    except (VFEError, ValueError, *MEDIA_ERRORS):
        pass


def _open(path: Path, from_memory: bool) -> InputContainer:
    return av.open(io.BytesIO(path.read_bytes()) if from_memory else f"file:{path}", "r", metadata_errors="replace")


def _read_side(container: InputContainer) -> None:
    side = [s for s in container.streams if s.type in {"audio", "subtitle"} and s.codec_context is not None]
    for packet in container.demux(*side) if side else ():
        try:
            if not isinstance(packet.stream, SubtitleStream):
                packet.decode()
            elif packet.size:
                packet.stream.codec_context.decode2(packet)
        except (AttributeError, *MEDIA_ERRORS):  # PyAV before 14.3 has no decode2
            continue


def main() -> None:
    """A line `memory|file PATH` for each file."""
    av.logging.set_level(av.logging.ERROR)  # as torchvision does: decoders then log through Python
    logging.getLogger("libav").setLevel(logging.CRITICAL + 1)
    serve(read_named)


def read_named(work: str) -> str:
    """Read the file that a line names."""
    how, path = work.split(" ", 1)
    read_all(Path(path), how == "memory")
    return "read"


if __name__ == "__main__":
    main()
