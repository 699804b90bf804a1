"""What was measured of a part of a clip, as a JSON file that waits for the other parts.

    {"format": "vfe-measured-1", "colours": [[frame, red, green, blue], ...], "stills": [[frame, before, after], ...],
     "faces": [{"number": 1, "window": [25, 5], "samples": [[frame, sharpness before, after, distance], ...],
                "pictures": [frame, before, after] or null}, ...],
     "likeness": [net, tells people apart, stranger or null] or null}

Pictures are JPEG files in base64. Numbers come back to the bit.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..config import from_mapping
from ..pipeline.windows import WindowConfig
from ..types import Stretch
from .colour import ColourShift
from .faces import FacePictures, FaceSample, MeasuredFace
from .likeness_scale import LikenessScale
from .watch import Measured, Still

FORMAT = "vfe-measured-1"
_LARGEST = 1e6  # of what is measured nothing comes near


class MeasuredPart(NamedTuple):
    """What was measured of a part of a clip."""

    measured: Measured
    face_windows: Mapping[int, WindowConfig]
    """The windows in which each face of the part was restored, by its number."""

    def to_json(self) -> str:
        """Return the text of the file."""
        measured = self.measured
        raw = {
            "format": FORMAT,
            "colours": [[frame, *shift] for frame, shift in measured.colours],
            "stills": [[frame, _text(still.before), _text(still.after)] for frame, still in measured.stills],
            "faces": [_plain_face(face, self.face_windows.get(face.number)) for face in measured.faces],
            "likeness": measured.likeness,
        }
        return json.dumps(raw)

    @classmethod
    def from_json(cls, raw: object, part: Stretch) -> MeasuredPart:
        """Read what `to_json` gave, of the frames of a part. Raises ValueError for anything else."""
        if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
            raise ValueError(f"is not of the format {FORMAT}")
        plain = from_mapping(_Plain, raw)
        frames = [frame for frame, *_ in plain.colours] + [frame for frame, _, _ in plain.stills]
        frames += [frame for face in plain.faces for frame in face.frames]
        if any(frame not in part for frame in frames):
            raise ValueError(f"measures frames other than {part.start} to {part.stop - 1}")
        measured = Measured(
            cuts=(),
            colours=tuple((frame, ColourShift(*map(_sane, shift))) for frame, *shift in plain.colours),
            stills=tuple((frame, Still(_bytes(before), _bytes(after))) for frame, before, after in plain.stills),
            faces=tuple(face.measured() for face in plain.faces),
            likeness=None if plain.likeness is None else LikenessScale(*plain.likeness),
        )
        windows = {face.number: WindowConfig(*face.window) for face in plain.faces if face.window is not None}
        return cls(measured, windows)


@dataclass(frozen=True)
class _PlainFace:
    number: int
    window: tuple[int, int] | None
    samples: tuple[tuple[int, float, float, float], ...]
    pictures: tuple[int, str, str] | None

    @property
    def frames(self) -> list[int]:
        shown = () if self.pictures is None else (self.pictures[0],)
        return [*(sample[0] for sample in self.samples), *shown]

    def measured(self) -> MeasuredFace:
        samples = tuple(FaceSample(frame, *map(_sane, numbers)) for frame, *numbers in self.samples)
        pictures = None
        if self.pictures is not None:
            frame, before, after = self.pictures
            pictures = FacePictures(frame, _bytes(before), _bytes(after))
        return MeasuredFace(self.number, samples, pictures)


@dataclass(frozen=True)
class _Plain:
    format: str
    colours: tuple[tuple[int, float, float, float], ...]
    stills: tuple[tuple[int, str, str], ...]
    faces: tuple[_PlainFace, ...]
    likeness: tuple[str, bool, float | None] | None


def _plain_face(face: MeasuredFace, window: WindowConfig | None) -> dict[str, Any]:
    shown = face.pictures
    return {
        "number": face.number,
        "window": None if window is None else [window.frames, window.overlap],
        "samples": face.samples,
        "pictures": None if shown is None else [shown.frame, _text(shown.before), _text(shown.after)],
    }


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _sane(value: float) -> float:
    if not abs(value) <= _LARGEST:
        raise ValueError(f"holds {value}, needed is a number of at most {_LARGEST:g}")
    return value
