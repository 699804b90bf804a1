"""Landmarks that move, label files, and the main face of a real portrait."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.scored_clips import face_at, moments, score, textured
from vfe.face.detect.detector import FaceDetector
from vfe.score.faces import LabelledFace, MainFace, face_near
from vfe.score.metrics.akd5 import Akd5
from vfe.score.metrics.tlme5 import Tlme5
from vfe.score.picture import Picture
from vfe.types import VFEError

FRAMES = [textured(48, 64)] * 4
POINTS = torch.tensor([[20.0, 20], [40, 20], [30, 28], [24, 36], [36, 36]])


def test_akd5_is_the_distance_over_the_longer_side() -> None:
    faces = [(face_at(POINTS + torch.tensor([3.0, 1.0])), face_at(POINTS))] * 4
    assert score(Akd5(), moments(FRAMES, FRAMES, faces)).value == pytest.approx(1e3 * 2 / 64)


def test_faces_that_are_missing_are_told() -> None:
    faces = [(face_at(POINTS), face_at(POINTS)), (None, face_at(POINTS)), (face_at(POINTS), None), (None, None)]
    found = score(Akd5(), moments(FRAMES, FRAMES, faces))
    assert found.value == 0
    assert found.why.startswith("3 of 4 frames left out")
    assert math.isnan(score(Akd5(), moments(FRAMES, FRAMES)).value)


def test_tlme5_sees_motion_and_no_constant_offset() -> None:
    path = [POINTS + torch.tensor([2.0 * step, 0]) for step in range(4)]
    offset = [(face_at(points + 5), face_at(points)) for points in path]
    assert score(Tlme5(), moments(FRAMES, FRAMES, offset)).value == pytest.approx(0, abs=1e-6)
    jumping = [
        (face_at(points + torch.tensor([0, 3.0 * (step % 2)])), face_at(points)) for step, points in enumerate(path)
    ]
    assert score(Tlme5(), moments(FRAMES, FRAMES, jumping)).value == pytest.approx(1e3 * 3 / 64)


def test_jitter_of_sigma_has_the_mean_length_of_its_difference() -> None:
    generator = torch.Generator().manual_seed(0)
    many = [FRAMES[0]] * 400
    faces = [(face_at(POINTS + torch.randn(5, 2, generator=generator)), face_at(POINTS)) for _ in many]
    expected = math.sqrt(2) * math.sqrt(math.pi / 2)  # the mean of Rayleigh's distribution
    assert score(Tlme5(), moments(many, many, faces)).value == pytest.approx(1e3 * expected / 64, rel=0.03)


def test_labels_say_where_the_face_is(tmp_path: Path) -> None:
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[1, 2:4, 4:6] = 1
    file = tmp_path / "clip.npz"
    np.savez(file, masks=np.packbits(masks, axis=-1), boxes=np.zeros((2, 4)), landmarks5=np.ones((2, 5, 2)))
    source, picture = LabelledFace(file), Picture(textured(48, 64))
    first, second, third = source.next(picture), source.next(picture), source.next(picture)
    assert first is not None
    assert not first.region.any()
    assert second is not None
    assert second.region[12:24, 32:48].all()
    assert int(second.region.sum()) == 12 * 16
    assert third is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"no zip at all"])
def test_a_file_that_is_no_labels_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "clip.npz"
    file.write_bytes(content)
    with pytest.raises(VFEError, match="is no file of labels"):
        LabelledFace(file)


def test_labels_without_landmarks_are_told(tmp_path: Path) -> None:
    file = tmp_path / "clip.npz"
    np.savez(file, masks=np.zeros((1, 8, 1), np.uint8), boxes=np.zeros((1, 4)))
    with pytest.raises(VFEError, match="is no file of labels"):
        LabelledFace(file)


@pytest.mark.slow
def test_the_main_face_is_found_and_lost() -> None:
    astronaut = pytest.importorskip("skimage.data").astronaut()
    portrait = Picture(torch.from_numpy(astronaut).permute(2, 0, 1)[:, :256, 96:352].contiguous())
    wall = Picture(torch.full((3, 256, 256), 120, dtype=torch.uint8))
    detector = FaceDetector.load()
    source = MainFace(detector)
    first, nothing, again = source.next(portrait), source.next(wall), source.next(portrait)
    assert nothing is None
    assert first is not None
    assert again is not None
    assert torch.allclose(first.landmarks, again.landmarks, atol=1e-3)
    assert 0.03 < float(first.region.float().mean()) < 0.5
    assert first.close is not None
    assert face_near(detector, wall, first.close) is None
