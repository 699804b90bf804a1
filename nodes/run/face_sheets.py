"""The sheets of a clip's faces, one for each shot: as an IMAGE, and as what the picker of `web/` shows.

P is the side of a face's picture.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths
import torch
from PIL import Image
from torch import Tensor

from ...vfe.face.draw.overlay import colour_of
from ...vfe.face.draw.sheet import Marks, best_frame, draw_sheet, picture_of, plain_sheet
from ...vfe.face.track.tracks import FaceTrack, FaceTracks
from ..host.images import to_frame, to_image

JPEG_QUALITY = 90


@dataclass(frozen=True)
class FaceSheets:
    """All faces of a clip with their pictures (3, P, P) in [-1, 1], and which of them are chosen."""

    found: FaceTracks
    pictures: Mapping[int, Tensor]
    marks: Marks
    least: float
    """The side in pixels below which faces are left out."""

    @classmethod
    def of(cls, images: Tensor, found: FaceTracks, marks: Marks, least: float) -> FaceSheets:
        """Cut the pictures out of the IMAGE in which the faces were found, each from its best frame."""
        pictures = {}
        for track in found.tracks:
            index = best_frame(track)
            pictures[track.number] = picture_of(to_frame(images[index]), track.boxes[index - track.start])
        return cls(found, pictures, marks, least)

    @property
    def shots(self) -> list[tuple[int, int, list[FaceTrack]]]:
        """First frame, frame after the last, and faces of each shot that has any."""
        faces = [(start, stop, self._within(start, stop)) for start, stop in self.found.shots]
        return [shot for shot in faces if shot[2]]

    def as_images(self) -> Tensor:
        """Return an IMAGE with a sheet for each shot that has faces, of one size; one plain sheet where none has."""
        sheets = [draw_sheet(tracks, self.pictures, self.marks) for _, _, tracks in self.shots]
        sheets = sheets or [draw_sheet((), {}, self.marks)]
        width, height = (max(sheet.shape[axis] for sheet in sheets) for axis in (2, 1))
        return torch.stack([to_image(_placed(sheet, width, height)) for sheet in sheets])

    def for_page(self) -> dict[str, Any]:
        """Return what the picker shows: shots with their faces, whose pictures lie in ComfyUI's temp folder."""
        return {
            "shots": [
                {"start": start, "stop": stop, "faces": [self._face(track) for track in tracks]}
                for start, stop, tracks in self.shots
            ]
        }

    def _within(self, start: int, stop: int) -> list[FaceTrack]:
        return [track for track in self.found.tracks if start <= track.start < stop]

    def _face(self, track: FaceTrack) -> dict[str, Any]:
        return {
            "number": track.number,
            "name": self.marks.names.get(track.number, ""),
            "start": track.start,
            "stop": track.stop,
            "side": round(track.side),
            "fits": track.side >= self.least,
            "chosen": self.marks.is_chosen(track),
            "colour": _css(colour_of(track.number)),
            "picture": _served(self.pictures[track.number]),
        }


def marks_of(chosen: FaceTracks, names: Mapping[int, str]) -> Marks:
    """Return the marks of a sheet on which these faces are chosen."""
    numbers: Collection[int] = frozenset(track.number for track in chosen.tracks)
    return Marks(numbers, names)


def _placed(sheet: Tensor, width: int, height: int) -> Tensor:
    """Return a sheet in the left upper corner of one of another size."""
    whole = plain_sheet(width, height)
    whole[:, : sheet.shape[1], : sheet.shape[2]] = sheet
    return whole


def _served(picture: Tensor) -> dict[str, str]:
    """Write a picture into the temp folder, under a name by its content, and return what /view takes."""
    pixels = (to_image(picture) * 255).round().to(torch.uint8).numpy()
    coded = io.BytesIO()
    Image.fromarray(pixels).save(coded, "JPEG", quality=JPEG_QUALITY)
    path = Path(folder_paths.get_temp_directory()) / f"vfe_face_{hashlib.sha256(coded.getvalue()).hexdigest()[:16]}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(coded.getvalue())
    return {"filename": path.name, "subfolder": "", "type": "temp"}


def _css(colour: tuple[float, ...]) -> str:
    """Return a colour of three values in [-1, 1] as CSS has it."""
    return "#" + "".join(f"{round((value + 1) * 127.5):02x}" for value in colour)
