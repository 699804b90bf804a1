"""The record of a folder of outputs: what was made there, of which source, with which options.

It is the file `.vfe-batch.jsonl` in that folder, a JSON object a line, appended and synced to the disk. Of two lines on
one output the later one counts. A run may die at any moment:

- `begun` is written before a file is restored, with the stamp of what lay at its name then. Outputs get their names
  when they are complete, so that a file which is there later and is another one is the complete result.
- `done` has the stamp of the result. What was changed since is no longer that result.
- `failed` says that a file that appears there later is not ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from .. import __version__
from ..config import from_mapping
from .stamp import Identity, Stamp

RECORD = ".vfe-batch.jsonl"
State = Literal["begun", "done", "failed"]


@dataclass(frozen=True)
class Entry:
    """What is known of one output."""

    state: State
    output: str
    """The name of the output below the folder of the record, its parts joined by /."""
    source: str
    """The name of the source below the folder that was asked for."""
    identity: Identity
    """That of the source."""
    options: dict[str, Any]
    """All that was chosen of what the result depends on, as JSON has it."""
    stamp: Stamp | None
    """Of what lay at the output's name: before where it was begun, as it was made where it is done."""
    version: str = __version__

    def __post_init__(self) -> None:
        if self.state not in get_args(State):
            raise ValueError(f"state is {self.state!r}")

    def made(self, there: Stamp) -> bool:
        """Return whether what lies at the output's name now is the complete result of this entry."""
        return {"begun": there != self.stamp, "done": there == self.stamp, "failed": False}[self.state]

    def difference(self, source: Path, name: str, options: Mapping[str, Any]) -> str | None:
        """Return how the result differs from one of this source with these options, or None where it does not.

        Raises OSError where the source cannot be read.
        """
        if self.source != name:
            return f"from {self.source}"
        if not self.identity.is_of(source):
            return f"from an earlier {name}"
        for key in sorted(self.options.keys() | options.keys()):
            was, now = self.options.get(key), options.get(key)
            if was != now:
                return f"with another {key.replace('_', ' ')} ({_text(was)}, now {_text(now)})"
        return None


class Record:
    """The record of one folder of outputs; it is made with the first line."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; lines that are none are counted in `bad_lines`. Raises OSError where it cannot be."""
        self.path = folder / RECORD
        self.bad_lines = 0
        self._ends_amid = False
        self._entries = {entry.output: entry for entry in self._read()}

    def entry(self, output: str) -> Entry | None:
        """Return what is known of an output of this name."""
        return self._entries.get(output)

    def entries(self) -> list[Entry]:
        """Return what is known of all outputs."""
        return list(self._entries.values())

    def read_again(self) -> Record:
        """Read what other runs wrote since. Raises OSError where it cannot be read."""
        self._entries |= {entry.output: entry for entry in self._read()}
        return self

    def write(self, entry: Entry) -> None:
        """Append an entry and wait until the disk has it. Raises OSError as writing does."""
        line = "\n" * self._ends_amid + json.dumps(asdict(entry)) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        self._ends_amid = False
        self._entries[entry.output] = entry

    def _read(self) -> Iterator[Entry]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in filter(bytes.strip, file):
                self._ends_amid = not line.endswith(b"\n")
                try:
                    yield from_mapping(Entry, json.loads(line))
                except (ValueError, RecursionError):  # cut by a crash, or edited
                    self.bad_lines += 1


def as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they are after a way through JSON, so that they can be compared with those of an entry."""
    read: dict[str, Any] = json.loads(json.dumps(options, default=str))
    return read


def _text(value: object) -> str:
    """Return a value for people."""
    return "none" if value is None else str(value)
