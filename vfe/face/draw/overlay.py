"""Boxes and numbers drawn on frames, without a font or a drawing library.

Pictures are (3, H, W) in [-1, 1]; a colour is (3,) in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..track.tracks import FaceTracks

GLYPHS = {
    "0": ("###", "#.#", "#.#", "#.#", "###"),
    "1": (".#.", "##.", ".#.", ".#.", "###"),
    "2": ("###", "..#", "###", "#..", "###"),
    "3": ("###", "..#", ".##", "..#", "###"),
    "4": ("#.#", "#.#", "###", "..#", "..#"),
    "5": ("###", "#..", "###", "..#", "###"),
    "6": ("###", "#..", "###", "#.#", "###"),
    "7": ("###", "..#", ".#.", ".#.", ".#."),
    "8": ("###", "#.#", "###", "#.#", "###"),
    "9": ("###", "#.#", "###", "..#", "###"),
    "-": ("...", "...", "###", "...", "..."),
    " ": ("...", "...", "...", "...", "..."),
    "p": ("...", "##.", "#.#", "##.", "#.."),
    "x": ("...", "#.#", ".#.", "#.#", "..."),
    "A": (".#.", "#.#", "###", "#.#", "#.#"),
    "B": ("##.", "#.#", "##.", "#.#", "##."),
    "C": (".##", "#..", "#..", "#..", ".##"),
    "D": ("##.", "#.#", "#.#", "#.#", "##."),
    "E": ("###", "#..", "##.", "#..", "###"),
    "F": ("###", "#..", "##.", "#..", "#.."),
    "G": (".##", "#..", "#.#", "#.#", ".##"),
    "H": ("#.#", "#.#", "###", "#.#", "#.#"),
    "I": ("###", ".#.", ".#.", ".#.", "###"),
    "J": ("..#", "..#", "..#", "#.#", ".#."),
    "K": ("#.#", "#.#", "##.", "#.#", "#.#"),
    "L": ("#..", "#..", "#..", "#..", "###"),
    "M": ("#.#", "###", "###", "#.#", "#.#"),
    "N": ("###", "#.#", "#.#", "#.#", "#.#"),
    "O": (".#.", "#.#", "#.#", "#.#", ".#."),
    "P": ("##.", "#.#", "##.", "#..", "#.."),
    "Q": (".#.", "#.#", "#.#", "###", ".##"),
    "R": ("##.", "#.#", "##.", "#.#", "#.#"),
    "S": (".##", "#..", ".#.", "..#", "##."),
    "T": ("###", ".#.", ".#.", ".#.", ".#."),
    "U": ("#.#", "#.#", "#.#", "#.#", "###"),
    "V": ("#.#", "#.#", "#.#", "#.#", ".#."),
    "W": ("#.#", "#.#", "###", "###", "#.#"),
    "X": ("#.#", "#.#", ".#.", "#.#", "#.#"),
    "Y": ("#.#", "#.#", ".#.", ".#.", ".#."),
    "Z": ("###", "..#", ".#.", "#..", "###"),
    ".": ("...", "...", "...", "...", ".#."),
    ":": ("...", ".#.", "...", ".#.", "..."),
    "/": ("..#", "..#", ".#.", "#..", "#.."),
    "%": ("#.#", "..#", ".#.", "#..", "#.#"),
    ",": ("...", "...", "...", ".#.", "#.."),
    "_": ("...", "...", "...", "...", "###"),
    "+": ("...", ".#.", "###", ".#.", "..."),
    "(": (".#.", "#..", "#..", "#..", ".#."),
    ")": (".#.", "..#", "..#", "..#", ".#."),
    "=": ("...", "###", "...", "###", "..."),
    "?": ("##.", "..#", ".#.", "...", ".#."),
}
GLYPH_HEIGHT = 5
WHITE = (1.0, 1.0, 1.0)
COLOURS = (
    (0.9, -0.5, -0.6),
    (-0.7, 0.3, 0.9),
    (-0.4, 0.7, -0.5),
    (0.9, 0.6, -0.8),
    (0.5, -0.4, 0.9),
    (-0.7, 0.7, 0.7),
    (1.0, 0.1, -0.7),
    (0.9, 0.3, 0.6),
)
"""The colours of faces, by their numbers; from the ninth on they come again."""


def draw_tracks(frame: Tensor, tracks: FaceTracks, index: int) -> Tensor:
    """Return a copy of frame `index` with the box, the points and the number of each face; it is fainter where a face
    fades.
    """
    drawn = frame.clone()
    scale = max(round(min(frame.shape[-2:]) / 180), 1)
    for track, at in tracks.at(index):
        colour = colour_of(track.number)
        strength = 0.25 + 0.75 * float(track.presence[at])
        left, top, right, bottom = (round(value) for value in track.boxes[at].tolist())
        outline(drawn, (left, top, right, bottom), colour, scale, strength)
        for x, y in track.landmarks[at].tolist():
            fill(drawn, (round(x - scale), round(y - scale), round(x + scale), round(y + scale)), colour, strength)
        label(drawn, str(track.number), (left, top - (GLYPH_HEIGHT + 2) * 2 * scale), colour, 2 * scale)
    return drawn


def colour_of(number: int) -> tuple[float, float, float]:
    """Return the colour of the face of a number."""
    return COLOURS[(number - 1) % len(COLOURS)]


def label(picture: Tensor, text: str, at: tuple[int, int], colour: tuple[float, ...], scale: int) -> None:
    """Write white text on a plate of a colour, in place; it is moved into the picture where it would stick out."""
    width, height = text_size(text, scale)
    left = min(max(at[0], 0), max(picture.shape[2] - width - 2 * scale, 0))
    top = min(max(at[1], 0), max(picture.shape[1] - height - 2 * scale, 0))
    fill(picture, (left, top, left + width + 2 * scale, top + height + 2 * scale), colour)
    write(picture, text, (left + scale, top + scale), scale)


def text_size(text: str, scale: int) -> tuple[int, int]:
    """Return width and height of written text in pixels."""
    return (4 * len(text) - 1) * scale, GLYPH_HEIGHT * scale


def write(picture: Tensor, text: str, at: tuple[int, int], scale: int, colour: tuple[float, ...] = WHITE) -> None:
    """Write text of GLYPHS with its top left corner at `at` (x, y), in place."""
    left, top = at
    for position, character in enumerate(text):
        for row, line in enumerate(GLYPHS[character]):
            for column, dot in enumerate(line):
                if dot == "#":
                    x, y = left + (4 * position + column) * scale, top + row * scale
                    fill(picture, (x, y, x + scale, y + scale), colour)


def outline(
    picture: Tensor, box: tuple[int, int, int, int], colour: tuple[float, ...], width: int, strength: float = 1.0
) -> None:
    """Draw the border of a box, `width` pixels inwards, in place."""
    left, top, right, bottom = box
    fill(picture, (left, top, right, top + width), colour, strength)
    fill(picture, (left, bottom - width, right, bottom), colour, strength)
    fill(picture, (left, top + width, left + width, bottom - width), colour, strength)
    fill(picture, (right - width, top + width, right, bottom - width), colour, strength)


def fill(picture: Tensor, box: tuple[int, int, int, int], colour: tuple[float, ...], strength: float = 1.0) -> None:
    """Paint the part of a box that is in the picture, in place."""
    left, top, right, bottom = (max(value, 0) for value in box)
    part = picture[:, top:bottom, left:right]
    paint = torch.tensor(colour, dtype=picture.dtype, device=picture.device)[:, None, None]
    part.lerp_(paint.expand_as(part), strength)
