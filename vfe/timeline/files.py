"""Timeline files are read and written by OpenTimelineIO's adapters. They come from outside, and may be anything."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from opentimelineio.exceptions import OTIOError

from ..files.aside import written_aside
from ..files.durable import flush
from ..types import VFEError
from ..video.errors import writing
from ..video.files import refuse_pipe
from .apart import read_apart
from .clip_time import rate_of
from .formats import Format, format_of
from .kdenlive import give_speeds, with_readable_speeds
from .uses import ClipUse, clip_uses

_LARGEST = 256 << 20  # bytes
_DEEPEST = 200  # objects inside each other, beyond which OpenTimelineIO's reader ends the process
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_REEL_LETTERS = 32  # that EDLs have for a name of the media: today's editors read more than the 8 of CMX
_ADAPTER_ERRORS = (
    OTIOError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, SyntaxError,
    NotImplementedError, RecursionError, RuntimeError, OSError,
)  # fmt: skip
"""What adapters raise for files that they do not understand: they check little, and the XML parser's errors are
SyntaxErrors."""


def read_timeline(path: Path, rate: float | None = None) -> otio.schema.Timeline:
    """Read the timeline of a file; `rate` is the frames per second of an EDL, which does not say them.

    Raises VFEError for a file that is none, or that holds several timelines.
    """
    kind = format_of(path)
    _check_file(path, kind)
    with _adapter(path, "is no timeline that can be read"):
        found = _timelines_of(_read(path, kind, rate))
    if len(found) != 1:
        names = ", ".join(timeline.name or "(no name)" for timeline in found[:5])
        many = f"holds {len(found)} timelines ({names})" if found else "holds no timeline"
        raise VFEError(f"{path}: {many}; export one timeline alone")
    return found[0]


def uses_in(timeline: otio.schema.Timeline, path: Path) -> tuple[list[ClipUse], Fraction]:
    """Return what the timeline of a file shows of its media, and its rate in frames per second.

    Raises VFEError where its times make no sense.
    """
    with _adapter(path, "has times that make no sense"):
        return list(clip_uses(timeline)), rate_of(timeline.duration().rate)


def _read(path: Path, kind: Format, rate: float | None) -> object:
    """Return what an adapter makes of a file."""
    if kind is Format.KDENLIVE:
        text = with_readable_speeds(path.read_text(encoding="utf-8"))
        timeline = otio.adapters.read_from_string(text, adapter_name=kind.adapter)
        give_speeds(timeline)
        return timeline
    if kind is Format.OTIO:
        return otio.adapters.read_from_string(read_apart(path), adapter_name=kind.adapter)
    options = {"rate": rate} if kind is Format.EDL and rate is not None else {}
    return otio.adapters.read_from_file(str(path), adapter_name=kind.adapter, **options)


def write_timeline(timeline: otio.schema.Timeline, path: Path) -> None:
    """Write a timeline as the kind that the name says; it appears when it is complete.

    Raises VFEError where the kind of file cannot hold it, or the disk cannot.
    """
    text = timeline_text(timeline, format_of(path), str(path))
    with writing(path), written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")
        flush(aside)


def timeline_text(timeline: otio.schema.Timeline, kind: Format, name: str) -> str:
    """Return what a file of this kind says of a timeline; `name` is that of the file, for messages.

    Raises VFEError where the kind of file cannot hold it.
    """
    options = {"reelname_len": _REEL_LETTERS} if kind is Format.EDL else {}
    with _adapter(name, "cannot be written as this kind of timeline"):
        text: str = otio.adapters.write_to_string(timeline, adapter_name=kind.adapter, **options)
    return text


def _timelines_of(read: object) -> list[otio.schema.Timeline]:
    if isinstance(read, otio.schema.Timeline):
        return [read]
    if isinstance(read, otio.schema.SerializableCollection):
        return list(read.find_children(descended_from_type=otio.schema.Timeline))
    return []


@contextmanager
def _adapter(path: Path | str, fact: str) -> Iterator[None]:
    """Turn what an adapter raises into one line, and keep to itself what it prints and warns of."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except VFEError:
            raise
        except _ADAPTER_ERRORS as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise VFEError(f"{path}: {fact} ({said}); try .otio") from error


def _check_file(path: Path, kind: Format) -> None:
    """Raise VFEError for what the adapters must not be given."""
    refuse_pipe(path)
    if path.is_dir():
        raise VFEError(f"{path}: is a folder; give the file of a timeline")
    size = path.stat().st_size
    if size > _LARGEST:
        raise VFEError(f"{path}: has {size >> 20} MiB, at most {_LARGEST >> 20} are read; export a shorter timeline")
    if kind is Format.OTIO and depth_of(path.read_bytes()) > _DEEPEST:
        raise VFEError(f"{path}: has more than {_DEEPEST} objects inside each other; needed is a timeline")


def depth_of(text: bytes) -> int:
    """Return how many brackets of a JSON text are open at once, at most."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark, 0)
        deepest = max(deepest, depth)
    return deepest
