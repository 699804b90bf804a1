"""What a file and its restored track say about themselves, from the source into the output."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import MEDIA_ERRORS

TIMECODE = "timecode"
# Written by the source's muxer or encoder about the source's file; wrong for ours.
_STALE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id"})
_STALE_STARTS = ("_statistics", "bps", "number_of_frames", "number_of_bytes")
# What MP4 and MOV have atoms of their own for, which all players read; other keys need a table of keys.
_ATOMS = frozenset({
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "creation_time", "location", "make", "model", TIMECODE,
})  # fmt: skip
_MP4_ATOMS = _ATOMS | {"description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc"}


# Of languages with two codes in ISO 639-2, FFmpeg knows one for QuickTime's table, and writes none for the other.
_QUICKTIME_LANGUAGES = {
    "sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "cze": "ces", "nld": "dut", "fre": "fra",
    "kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "msa": "may", "fas": "per", "rum": "ron",
    "slo": "slk", "bod": "tib", "cym": "wel", "swe": "sve",
}  # fmt: skip


def fresh(metadata: Mapping[str, str]) -> dict[str, str]:
    """What still holds for a new file, under the names that muxers know."""
    kept = {k: v for k, v in metadata.items() if k.lower() not in _STALE and not k.lower().startswith(_STALE_STARTS)}
    for key in list(kept):
        if key != TIMECODE and key.lower() == TIMECODE:  # Matroska writes it in capitals
            kept.setdefault(TIMECODE, kept.pop(key))
    if "name" in kept:  # what MP4 calls the title of a track
        kept.setdefault("title", kept.pop("name"))
    return kept


def track_metadata(metadata: Mapping[str, str], suffix: str) -> dict[str, str]:
    """What still holds for a track of a new file of this kind."""
    kept = fresh(metadata)
    if suffix == ".mov" and "language" in kept:
        kept["language"] = _QUICKTIME_LANGUAGES.get(kept["language"], kept["language"])
    return kept


def needs_keys(suffix: str, metadata: Mapping[str, str]) -> bool:
    """Whether an MP4 or MOV file keeps some of the metadata only in a table of keys, as phones write it."""
    atoms = _ATOMS if suffix == ".mov" else _MP4_ATOMS
    return any(key.lower() not in atoms and not key.lower().startswith("location-") for key in fresh(metadata))


def drop_bad_timecode(output: OutputContainer, restored: VideoStream, rate: Fraction) -> list[str]:
    """Take out a start timecode that the muxer does not take at this frame rate; a sentence if there is one.

    It would stop the whole file.
    """
    found = restored.metadata.get(TIMECODE) or output.metadata.get(TIMECODE)
    if found is None or _writes_timecode(output.format.name, rate, found):
        return []
    restored.metadata.pop(TIMECODE, None)
    output.metadata.pop(TIMECODE, None)
    return [f"the start timecode {found} is left out: this kind of file holds none at {float(rate):.3f} frames/s"]


def _writes_timecode(format_name: str, rate: Fraction, timecode: str) -> bool:
    """Whether it comes back out of a file of one small frame."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=format_name) as trial:
            stream = trial.add_stream("mpeg4", rate=rate)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            stream.metadata[TIMECODE] = timecode
            trial.mux([*stream.encode(VideoFrame(16, 16, "yuv420p")), *stream.encode(None)])
        file.seek(0)
        with av.open(file, "r") as written:
            return timecode in fresh(written.streams.video[0].metadata).values()
    except (*MEDIA_ERRORS, ValueError):
        return False
