"""Contact sheet of degradations: `python -m training.preview [CONFIG.yaml] [--clip FILE] -o sheet.png`.

Rows are clips of the config's data, or the one file; columns the clean clip and draws of each family of the config,
or of the default mix. A cell shows two frames one under the other, some time apart: what flickers or drifts differs.
T frames, H W sides, S side of a cell; frames are (T, H, W, 3) uint8.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from vfe.config import from_mapping
from vfe.degradations.mix import DegradationMix
from vfe.degradations.presets import preset_family
from vfe.degradations.protocol import Family
from vfe.degradations.vividface import DegradationConfig
from vfe.types import VFEError

from .data.clips import DataConfig, camera_motion, list_items, read_frames, read_masks
from .run.config import read_yaml

LABEL_HEIGHT = 14


@dataclass(frozen=True, kw_only=True)
class SheetConfig:
    """How many clips and draws of each family, and the side of a picture in pixels."""

    clips: int = 4
    draws: int = 2
    frames: int = 25
    side: int = 192
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.clips, self.draws, self.side) < 1 or self.frames < 2:
            raise ValueError(f"{self}: needed clips, draws and side from 1, frames from 2")


class Cell(NamedTuple):
    """One picture of the sheet: the frames (T, H, W, 3) uint8 that it shows, and its label."""

    label: str
    frames: Tensor


def clips_of_data(data: DataConfig, sheet: SheetConfig) -> Iterator[tuple[str, Tensor]]:
    """The names and frames of items that are evenly spaced in the manifest; portraits move as in training."""
    items = list_items(data)
    for number in np.linspace(0, len(items) - 1, min(sheet.clips, len(items))).round().astype(int).tolist():
        item = items[number]
        frames = read_frames(item.path)
        if item.is_image:
            mask = read_masks(item.label, *frames.shape[:3])[0]
            rng = np.random.default_rng([sheet.seed, number])
            frames, _ = camera_motion(frames[0].permute(2, 0, 1), mask, sheet.frames, rng)
        yield item.path.stem, frames[: sheet.frames]


def families_of(name: str, degradation: Family) -> dict[str, Family]:
    """The families that a config draws from, by name; `name` is that of a single one."""
    if isinstance(degradation, DegradationMix):
        return {name: family for name, (_, family) in degradation.families().items()}
    return {name: degradation}


def cells_of(clean: Tensor, families: dict[str, Family], sheet: SheetConfig, row: int) -> list[Cell]:
    """The clean clip, then `sheet.draws` of each family; a draw depends on the seed, the row and its column alone."""
    cells = [Cell("clean", clean)]
    for name, family in families.items():
        for number in range(sheet.draws):
            rng = np.random.default_rng([sheet.seed, row, len(cells)])
            cells.append(Cell(f"{name} {number + 1}", family.draw(rng).apply(clean, rng)))
    return cells


def draw_sheet(rows: list[tuple[str, list[Cell]]], side: int) -> Image.Image:
    """All rows on one picture, each cell with its label above."""
    columns = max(len(cells) for _, cells in rows)
    height = LABEL_HEIGHT + 2 * side
    page = Image.new("RGB", (columns * side, len(rows) * height), "white")
    pen = ImageDraw.Draw(page)
    for row, (name, cells) in enumerate(rows):
        for column, cell in enumerate(cells):
            label = f"{cell.label}: {name}" if column == 0 else cell.label
            page.paste(Image.fromarray(_two_frames(cell.frames, side)), (column * side, row * height + LABEL_HEIGHT))
            pen.rectangle((column * side, row * height, (column + 1) * side, row * height + LABEL_HEIGHT - 1), "white")
            pen.text((column * side + 2, row * height + 1), label, "black")
    return page


def _two_frames(frames: Tensor, side: int) -> np.ndarray:
    """The frames at a third and at two thirds, each cut to its middle square and scaled: (2 S, S, 3)."""
    pair = frames[[len(frames) // 3, 2 * len(frames) // 3]]
    height, width = pair.shape[1:3]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = pair[:, top : top + edge, left : left + edge].permute(0, 3, 1, 2).float()
    scaled = F.interpolate(square, (side, side), mode="bicubic", align_corners=False, antialias=True)
    return torch.cat(list(scaled.permute(0, 2, 3, 1))).round_().clamp_(0, 255).byte().numpy()


def read_config(path: Path | None) -> tuple[DataConfig | None, dict[str, Family]]:
    """The section `data` of a run and what its `preset`, `mix` or `degradation` draws from, defaults where missing.

    Without a file it is the mix's.
    """
    raw = {} if path is None else read_yaml(path)
    data = from_mapping(DataConfig, raw["data"], "data") if "data" in raw else None
    if raw.get("preset") is not None:
        return data, families_of(raw["preset"], preset_family(raw["preset"]))
    if path is None or raw.get("mix") is not None:
        return data, families_of("mix", from_mapping(DegradationMix, raw.get("mix", {}), "mix"))
    return data, families_of("keep", from_mapping(DegradationConfig, raw.get("degradation", {}), "degradation"))


def write_sheet(config: Path | None, clip: Path | None, sheet: SheetConfig, output: Path) -> None:
    """Write the contact sheet as PNG; raises VFEError where there is nothing to show."""
    data, families = read_config(config)
    if clip is not None:
        clips = iter([(clip.stem, read_frames(clip)[: sheet.frames])])
    elif data is not None:
        clips = islice(clips_of_data(data, sheet), sheet.clips)
    else:
        raise VFEError("nothing to degrade: name a run with a section `data`, or a clip with --clip")
    rows = [(name, cells_of(frames, families, sheet, row)) for row, (name, frames) in enumerate(clips)]
    output.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(rows, sheet.side).save(output)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a contact sheet of degradations.")
    parser.add_argument("config", type=Path, nargs="?", help="a run's YAML; its sections data and degradation are read")
    parser.add_argument("--clip", type=Path, help="degrade this video or picture instead of the run's data")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the sheet, a PNG; replaced if it exists")
    for name in ("clips", "draws", "frames", "side", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(SheetConfig, name))
    args = parser.parse_args()
    try:
        sheet = SheetConfig(clips=args.clips, draws=args.draws, frames=args.frames, side=args.side, seed=args.seed)
        write_sheet(args.config, args.clip, sheet, args.output)
    except (OSError, ValueError, VFEError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
