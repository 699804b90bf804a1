"""Which streams of a file travel with the restored one, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer
from av.stream import Stream

from .programmes import Programme, read_programmes


def companions(container: InputContainer, restored: Stream) -> tuple[list[Stream], list[str]]:
    """Return the streams beside the restored one that belong to its programme, in order, and a sentence for the others.

    A file without programmes is one programme, and a stream that no programme names belongs to all. Raises OSError as
    reading does.
    """
    path = Path(container.name.removeprefix("file:"))
    programmes = read_programmes(path) if container.format.name == "mpegts" else ()
    own = next((p for p in programmes if restored.id in p.streams), None)
    if own is None or len(programmes) == 1:
        return [stream for stream in container.streams if stream is not restored], []
    left_out = [p for p in programmes if p is not own]
    elsewhere = frozenset[int]().union(*(p.streams for p in left_out)) - own.streams
    kept = [stream for stream in container.streams if stream is not restored and stream.id not in elsewhere]
    left = ", ".join(_describe(programme, container) for programme in left_out)
    return kept, [f"the file holds {len(programmes)} programmes: number {own.number} is restored, left out are {left}"]


def _describe(programme: Programme, container: InputContainer) -> str:
    """Return a few words on a programme: its number and what is in it."""
    streams = [s for s in container.streams if s.id in programme.streams]
    names = [s.codec_context.codec.canonical_name if s.codec_context else s.type for s in streams]
    return f"{programme.number} ({', '.join(names) or 'empty'})"
