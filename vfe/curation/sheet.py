"""The contact sheet of a curation: clips that are kept, dropped and left out, to be looked at.

A row has three frames of a clip, with the outline of its mask, and beside them its total, its dimensions and why.
P side of a picture, S side of a crop, M side of a mask. Pictures are (3, H, W) in [-1, 1].
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.draw.overlay import GLYPHS, WHITE, fill, write
from ..types import VFEError
from ..video.errors import MEDIA_ERRORS
from ..video.frame import Frame
from ..video.imagesink import ImageWriter
from ..video.read import open_source
from ..video.resize import resize
from .manifest import Judged, Outcome, where_is
from .record import ClipLine, LeftOut, SourceLine

SHEET = "curation.png"
MOST = 24
"""The rows of each kind; of more, those with the highest and the lowest totals are shown."""
P = 144
GAP = 6
TEXT_WIDTH = 420
COLUMNS = 2
SCALE = 2
LINE = 14
BACKGROUND = (-0.85, -0.85, -0.85)
KEPT, DROPPED, LEFT_OUT = (-0.5, 0.6, -0.4), (0.8, -0.3, -0.5), (0.1, 0.1, 0.3)
"""The colours of the bars at the left of rows."""
DARK = -0.9


def write_sheet(path: Path, folder: Path, outcome: Outcome) -> None:
    """Write the sheet of an outcome as PNG. Files that are gone leave their pictures dark. Raises OSError."""
    rows = [_clip_row(folder, judged, KEPT, "KEPT") for judged in _ends(outcome.kept)]
    rows += [_clip_row(folder, judged, DROPPED, "DROPPED") for judged in _ends(outcome.dropped)]
    rows += [_left_out_row(source, stretch) for source, stretch in outcome.left_out[:MOST]]
    path.write_bytes(ImageWriter(".png", False).encode(Frame(_arranged(rows))))


def write_disagreements(path: Path, folder: Path, choices: Sequence[tuple[Judged, bool]]) -> None:
    """Write the sheet of clips with whether people keep them, in their order, as PNG. Raises OSError."""
    words = {True: (KEPT, "PEOPLE KEEP IT"), False: (DROPPED, "PEOPLE DROP IT")}
    rows = [_clip_row(folder, judged, *words[keep]) for judged, keep in choices[:MOST]]
    path.write_bytes(ImageWriter(".png", False).encode(Frame(_arranged(rows))))


def _ends(judged: Sequence[Judged]) -> list[Judged]:
    """Return clips by falling totals; of many, the first and the last ones."""
    ordered = sorted(judged, key=lambda one: -one.line.total)
    return ordered if len(ordered) <= MOST else ordered[: MOST // 2] + ordered[-(MOST // 2) :]


def _clip_row(folder: Path, judged: Judged, colour: tuple[float, ...], word: str) -> Tensor:
    line = judged.line
    dims = " ".join(f"{name[:6]} {value:.0f}" for name, value in line.dims.items())
    text = [f"{word}  {line.total:.1f}", dims, f"face {line.face:.0f} px  frames {line.count}"]
    text += [judged.source.source, line.why]
    return _row(_pictures(folder, line), text, colour)


def _left_out_row(source: SourceLine, stretch: LeftOut) -> Tensor:
    text = ["LEFT OUT", stretch.reason, f"frames {stretch.start}-{stretch.stop - 1}", source.source]
    return _row([_whole(frame) for frame in _frames_of(Path(source.path), stretch)], text, LEFT_OUT)


def _pictures(folder: Path, line: ClipLine) -> list[Tensor]:
    """Return the first, middle and last picture of a clip, with the outlines of masks; none where files are gone."""
    path = where_is(folder, line)
    if path is None:
        return []
    try:
        with open_source(path) as source:
            wanted = sorted({0, line.count // 2, line.count - 1})
            shown = [decoded.frame().pixels for at, decoded in enumerate(source.decoded()) if at in wanted]
        with np.load(folder / line.label) as arrays:
            masks = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1))
        return [_outlined(resize(pixels, (P, P)), masks[at]) for at, pixels in zip(wanted, shown, strict=True)]
    except (VFEError, OSError, ValueError, KeyError, IndexError, *MEDIA_ERRORS):
        return []


def _frames_of(path: Path, stretch: LeftOut) -> list[Tensor]:
    """Return the first, middle and last frame of a stretch; none where the source is gone."""
    try:
        with open_source(path) as source:
            at = sorted({stretch.start, (stretch.start + stretch.stop) // 2, stretch.stop - 1})
            return [p.frame().pixels for number, p in enumerate(islice(source.decoded(), stretch.stop)) if number in at]
    except (VFEError, OSError, *MEDIA_ERRORS):
        return []


def _whole(pixels: Tensor) -> Tensor:
    """Return all of a frame (3, H, W) as a picture (3, P, P) with dark bars."""
    height, width = pixels.shape[-2:]
    scale = P / max(height, width)
    small = resize(pixels, (max(round(width * scale), 1), max(round(height * scale), 1)))
    across, down = P - small.shape[2], P - small.shape[1]
    return F.pad(small, (across // 2, across - across // 2, down // 2, down - down // 2), value=DARK)


def _outlined(picture: Tensor, mask: Tensor) -> Tensor:
    """Return a picture (3, P, P) with the outline of a mask (M, M) in green."""
    inside = F.interpolate(mask[None, None].float(), (P, P), mode="nearest")
    edge = (F.max_pool2d(inside, 3, 1, 1) - inside)[0, 0] > 0
    drawn = picture.clone()
    drawn[:, edge] = drawn.new_tensor([-0.6, 1.0, -0.6])[:, None]
    return drawn


def _row(pictures: Sequence[Tensor], text: Sequence[str], colour: tuple[float, ...]) -> Tensor:
    row = torch.tensor(BACKGROUND)[:, None, None].repeat(1, P, _width())
    fill(row, (0, 0, GAP, P), colour)
    for index in range(3):
        left = 2 * GAP + index * (P + GAP)
        fill(row, (left, 0, left + P, P), (DARK, DARK, DARK))
        if index < len(pictures):
            row[:, :, left : left + P] = pictures[index]
    left, letters = 2 * GAP + 3 * (P + GAP), TEXT_WIDTH // (4 * SCALE)
    lines = [piece for part in text for piece in textwrap.wrap(_drawable(part), letters)]
    for number, line in enumerate(lines[: P // LINE]):
        write(row, line, (left, 2 + number * LINE), SCALE, WHITE)
    return row


def _drawable(text: str) -> str:
    """Return a text in the letters that can be drawn."""
    return "".join(letter if letter in GLYPHS else "?" for letter in text.upper())


def _width() -> int:
    return 2 * GAP + 3 * (P + GAP) + TEXT_WIDTH


def _arranged(rows: list[Tensor]) -> Tensor:
    """Return rows in columns, from top to bottom; a plain strip where there is none."""
    empty = torch.tensor(BACKGROUND)[:, None, None].repeat(1, P, _width())
    columns = min(COLUMNS, max(len(rows), 1))
    height = -(-max(len(rows), 1) // columns)
    rows = [
        F.pad(row, (0, GAP, 0, GAP), value=BACKGROUND[0]) for row in rows + [empty] * (height * columns - len(rows))
    ]
    return torch.cat([torch.cat(rows[at * height : (at + 1) * height], 1) for at in range(columns)], 2)
