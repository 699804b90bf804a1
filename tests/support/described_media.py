"""Videos that say things about themselves: keys of phones, a timecode, HDR10."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from tests.support.media import Media, make, picture
from vfe.video.hdr import Display, Hdr, Light

PHONE_KEYS = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 14",
    "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034/",
    "com.apple.quicktime.creationdate": "2022-11-09T20:36:38+0300",
    "com.android.version": "14",
}


TIMECODE = "10:20:30:05"


HDR = Hdr(Display((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450), 50, 10_000_000), Light(1000, 400))


DEEP = Media(codec="libx265", pix_fmt="yuv420p10le", color_space=9, color_primaries=9, color_transfer=16)


def tagged(path: Path, metadata: dict[str, str], track: dict[str, str], rate: Fraction = Fraction(25)) -> Path:
    """A clip with metadata of the file and of its track."""
    with av.open(
        str(path), "w", options={"movflags": "use_metadata_tags"} if path.suffix != ".mkv" else {}
    ) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata.update(track)
        for index in range(4):
            container.mux(stream.encode(picture(index, (64, 48), "yuv420p")))
        container.mux(stream.encode(None))
    return path


def metadata_of(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Of the file and of its first track, with names in small letters: Matroska writes capitals."""
    with av.open(str(path)) as container:
        found = container.metadata, container.streams.video[0].metadata
        return tuple({key.lower(): value for key, value in each.items()} for each in found)  # type: ignore[return-value]


def hdr_clip(path: Path) -> Path:
    parameters = HDR.encoder_parameters(("master-display", "max-cll"))
    return make(path, replace(DEEP, frames=3, options={"x265-params": f"log-level=none:{parameters}"}))
