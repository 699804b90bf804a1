"""What a file and its restored track say about themselves, carried from the source into the output."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.container import OutputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import MEDIA_ERRORS

TIMECODE = "timecode"
_ANY_RATE = Fraction(25)
# Written by the source's muxer or encoder about the source's file; wrong for ours.
_STALE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id"})
_STALE_STARTS = ("_statistics", "bps", "number_of_frames", "number_of_bytes")
# What MP4 and MOV have atoms of their own for, which all players read; other keys need a table of keys.
_ATOMS = frozenset({
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "creation_time", "location", "make", "model", TIMECODE,
})  # fmt: skip
_MP4_ATOMS = _ATOMS | {"description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc"}

# Languages whose code in FFmpeg's table for QuickTime is another one than ISO 639-2 gives first, or none of it.
_QUICKTIME_LANGUAGES = {
    "sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "cze": "ces", "nld": "dut", "fre": "fra",
    "kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "msa": "may", "fas": "per", "rum": "ron",
    "slo": "slk", "bod": "tib", "cym": "wel", "swe": "sve", "hrv": "hr ", "srp": "sr ", "fao": "fo ", "pan": "pa ",
    "gle": "iri",
}  # fmt: skip
_FROM_QUICKTIME = {code: name for name, code in _QUICKTIME_LANGUAGES.items() if code in {"sve", "iri"} or " " in code}
UNDETERMINED = "und"


def fresh(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that still hold for a new file, under the names that muxers know."""
    kept = {k: v for k, v in metadata.items() if k.lower() not in _STALE and not k.lower().startswith(_STALE_STARTS)}
    for key in list(kept):
        if key != TIMECODE and key.lower() == TIMECODE:  # Matroska writes it in capitals
            kept.setdefault(TIMECODE, kept.pop(key))
    if "name" in kept:  # what MP4 calls the title of a track
        kept.setdefault("title", kept.pop("name"))
    return kept


def add_track_metadata(target: Stream, metadata: Mapping[str, str], output: OutputContainer, name: str) -> list[str]:
    """Give a track of an output what still holds of the metadata of its source.

    Return a sentence where the output has no code for the language; it calls the track `name`.
    """
    kept, container = fresh(metadata), output.format.name
    language = kept.pop("language", UNDETERMINED)
    language = _FROM_QUICKTIME.get(language, language)
    target.metadata.update(kept)
    if language == UNDETERMINED:
        return []
    code = _QUICKTIME_LANGUAGES.get(language, language) if container == "mov" else language
    if not _comes_back(container, _ANY_RATE, "language", code):
        return [f"the language {language!r} of {name} is left out: this kind of file has no code for it"]
    target.metadata["language"] = code
    return []


def needs_keys(suffix: str, metadata: Mapping[str, str]) -> bool:
    """Return whether an MP4 or MOV file keeps some of the metadata only in a table of keys, as phones write it."""
    atoms = _ATOMS if suffix == ".mov" else _MP4_ATOMS
    return any(key.lower() not in atoms and not key.lower().startswith("location-") for key in fresh(metadata))


def drop_bad_timecode(output: OutputContainer, restored: VideoStream, rate: Fraction) -> list[str]:
    """Take out a start timecode that the muxer does not take at this frame rate, and return a sentence if there is one.

    It would stop the whole file.
    """
    found = restored.metadata.get(TIMECODE) or output.metadata.get(TIMECODE)
    if found is None or _comes_back(output.format.name, rate, TIMECODE, found):
        return []
    restored.metadata.pop(TIMECODE, None)
    output.metadata.pop(TIMECODE, None)
    return [f"the start timecode {found} is left out: this kind of file holds none at {float(rate):.3f} frames/s"]


def _comes_back(container: str, rate: Fraction, key: str, value: str) -> bool:
    """Return whether a file of this kind still has this entry of its track's metadata when it is read again.

    It is tried with one small frame in memory: only the muxer itself knows what it can hold.
    """
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as trial:
            stream = trial.add_stream("mpeg4", rate=rate)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            stream.metadata[key] = value
            trial.mux([*stream.encode(VideoFrame(16, 16, "yuv420p")), *stream.encode(None)])
        file.seek(0)
        with av.open(file, "r") as written:
            return fresh(written.streams.video[0].metadata).get(key) == value
    except (*MEDIA_ERRORS, ValueError):
        return False
