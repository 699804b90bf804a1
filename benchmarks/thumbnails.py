"""The pictures of the ComfyUI templates: `python -m benchmarks.thumbnails workflows`.

Each shows a face before and after, in a way of its own. The faces are the demo clip and photo of the pack and the
portrait that they were made of, all of one person in the public domain; what is after, the bundled model made. The two
templates whose models are not in the pack say so on their pictures.

Frames are (3, H, W) in [-1, 1].
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageDraw, ImageFont

from benchmarks.face_sheets import read_frames, restored
from training.demo import clean_clip
from vfe.degradations.presets import preset_family
from vfe.restore.restorer import Restorer, load

DEMO = Path(__file__).parents[1] / "web" / "demo"
SIDE = 600
"""Pixels of a picture's side."""
QUALITY = 85  # of JPEG, 0 to 100
FRAMES = 9  # of each clip that is restored
FONT = 26  # pixels
MARGIN = 14  # pixels between a label and the border
BY_LITE = "after, here by lite"
INK, FILM, DARK, GREEN, VIOLET = (255, 255, 255), (20, 20, 24), (38, 38, 46), (80, 220, 120), (52, 34, 84)

Area = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, from 0 to 1."""
HEAD, FACE, EYES = (0.14, 0.02, 0.86, 0.74), (0.25, 0.3, 0.75, 0.8), (0.2, 0.38, 0.8, 0.605)
"""What is shown of the clip and of the portrait."""


class Twins(NamedTuple):
    """Frames of one clip as pictures, before and after."""

    before: list[Image.Image]
    after: list[Image.Image]

    def part(self, area: Area, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
        """A part of the middle frame, before and after, at a size in pixels."""
        middle = len(self.before) // 2
        return cut(self.before[middle], area, size), cut(self.after[middle], area, size)


def cut(picture: Image.Image, area: Area, size: tuple[int, int]) -> Image.Image:
    """A part of a picture at a size in pixels."""
    width, height = picture.size
    box = (area[0] * width, area[1] * height, area[2] * width, area[3] * height)
    return picture.resize(size, Image.Resampling.LANCZOS, box=box)


@cache
def lite() -> Restorer:
    """The bundled model on the processor, so that the pictures are the same everywhere."""
    return load("lite", "cpu", "fp32")


def twins(frames: list[torch.Tensor]) -> Twins:
    """Frames beside what the bundled model makes of them."""
    with tempfile.TemporaryDirectory() as folder:
        after = restored(lite(), frames, Path(folder))
    return Twins(*([to_picture(frame) for frame in side] for side in (frames, after)))


def to_picture(frame: torch.Tensor) -> Image.Image:
    """A frame as a picture."""
    levels = ((frame.clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(rearrange(levels, "c h w -> h w c").numpy())


def of_demo(name: str) -> Twins:
    """The beginning of a demo file."""
    return twins(read_frames(DEMO / name)[:FRAMES])


def of_portrait(preset: str, seed: int) -> Twins:
    """The portrait under a moving camera, degraded by a preset of `vfe degrade`."""
    clean, rng = clean_clip(frames=FRAMES), np.random.default_rng(seed)
    degraded = preset_family(preset).draw(rng).apply(clean, rng)
    return twins([rearrange(frame, "h w c -> c h w").float() / 127.5 - 1 for frame in degraded])


def label(picture: Image.Image, text: str, at: tuple[int, int], anchor: str = "lt") -> None:
    """Write a text on a dark plate; `anchor` is the corner of the plate that is at the place."""
    font = ImageFont.load_default(FONT)
    draw = ImageDraw.Draw(picture, "RGBA")
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 20, bottom - top + 16
    x = at[0] - (width if anchor[0] == "r" else width // 2 if anchor[0] == "m" else 0)
    y = at[1] - (height if anchor[1] == "b" else 0)
    draw.rounded_rectangle((x, y, x + width, y + height), 6, fill=(0, 0, 0, 170))
    draw.text((x + 10 - left, y + 8 - top), text, font=font, fill=INK)


def before_and_after(picture: Image.Image) -> None:
    """Name the left and the right half."""
    label(picture, "before", (MARGIN, MARGIN))
    label(picture, "after", (picture.width - MARGIN, MARGIN), "rt")


def divided(before: Image.Image, after: Image.Image, slant: int = 0) -> Image.Image:
    """Two pictures of one size under a divider; it leans over by `slant` pixels at each end."""
    width, height = before.size
    top, bottom = (width // 2 + slant, 0), (width // 2 - slant, height)
    mask = Image.new("L", before.size, 0)
    ImageDraw.Draw(mask).polygon([top, (width, 0), (width, height), bottom], fill=255)
    joined = Image.composite(after, before, mask)
    ImageDraw.Draw(joined).line([top, bottom], fill=INK, width=4)
    return joined


def of_lite() -> Image.Image:
    """One frame of the demo clip under the divider of Compare Videos."""
    picture = divided(*of_demo("vfe_demo.mp4").part((0, 0, 1, 1), (SIDE, SIDE)))
    ImageDraw.Draw(picture).ellipse((SIDE // 2 - 16, SIDE // 2 - 16, SIDE // 2 + 16, SIDE // 2 + 16), fill=INK)
    before_and_after(picture)
    return picture


def of_photo() -> Image.Image:
    """The demo photo as a print, under a divider that leans."""
    picture = Image.new("RGB", (SIDE, SIDE), (226, 222, 212))
    height = SIDE - 60
    width = height * 320 // 364
    picture.paste(divided(*of_demo("vfe_demo.png").part((0, 0, 1, 1), (width, height)), slant=60), (63, 30))
    label(picture, "before", (63 + MARGIN, 30 + MARGIN))
    label(picture, "after", (63 + width - MARGIN, SIDE - 30 - MARGIN), "rb")
    return picture


def of_long() -> Image.Image:
    """Two strips of film, the upper one before, the lower one after."""
    clip = of_portrait("old-film", 3)
    picture, each = Image.new("RGB", (SIDE, SIDE), FILM), 190
    draw = ImageDraw.Draw(picture)
    for row, frames in enumerate(clip):
        top = 55 + row * 285
        for column, number in enumerate((0, 4, 8)):
            picture.paste(cut(frames[number], HEAD, (each, each)), (8 + column * (each + 7), top))
        for x in range(14, SIDE, 40):
            for y in (top - 30, top + each + 14):
                draw.rounded_rectangle((x, y, x + 22, y + 16), 4, fill=(225, 225, 225))
        label(picture, ("before", "after")[row], (8, top + each + 2))
    return picture


def of_steps() -> Image.Image:
    """A frame with a face in a box, and the face cut out of it, before and after."""
    clip = of_demo("vfe_demo.mp4")
    picture, half = Image.new("RGB", (SIDE, SIDE), DARK), SIDE // 2
    shown, left, top = 286, 157, 8  # the frame's side and its corner
    picture.paste(cut(clip.before[len(clip.before) // 2], (0, 0, 1, 1), (shown, shown)), (left, top))
    draw = ImageDraw.Draw(picture)
    box = [(left, top)[place % 2] + side * shown for place, side in enumerate(FACE)]
    draw.rectangle(box, outline=GREEN, width=4)
    label(picture, "1", (round(box[0]) + 4, round(box[1]) + 4))
    for column, face in enumerate(clip.part(FACE, (half - 15, half - 15))):
        picture.paste(face, (10 + column * (half - 5), half + 5))
    draw.polygon([(half - 22, 430), (half + 22, 452), (half - 22, 474)], fill=GREEN)
    label(picture, "before", (10 + MARGIN, SIDE - 10 - MARGIN), "lb")
    label(picture, "after", (SIDE - 10 - MARGIN, SIDE - 10 - MARGIN), "rb")
    return picture


def of_folder() -> Image.Image:
    """Four clips with four kinds of damage, as cards."""
    picture, each = Image.new("RGB", (SIDE, SIDE), DARK), 262
    for number, preset in enumerate(("medium", "webcam", "old-film", "keep")):
        card = divided(*of_portrait(preset, number).part(HEAD, (each, each)))
        picture.paste(card, (25 + number % 2 * (each + 26), 56 + number // 2 * (each + 14)))
    before_and_after(picture)
    return picture


def write_title(picture: Image.Image, name: str, middle: int) -> None:
    """Write the name of a model that is not in the pack, with what it needs."""
    draw = ImageDraw.Draw(picture)
    for text, size, y in ((name, 46, middle - 20), ("Wan2.1 1.3B: bring its weights", 26, middle + 26)):
        draw.text((SIDE // 2, y), text, font=ImageFont.load_default(size), fill=INK, anchor="mm")


def of_vividface() -> Image.Image:
    """A face on either side, over the name of the model; what is after, another has made, and the picture says so."""
    picture, height = Image.new("RGB", (SIDE, SIDE), VIOLET), 470
    for column, face in enumerate(of_portrait("severe", 0).part((0.26, 0.22, 0.74, 0.97), (SIDE // 2 - 2, height))):
        picture.paste(face, (column * (SIDE // 2 + 2), 0))
    label(picture, "before", (MARGIN, MARGIN))
    label(picture, BY_LITE, (SIDE - MARGIN, MARGIN), "rt")
    write_title(picture, "VividFace", (height + SIDE) // 2)
    return picture


def of_dvface() -> Image.Image:
    """Eyes above and below, and the name of the model between; what is after, another has made, as the picture says."""
    picture, height = Image.new("RGB", (SIDE, SIDE), VIOLET), 225
    for row, face in enumerate(of_portrait("webcam", 5).part(EYES, (SIDE, height))):
        picture.paste(face, (0, row * (SIDE - height)))
    label(picture, "before", (MARGIN, MARGIN))
    label(picture, BY_LITE, (SIDE - MARGIN, SIDE - MARGIN), "rb")
    write_title(picture, "DVFace + codebooks", SIDE // 2)
    return picture


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "Restore face video (lite)": of_lite,
    "Restore a photo (lite)": of_photo,
    "Restore long video (lite)": of_long,
    "Restore faces step by step (lite)": of_steps,
    "Restore a folder of clips (lite)": of_folder,
    "Restore face video (VividFace)": of_vividface,
    "Restore face video (DVFace with prior)": of_dvface,
}
"""What draws the picture of each template, by its title."""


def main() -> None:
    """Draw the pictures of all templates."""
    parser = argparse.ArgumentParser(description="Make the pictures of the ComfyUI templates.")
    parser.add_argument("folder", type=Path, help="the folder of the templates; pictures that it has are replaced")
    args = parser.parse_args()
    for title, draw in PICTURES.items():
        draw().save(args.folder / f"{title}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
