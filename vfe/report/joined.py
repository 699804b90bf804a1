"""What was measured of the parts of a clip becomes what is known of all of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Stretch
from .colour import ColourShift
from .faces import MeasuredFace
from .watch import Measured


def joined(parts: Sequence[Measured]) -> Measured:
    """Return what one run over all parts, given in order, would have measured, but for cuts.

    Likeness is that of the first part with a face: distances of another net, as another machine may have one, cannot be
    compared with it, so that what such parts measured of faces is left out.
    """
    likeness = next((part.likeness for part in parts if part.likeness is not None), None)
    faces: dict[int, MeasuredFace] = {}
    for part in parts:
        if part.likeness == likeness:
            for face in part.faces:
                before = faces.get(face.number, MeasuredFace(face.number))
                pictures = before.pictures or face.pictures
                faces[face.number] = MeasuredFace(face.number, before.samples + face.samples, pictures)
    colours = tuple(colour for part in parts for colour in part.colours)
    stills = tuple(still for part in parts for still in part.stills)
    return Measured((), colours, stills, tuple(faces[number] for number in sorted(faces)), likeness)


def unchanged(stretch: Stretch, every: int) -> Measured:
    """Return what there is to be measured of frames that are those of the source, of which every few are looked at."""
    first = -(-stretch.start // every) * every
    colours = tuple((frame, ColourShift(0.0, 0.0, 0.0)) for frame in range(first, stretch.stop, every))
    return Measured((), colours, (), (), None)
