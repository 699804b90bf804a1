"""A contact sheet of the faces of a clip: each from its best frame, with its number, its frames and its size.

P is the side of a picture. All sizes are in pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..detect.upright import unit_grid
from ..track.tracks import FaceTrack, FaceTracks
from .overlay import WHITE, colour_of, fill, label, text_size, write

PICTURE_SIDE = 160
CAPTION_HEIGHT = 40
GAP = 8
MAX_COLUMNS = 6
PICTURE_SCALE = 2.0
"""The side of a picture over the square root of the area of the face's box."""
BACKGROUND = (-0.8, -0.8, -0.8)


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
        count = max(len(self.tracks.tracks), 1)
        columns = min(count, MAX_COLUMNS)
        rows = math.ceil(count / columns)
        width, height = GAP + columns * (PICTURE_SIDE + GAP), GAP + rows * (PICTURE_SIDE + CAPTION_HEIGHT + GAP)
        sheet = torch.tensor(BACKGROUND)[:, None, None].repeat(1, height, width)
        for index, track in enumerate(self.tracks.tracks):
            row, column = divmod(index, columns)
            self._draw(
                sheet, track, GAP + column * (PICTURE_SIDE + GAP), GAP + row * (PICTURE_SIDE + CAPTION_HEIGHT + GAP)
            )
        return sheet

    def _draw(self, sheet: Tensor, track: FaceTrack, left: int, top: int) -> None:
        if track.number in self._pictures:
            sheet[:, top : top + PICTURE_SIDE, left : left + PICTURE_SIDE] = self._pictures[track.number]
        bottom = top + PICTURE_SIDE
        fill(sheet, (left, bottom, left + PICTURE_SIDE, bottom + 4), colour_of(track.number))
        label(sheet, str(track.number), (left, top), colour_of(track.number), 5)
        for line, text in enumerate((f"{track.start}-{track.stop - 1}", f"{round(track.side)} px")):
            scale = next(s for s in (3, 2, 1) if s == 1 or text_size(text, s)[0] <= PICTURE_SIDE)
            write(sheet, text, (left, bottom + 7 + 17 * line), scale, WHITE)


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
