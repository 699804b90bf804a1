"""A contact sheet of the faces of a clip: each from its best frame, with its number, its frames and its size.

P is the side of a picture. All sizes are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..detect.upright import unit_grid
from ..track.tracks import FaceTrack, FaceTracks
from .overlay import GLYPHS, WHITE, colour_of, fill, label, text_size, write

PICTURE_SIDE = 160
CAPTION_HEIGHT = 40
LINE_HEIGHT = 17
"""What a line of a caption takes; that of the name is one more."""
GAP = 8
MAX_COLUMNS = 6
PICTURE_SCALE = 2.0
"""The side of a picture over the square root of the area of the face's box."""
BACKGROUND = (-0.8, -0.8, -0.8)
GREY = (-0.3, -0.3, -0.3)
FAINT = 0.55
"""How much of the light of a face that is not chosen is shown."""


@dataclass(frozen=True)
class Marks:
    """What a sheet tells of faces beside their pictures."""

    chosen: Collection[int] | None = None
    """The numbers of the faces that are chosen, in colour; the others are grey. None: all are."""
    names: Mapping[int, str] = field(default_factory=dict)
    """Names by number. Only ASCII letters, figures and some signs can be drawn."""

    def is_chosen(self, track: FaceTrack) -> bool:
        """Return whether a face is chosen."""
        return self.chosen is None or track.number in self.chosen

    @property
    def caption_height(self) -> int:
        """The height of a caption, in pixels."""
        return CAPTION_HEIGHT + (LINE_HEIGHT if self.names else 0)


class SheetMaker:
    """Takes the frames of the clip again, one by one, and keeps only the pictures of faces."""

    def __init__(self, tracks: FaceTracks) -> None:
        self.tracks = tracks
        self._wanted = {track.number: best_frame(track) for track in tracks.tracks}
        self._pictures: dict[int, Tensor] = {}
        self._frame = 0

    @property
    def complete(self) -> bool:
        """Whether no further frame is needed."""
        return len(self._pictures) == len(self._wanted)

    def push(self, frame: Tensor) -> None:
        """Take the next frame (3, H, W) in [-1, 1]."""
        for track, at in self.tracks.at(self._frame):
            if self._wanted[track.number] == self._frame:
                self._pictures[track.number] = picture_of(frame, track.boxes[at])
        self._frame += 1

    def sheet(self) -> Tensor:
        """Return the sheet (3, H, W) in [-1, 1], in the order of numbers; it is plain and small where there
        is no face.
        """
        return draw_sheet(self.tracks.tracks, self._pictures)


def draw_sheet(tracks: Sequence[FaceTrack], pictures: Mapping[int, Tensor], marks: Marks | None = None) -> Tensor:
    """Return a sheet (3, H, W) in [-1, 1] of faces, whose pictures (3, P, P) are given by number where there are any.

    It is plain and small where there is no face.
    """
    marks = marks or Marks()
    count = max(len(tracks), 1)
    columns = min(count, MAX_COLUMNS)
    across, down = PICTURE_SIDE + GAP, PICTURE_SIDE + marks.caption_height + GAP
    sheet = plain_sheet(GAP + columns * across, GAP + math.ceil(count / columns) * down)
    for index, track in enumerate(tracks):
        row, column = divmod(index, columns)
        _draw(sheet, track, pictures.get(track.number), (GAP + column * across, GAP + row * down), marks)
    return sheet


def plain_sheet(width: int, height: int) -> Tensor:
    """Return a sheet (3, height, width) with nothing on it."""
    return torch.tensor(BACKGROUND)[:, None, None].repeat(1, height, width)


def _draw(sheet: Tensor, track: FaceTrack, picture: Tensor | None, at: tuple[int, int], marks: Marks) -> None:
    (left, top), is_chosen = at, marks.is_chosen(track)
    colour, ink = (colour_of(track.number), WHITE) if is_chosen else (GREY, tuple(-0.2 for _ in WHITE))
    if picture is not None:
        shown = picture if is_chosen else in_grey(picture)
        sheet[:, top : top + PICTURE_SIDE, left : left + PICTURE_SIDE] = shown
    bottom = top + PICTURE_SIDE
    fill(sheet, (left, bottom, left + PICTURE_SIDE, bottom + 4), colour)
    label(sheet, str(track.number), (left, top), colour, 5)
    name = [] if track.number not in marks.names else [drawable(marks.names[track.number])]
    last = "" if track.stop - track.start == 1 else f"-{track.stop - 1}"
    for line, text in enumerate([*name, f"{track.start}{last}", f"{round(track.side)} px"]):
        scale = next(s for s in (3, 2, 1) if s == 1 or text_size(text, s)[0] <= PICTURE_SIDE)
        fitting = text[: (PICTURE_SIDE // scale + 1) // 4]
        write(sheet, fitting, (left, bottom + 7 + LINE_HEIGHT * line), scale, ink)


def in_grey(picture: Tensor) -> Tensor:
    """Return a picture (3, H, W) in [-1, 1] without its colours, and darker."""
    return ((picture.mean(0, keepdim=True) + 1) * FAINT - 1).expand_as(picture)


def drawable(text: str) -> str:
    """Return a text in signs that can be drawn; a question mark stands for each of the others."""
    return "".join(sign if sign in GLYPHS else "?" for sign in text.upper())


def best_frame(track: FaceTrack) -> int:
    """Return the frame of the clip on which a face is the most surely seen and large."""
    sizes = (track.boxes[:, 2:] - track.boxes[:, :2]).clamp(min=1).prod(-1).sqrt()
    worth = track.scores * (0.5 + sizes / sizes.max()) * (0.5 + track.presence) * track.seen
    return track.start + int(worth.argmax())


def picture_of(frame: Tensor, box: Tensor) -> Tensor:
    """Return the square around a face, not turned: (3, P, P). Outside of the frame its border's pixels go on."""
    height, width = frame.shape[-2:]
    side = float((box[2:] - box[:2]).clamp(min=1).prod().sqrt()) * PICTURE_SCALE
    corner = (box[:2] + box[2:]) / 2 - side / 2
    # Enough samples for each pixel that nothing aliases, then their mean.
    finer = max(math.ceil(side / PICTURE_SIDE), 1)
    positions = unit_grid(PICTURE_SIDE * finer, frame.device) * side + corner.to(frame)
    grid = positions / positions.new_tensor([width, height]) * 2 - 1
    taken = F.grid_sample(frame[None].float(), grid[None], padding_mode="border", align_corners=False)
    return F.avg_pool2d(taken, finer)[0].cpu()
