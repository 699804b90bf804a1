"""Short texts drawn into pictures, white on a dark box. Pictures are (3, H, W) in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...vfe.types import VFEError

SHARE = 1 / 22
"""The height of the letters in heights of the picture."""
LEAST, MOST_WIDTH = 9, 0.45
"""The least height of the letters in pixels, and the most width of a label in widths of the picture."""
DARKNESS = 0.6
"""How much of the box hides the picture."""
FONTS = (
    *("DejaVuSans.ttf", "arial.ttf", "Arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "wqy-microhei.ttc"),
)
"""Fonts of the systems, for signs that Pillow's own has not: accents, other scripts, Chinese."""
NOT_A_SIGN = "\ufffe"


@dataclass(frozen=True)
class Label:
    """A text as pixels."""

    ink: Tensor
    """How much of each pixel (h, w) is letter, 0 to 1."""

    def drawn(self, picture: Tensor, *, on_the_right: bool = False, white: float = 1.0) -> Tensor:
        """Return a picture with the label in an upper corner; `white` is the value of its letters."""
        _, height, width = picture.shape
        margin = max(2, height // 60)
        h, w = min(self.ink.shape[0], height - margin), min(self.ink.shape[1], width - margin)
        if min(h, w) < 1:
            return picture
        left = width - margin - w if on_the_right else margin
        result = picture.clone()
        place = result[:, margin : margin + h, left : left + w]
        dark = place * (1 - DARKNESS) - DARKNESS
        place[:] = torch.lerp(dark, torch.full_like(dark, white), self.ink[:h, :w])
        return result


def label(text: str, size: tuple[int, int]) -> Label | None:
    """Return a text for pictures of `size` (width, height); None where there is none.

    Raises VFEError where no font of this machine has its signs.
    """
    text = " ".join(text.split())
    if not text:
        return None
    letters = max(LEAST, round(size[1] * SHARE))
    font = _font_for(text, letters)
    while letters > LEAST and font.getlength(text) > MOST_WIDTH * size[0]:
        letters -= 1
        font = _font_for(text, letters)
    pad, height = max(2, letters // 3), sum(font.getmetrics())  # as high for every text
    image = Image.new("L", (round(font.getlength(text)) + 2 * pad, height + pad))
    ImageDraw.Draw(image).text((pad, pad // 2), text, fill=255, font=font)
    return Label(torch.from_numpy(np.asarray(image, np.float32) / 255))


def _font_for(text: str, letters: int) -> ImageFont.FreeTypeFont:
    """Return a font, `letters` pixels high, that has all signs of a text; VFEError where there is none."""
    own = ImageFont.load_default(letters)
    if isinstance(own, ImageFont.FreeTypeFont) and _has(own, text):
        return own
    for name in FONTS:
        try:
            font = ImageFont.truetype(name, letters)
        except OSError:  # not on this machine
            continue
        if _has(font, text):
            return font
    raise VFEError(f"no font here has all signs of the label {text!r}; needed are Latin letters, or an empty label")


def _has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Return whether a font has the signs of a text: it draws others all alike."""
    unknown = bytes(font.getmask(NOT_A_SIGN))
    return not unknown or all(sign.isspace() or bytes(font.getmask(sign)) != unknown for sign in text)
