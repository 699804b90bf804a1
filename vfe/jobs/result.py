"""The last steps of a job: the whole output lies in its folder, is vouched for, and then moves to its place.

A process may die between any two of them; the next one finds out by what it finds, and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..config import from_mapping
from ..files.aside import move_to
from ..files.durable import flush, write_durably
from ..files.fingerprint import fingerprint
from ..report.memory import PeakMemory
from ..video.errors import writing
from .layout import ASSEMBLED, VOUCHED
from .records import read_json

_FOLDER = "folder"


@dataclass(frozen=True)
class Assembled:
    """What vouches for an assembled output."""

    fingerprint: str
    """Of a video; of a folder of images, which has them in it or it has not, a word."""
    frames: int
    seconds: float
    """How long the assembly took."""
    gaps: int
    """How many segments are those of the source."""
    notes: tuple[str, ...]
    memory: PeakMemory
    """That of the process that assembled it."""


class Result:
    """The output of a job on its way from the job's folder to its place."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.place = place
        self.aside = folder / f"{ASSEMBLED}{place.suffix}"
        self._vouched = folder / VOUCHED

    def assembled(self) -> Assembled | None:
        """Return what vouches for an output that is whole, in the job's folder or in its place; None where none is."""
        try:
            assembled = from_mapping(Assembled, read_json(self._vouched))
        except (OSError, ValueError):
            return None
        return assembled if self.aside.exists() or self.is_in_place(assembled) else None

    def is_in_place(self, assembled: Assembled) -> bool:
        """Return whether the output lies where it belongs, all of it."""
        try:
            return not self.aside.exists() and self._fingerprint(self.place) == assembled.fingerprint
        except OSError:
            return False

    def placed(self) -> Assembled | None:
        """Return what vouches for an output that lies where it belongs, without gaps; None where none does."""
        assembled = self.assembled()
        return assembled if assembled is not None and not assembled.gaps and self.is_in_place(assembled) else None

    def vouch(self, make: Callable[[str], Assembled]) -> Assembled:
        """Note that the output in the job's folder is whole, with what `make` makes of its fingerprint."""
        flush(self.aside)
        assembled = make(self._fingerprint(self.aside))
        write_durably(self._vouched, json.dumps(asdict(assembled), indent=1))
        return assembled

    def forget(self) -> None:
        """Forget an earlier assembly."""
        self._vouched.unlink(missing_ok=True)

    def has_begun_to_move(self) -> bool:
        """Return whether some of a folder of images lies in its place already."""
        return self.aside.is_dir() and self.place.is_dir()

    def publish(self) -> None:
        """Move the output to its place. Raises VFEError where that is not possible."""
        with writing(self.place):
            if self.aside.is_dir():
                self.place.mkdir(exist_ok=True)
                for image in sorted(self.aside.iterdir()):
                    move_to(image, self.place / image.name)
                self.aside.rmdir()
            else:
                move_to(self.aside, self.place)

    def _fingerprint(self, path: Path) -> str:
        return _FOLDER if path.is_dir() else fingerprint(path)
