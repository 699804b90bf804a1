"""The results of a timeline: a file for each stretch of a source, remembered, so that none is restored twice.

A later cut may use less of a stretch, or some of its handles: what was restored with the same options from the same
source, and has all frames that are used, is taken again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from ..batch.record import Entry, Record, as_json
from ..batch.stamp import Identity, identity_of, stamp_of
from ..files.aside import fitting_name
from ..files.durable import flush
from ..types import Stretch, VFEError
from .media import MediaFile
from .ranges import covers, united, with_handles
from .sorting import PlacedClip

FRAMES = "frames"
"""Where the options of an entry have the stretch of the source."""


@dataclass(frozen=True)
class Result:
    """A stretch of a source, the file with its restored frames, and the clips that read it."""

    media: MediaFile
    stretch: Stretch
    """In frames of the source."""
    output: Path
    is_done: bool
    """Whether it was restored by an earlier run."""
    clips: tuple[PlacedClip, ...]
    is_empty: bool = False
    """Whether an earlier run found no face there that was to be restored, and wrote nothing."""


@dataclass(frozen=True)
class Stored:
    """A folder of results, and how they are restored."""

    folder: Path
    suffix: str
    """Of their names, which says the container."""
    options: Mapping[str, Any]
    """All that was chosen of what a result depends on."""
    handles: int
    """Frames that are restored before and after those that are used."""
    timeline_rate: Fraction
    """The frames per second of the timeline."""
    overwrite: bool = False
    resume: bool = True
    """Whether what was restored before counts."""
    _identities: dict[Path, Identity] = field(default_factory=dict)

    @cached_property
    def record(self) -> Record:
        """What is known of the files in the folder."""
        return Record(self.folder)

    def plan(self, clips: Sequence[PlacedClip]) -> list[Result]:
        """Return what is restored for clips, and what is there already.

        Raises VFEError where a result would replace a file that is none, and OSError where a source cannot be read.
        """
        results: list[Result] = []
        media = {clip.media.path: clip.media for clip in clips}
        stems = [path.stem.casefold() for path in media]
        for path, source in media.items():
            own = [clip for clip in clips if clip.media.path == path]
            tag = "" if stems.count(path.stem.casefold()) == 1 else f".{self.identity(path).digest[:8]}"
            results += self._of_source(source, own, tag)
        return results

    def identity(self, path: Path) -> Identity:
        """Return what tells a source from all others. Raises OSError."""
        if path not in self._identities:
            self._identities[path] = identity_of(path)
        return self._identities[path]

    def begin(self, result: Result) -> None:
        """Note that a result is begun. Raises OSError where the record cannot be written."""
        self.record.write(self._entry(result, "begun"))

    def end(self, result: Result) -> None:
        """Note that a result is done. Raises OSError where it is not on the disk."""
        flush(result.output)
        self.record.write(replace(self._entry(result, "done"), stamp=stamp_of(result.output)))

    def end_empty(self, result: Result) -> Result:
        """Note that there is nothing to restore in a result. Raises OSError where the record cannot be written."""
        self.record.write(replace(self._entry(result, "done"), stamp=None))
        return replace(result, is_empty=True)

    def _of_source(self, media: MediaFile, clips: list[PlacedClip], tag: str) -> list[Result]:
        made = self._made(media)
        groups: dict[Stretch, list[PlacedClip]] = {}
        paths: dict[Stretch, Path | None] = {}
        left: list[tuple[Stretch, PlacedClip]] = []
        grid = sorted({clip.use.speed * media.fps / self.timeline_rate for clip in clips})
        for clip in clips:
            found = next(((stretch, path) for stretch, path in made if _serves(stretch, clip)), None)
            if found is None:
                handles = 0 if clip.reads_all else self.handles
                left.append((with_handles(clip.frames, handles, media.frames, grid), clip))
            else:
                groups.setdefault(found[0], []).append(clip)
                paths[found[0]] = found[1]
        done = [
            Result(media, stretch, paths[stretch] or media.path, True, tuple(own), is_empty=paths[stretch] is None)
            for stretch, own in groups.items()
        ]
        new = [
            self._new(media, stretch, tag, [clip for wanted, clip in left if covers(stretch, wanted)])
            for stretch in united(wanted for wanted, _ in left)
        ]
        return sorted([*done, *new], key=lambda result: result.stretch)

    def _new(self, media: MediaFile, stretch: Stretch, tag: str, clips: list[PlacedClip]) -> Result:
        name = f"{tag}.{stretch.start}-{stretch.stop - 1}{self.suffix}"
        output = self.folder / fitting_name(media.path.stem, name)
        result = Result(media, stretch, output, False, tuple(clips))
        if (there := stamp_of(output)) is not None and not self.overwrite:
            entry = self.record.entry(output.name)
            # What a killed run had begun, and never finished, is not there: outputs appear when they are complete.
            why = "was not made by such a run"
            if entry is not None and entry.made(there):
                others = entry.difference(media.path, media.path.as_posix(), self._options(stretch))
                why = f"was made {others or 'before'}"
            raise VFEError(
                f"{output}: exists and {why}; --overwrite replaces it, --results FOLDER names another folder"
            )
        return result

    def _made(self, media: MediaFile) -> list[tuple[Stretch, Path | None]]:
        """Return what earlier runs restored of a source in the same way, as far as it is still there.

        Where they found nothing to restore there is no file.
        """
        if not self.resume:
            return []
        found: list[tuple[Stretch, Path | None]] = []
        for entry in self.record.entries():
            stretch, path = _stretch_of(entry), self.folder / entry.output
            if (
                stretch is None
                or Path(entry.output).name != entry.output
                or entry.identity != self.identity(media.path)
            ):
                continue
            if entry.options != self._options(stretch):
                continue
            there = stamp_of(path)
            if there is not None and entry.made(there):
                found.append((stretch, path))
            elif there is None and (entry.state, entry.stamp) == ("done", None):
                found.append((stretch, None))
        return found

    def _options(self, stretch: Stretch) -> dict[str, Any]:
        return as_json({**self.options, FRAMES: [stretch.start, stretch.stop]})

    def _entry(self, result: Result, state: Any) -> Entry:  # noqa: ANN401 - the words of a record
        source, options = result.media.path.as_posix(), self._options(result.stretch)
        identity, there = self.identity(result.media.path), stamp_of(result.output)
        return Entry(state, result.output.name, source, identity, options, there)


def _serves(stretch: Stretch, clip: PlacedClip) -> bool:
    """Return whether a result has all that a clip reads, and begins where it must."""
    return covers(stretch, clip.frames) and (stretch.start == 0 or not clip.reads_all)


def _stretch_of(entry: Entry) -> Stretch | None:
    frames = entry.options.get(FRAMES)
    if not (isinstance(frames, list) and len(frames) == 2 and all(type(frame) is int for frame in frames)):
        return None
    return Stretch(*frames) if 0 <= frames[0] < frames[1] else None
