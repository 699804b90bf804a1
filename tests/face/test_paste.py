"""Laws of pasting: unrestored crops change nothing, nothing changes outside, and no border is hard."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, track_of
from vfe.face.paste.colour import match_colours
from vfe.face.paste.crop_box import CropConfig
from vfe.face.paste.paste import FaceConfig, FacePatcher, PasteConfig, Patch, paste
from vfe.face.track.tracks import FaceTrack

PLAIN = FaceConfig(paste=PasteConfig(match_colours=False))
CASES = [
    ((90, 70), moving_boxes(12, (20, 30, 44, 60))),
    ((91, 73), moving_boxes(12, (20, 30, 44, 60), (1.37, -0.61))),
    ((75, 111), moving_boxes(12, (-12, 40, 20, 78), (-0.4, 0.8))),
    ((64, 64), moving_boxes(12, (-20, -20, 90, 100))),
    ((61, 47), moving_boxes(12, (30, 20, 60, 50), (4, 0))),
]
"""Height and width of frames, and boxes: still, moving, cut by the border, larger than the frame, leaving it."""


def frame_of(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def face(count: int = 1) -> FaceTrack:
    return track_of(moving_boxes(count, (30, 30, 60, 70)))


def patched(frame: Tensor, patcher: FacePatcher, index: int, change: float) -> tuple[Patch, Tensor]:
    """A face brightened by so much."""
    crop = patcher.take(frame, index)
    patch = patcher.patch(frame, index, crop, crop + change)
    return patch, paste(frame, [patch])


@pytest.mark.parametrize(("size", "boxes"), CASES)
def test_unrestored_crops_give_the_frame(size: tuple[int, int], boxes: Tensor) -> None:
    """Bit by bit; rounded to 8 bits on their way, within 1/255 of the range."""
    patcher, frame = FacePatcher(track_of(boxes)), frame_of(*size)
    for index in range(len(boxes)):
        crop = patcher.take(frame, index)
        assert crop.shape == (3, patcher.side, patcher.side)
        assert torch.equal(paste(frame, [patcher.patch(frame, index, crop, crop)]), frame)
        rounded = ((crop + 1) * 127.5).round() / 127.5 - 1
        assert (paste(frame, [patcher.patch(frame, index, crop, rounded)]) - frame).abs().max() <= 2 / 255


@pytest.mark.parametrize(("size", "boxes"), CASES)
def test_pixels_outside_of_the_region_keep_every_bit(size: tuple[int, int], boxes: Tensor) -> None:
    patcher, frame = FacePatcher(track_of(boxes)), frame_of(*size)
    for index in (0, 5, 11):
        crop = patcher.take(frame, index)
        patch = patcher.patch(frame, index, crop, frame_of(patcher.side, patcher.side, 1))
        weight = torch.zeros(size)
        weight[patch.area.slices] = patch.weight
        out = paste(frame, [patch])
        assert torch.equal(out[:, weight == 0], frame[:, weight == 0])
        changed = (out != frame).any(0)
        assert out.abs().max() <= 1
        assert changed.float().mean() > 0.02 or boxes[index, 0] > size[1]


def test_a_restored_face_arrives_whole_and_within_its_window() -> None:
    patcher, frame = FacePatcher(face(), PLAIN), torch.zeros(3, 100, 90)
    patch, out = patched(frame, patcher, 0, 0.2)
    assert torch.allclose(out[:, 45:56, 40:51], torch.tensor(0.2))
    assert patch.weight.min() == 0
    assert patch.weight.max() == pytest.approx(1)
    border = torch.cat([patch.weight[[0, -1]].flatten(), patch.weight[:, [0, -1]].flatten()])
    assert border.max() == 0
    assert max(patch.weight.diff(dim=axis).abs().max() for axis in (0, 1)) < 0.25


def test_colours_stay_as_they_were_and_details_come() -> None:
    generator = torch.Generator().manual_seed(0)
    crop, detail = torch.rand(3, 128, 128, generator=generator), torch.randn(3, 128, 128, generator=generator)
    assert torch.allclose(match_colours(crop + torch.tensor([0.2, -0.1, 0])[:, None, None], crop), crop, atol=1e-5)
    kept = match_colours(crop + 0.1 * detail, crop) - crop
    assert torch.corrcoef(torch.stack([kept.flatten(), detail.flatten()]))[0, 1] > 0.99
    frame = frame_of(100, 90)
    assert torch.allclose(patched(frame, FacePatcher(face()), 0, 0.2)[1], frame, atol=1e-5)


@pytest.mark.parametrize("blend", [0.0, 0.4, 1.0])
def test_blend_and_presence_scale_what_is_shown(blend: float) -> None:
    track, frame = replace(face(2), presence=torch.tensor([1.0, 0.25])), torch.zeros(3, 100, 90)
    patcher = FacePatcher(track, FaceConfig(paste=PasteConfig(blend=blend, match_colours=False)))
    for index, presence in ((0, 1.0), (1, 0.25)):
        assert patched(frame, patcher, index, 0.5)[1].max() == pytest.approx(0.5 * blend * presence)


def test_faces_in_one_place_share_it() -> None:
    """Twice the same change is the change; and elsewhere neither knows of the other."""
    patcher, frame = FacePatcher(face(), PLAIN), frame_of(100, 140) * 0.5
    patch, alone = patched(frame, patcher, 0, 0.2)
    assert (paste(frame, [patch, patch]) - frame).max() < 0.2 + 1e-6
    centre = (slice(None), slice(45, 56), slice(40, 51))
    assert torch.allclose(paste(frame, [patch, patch])[centre], alone[centre], atol=1e-6)
    apart = FacePatcher(track_of(moving_boxes(1, (100, 30, 130, 70))), PLAIN)
    other, other_alone = patched(frame, apart, 0, -0.3)
    both = paste(frame, [patch, other])
    assert torch.allclose(both - frame, (alone - frame) + (other_alone - frame), atol=1e-6)


def test_regions_that_flicker_are_steadied() -> None:
    track, frame = face(40), torch.zeros(3, 100, 90)
    flicker = track.masks.clone()
    flicker[::2] = flicker[::2].roll(2, -1)
    shaken = torch.randn(40, 2, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([0, 0, 1.0])
    noisy = replace(track, masks=flicker, matrices=track.matrices + shaken)

    def changes(smooth: float) -> float:
        patcher = FacePatcher(noisy, FaceConfig(paste=PasteConfig(smooth=smooth, match_colours=False)))
        shown = torch.stack([patched(frame, patcher, index, 1.0)[1][0] for index in range(10, 30)])
        return float(shown.diff(dim=0).abs().mean())

    assert changes(3.0) < 0.2 * changes(0.0)


def test_no_patch_no_work() -> None:
    frame = frame_of(10, 10)
    assert paste(frame, []) is frame


def test_the_largest_face_of_a_small_frame_fits() -> None:
    patcher = FacePatcher(face(), FaceConfig(crop=CropConfig(side=64)))
    assert patcher.side == 64
    assert patcher.take(frame_of(40, 33), 0).shape == (3, 64, 64)


@pytest.mark.parametrize("wrong", [{"blend": 1.1}, {"blend": -0.1}, {"feather": 0.6}, {"smooth": float("nan")}])
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needed"):
        PasteConfig(**wrong)  # type: ignore[arg-type]
