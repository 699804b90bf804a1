"""Options as somebody gave them, on the command line, in a YAML file or in a preset, and how such layers are joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..config import from_mapping
from ..options import CodecName, Region, RestoreOptions
from ..types import VFEError

LONGEST_TEXT = 300
"""The characters of a message on what a file holds: hostile values are long."""


@dataclass(frozen=True)
class GivenOptions:
    """The options of restoring one file that were given; None where nobody said.

    They are those of `RestoreOptions` that may differ from file to file, and the name of a preset.
    """

    preset: str | None = None
    strength: float | None = None
    size: tuple[int, int] | None = None
    scale: float | None = None
    codec: CodecName | None = None
    crf: int | None = None
    region: Region | None = None
    faces: str | None = None
    min_face: int | None = None
    blend: float | None = None
    fidelity: float | None = None

    @property
    def named(self) -> dict[str, Any]:
        """What was given, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def over(self, below: GivenOptions) -> GivenOptions:
        """Return these options where they were given, and those of `below` elsewhere.

        Size and scale say the same in two ways, so that either takes the place of the other.
        """
        if self.size is not None or self.scale is not None:
            below = replace(below, size=None, scale=None)
        return replace(below, **self.named)

    def applied_to(self, options: RestoreOptions) -> RestoreOptions:
        """Return `options` with what was given, but for the preset. Raises ValueError where a value makes no sense."""
        return replace(options, **{name: value for name, value in self.named.items() if name != "preset"})


def read_given(raw: Mapping[str, Any], where: str) -> GivenOptions:
    """Return the options that a mapping of a YAML file holds; `where` says in messages which file it is.

    Raises VFEError for unknown names and for values that make no sense.
    """
    try:
        given = from_mapping(GivenOptions, {str(name): value for name, value in raw.items()})
        given.applied_to(RestoreOptions())
    except (ValueError, TypeError) as error:
        raise VFEError(f"{where}: {shortened_text(str(error))}") from error
    return given


def shortened_text(text: str) -> str:
    """Return a text as one line of at most LONGEST_TEXT characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."
