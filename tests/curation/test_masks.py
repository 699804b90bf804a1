"""Masks of clips: the oval of the face, and the head by a parser or by the box that is grown."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import vfe.curation.head_parser
from vfe.curation.cut import masks_of
from vfe.curation.head import HEAD, head_boxes
from vfe.curation.head_parser import ParserChoice
from vfe.curation.masks import grown_masks, oval_masks
from vfe.curation.steady import SteadyFace
from vfe.curation.window import Window
from vfe.face.detect.upright import crop_matrices
from vfe.face.track.tracks import FACE_RADII
from vfe.face.track.tracks import oval_masks as ovals_in_crops
from vfe.types import VFEError

WINDOW = Window(20, 10, 192)
BOX = (80.0, 60.0, 140.0, 140.0)


def face(roll: float = 0.0) -> SteadyFace:
    """A face on two frames, turned by `roll` radians."""
    boxes = torch.tensor([BOX, BOX])
    matrices = crop_matrices(boxes, torch.full((2,), roll))
    return SteadyFace(boxes, torch.zeros(2, 5, 2), torch.ones(2), torch.ones(2).bool(), ovals_in_crops(boxes), matrices)


def drawn(middle: tuple[float, float], radii: tuple[float, float], roll: float = 0.0) -> Tensor:
    """An oval in pixels of the frame as a mask of the window."""
    at = (torch.arange(96) + 0.5) * 2
    y, x = torch.meshgrid(at + WINDOW.top - middle[1], at + WINDOW.left - middle[0], indexing="ij")
    across, down = x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll)
    return (across / radii[0]) ** 2 + (down / radii[1]) ** 2 < 1


def common(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_oval_is_where_the_face_is() -> None:
    masks = oval_masks(face(), WINDOW)
    assert masks.shape == (2, 96, 96)
    radii = (60 * FACE_RADII[0] * 1.1, 80 * FACE_RADII[1] * 1.1)
    assert common(masks[0], drawn((110, 100), radii)) > 0.95


@pytest.mark.parametrize("roll", [0.0, 0.5])
def test_a_grown_box_is_an_oval_around_the_head(roll: float) -> None:
    masks = grown_masks(face(roll), WINDOW)
    left, top, right, bottom = HEAD
    radii = (60 * (0.5 + (left + right) / 2), 80 * (0.5 + (top + bottom) / 2))
    rise = 80 * (top - bottom) / 2
    middle = (110 + rise * math.sin(roll), 100 - rise * math.cos(roll))
    assert common(masks[0], drawn(middle, radii, roll)) > 0.95
    assert bool((masks[0] | ~oval_masks(face(roll), WINDOW)[0]).float().mean() > 0.99), "the face is in the head"


def test_the_box_of_a_head_is_larger() -> None:
    left, top, right, bottom = head_boxes(torch.tensor([BOX]))[0].tolist()
    assert left < BOX[0]
    assert top < BOX[1] - 30
    assert right > BOX[2]
    assert bottom > BOX[3]


class HalfParser(nn.Module):
    """Stands in for BiSeNet: the upper half is hair, the rest is neck."""

    def forward(self, crops: Tensor) -> tuple[Tensor]:
        classes = torch.zeros(len(crops), 19, *crops.shape[-2:])
        upper = crops.shape[-2] // 2
        classes[:, 17, :upper] = 20
        classes[:, 14, upper:] = 20
        return (classes,)


def test_a_parser_says_what_is_head(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vfe.curation.head_parser, "load_parser", lambda _: HalfParser())
    parser = ParserChoice.of("head", tmp_path / "parsing_bisenet.pth")()
    masks = masks_of(torch.zeros(2, 64, 64, 3, dtype=torch.uint8), face(), WINDOW, "head", parser)
    assert masks.shape == (2, 96, 96)
    assert bool(masks[:, :48].all())
    assert not bool(masks[:, 48:].any())


def test_where_the_parser_cannot_be_used_the_box_is_grown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VFE_MODELS", str(tmp_path))
    assert ParserChoice.of("head", None).path is None
    (tmp_path / "parsing_bisenet.pth").write_bytes(b"no weights")
    assert ParserChoice.of("head", None).path is None
    with pytest.raises(VFEError):
        ParserChoice.of("head", tmp_path / "parsing_bisenet.pth")


def test_a_parser_that_is_there_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "parsing_bisenet.pth").write_bytes(b"weights")
    monkeypatch.setenv("VFE_MODELS", str(tmp_path))
    monkeypatch.setattr(vfe.curation.head_parser, "load_parser", lambda _: HalfParser())
    assert ParserChoice.of("head", None).path == tmp_path / "parsing_bisenet.pth"
    assert ParserChoice.of("oval", None).path is None
