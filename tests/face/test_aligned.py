"""Laws of aligned crops in frames: unrestored ones change nothing, nothing changes outside, and no border is hard."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.face_tracks import moving_boxes, template_landmarks, track_of
from vfe.face.paste.aligned import AlignedPatcher
from vfe.face.paste.paste import PasteConfig, paste
from vfe.face.track.tracks import FaceTrack

PLAIN = PasteConfig(match_colours=False)
HEIGHT, WIDTH = 120, 150


def track(frames: int = 6, scale: float = 90.0, roll: float = 0.0, x: float = 70.0) -> FaceTrack:
    """A face whose crop has `scale` pixels of the frame, and a box that fits it."""
    landmarks = torch.stack([template_landmarks(scale, roll, x + 0.5 * t, 60) for t in range(frames)]).float()
    half = scale * 0.22
    made = track_of(moving_boxes(frames, (x - half, 60 - half, x + half, 60 + half)))
    return replace(made, landmarks=landmarks)


def frame(seed: int = 0) -> Tensor:
    return torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("roll", [0.0, 0.5])
@pytest.mark.parametrize("x", [70.0, 5.0, 145.0])
def test_unrestored_crops_give_the_frame_bit_by_bit(roll: float, x: float) -> None:
    patcher = AlignedPatcher(track(roll=roll, x=x))
    for index in range(6):
        crop = patcher.take(frame(), index)
        assert crop.shape == (3, patcher.side, patcher.side)
        assert torch.equal(paste(frame(), [patcher.patch(frame(), index, crop, crop)]), frame())


def test_a_changed_face_is_seen_and_nothing_else() -> None:
    patcher = AlignedPatcher(track(roll=0.4), PLAIN)
    crop = patcher.take(frame(), 2)
    patch = patcher.patch(frame(), 2, crop, crop + 0.5)
    changed = (paste(frame() * 0.4, [patch]) - frame() * 0.4).abs().amax(0)
    assert changed[55:65, 65:75].min() > 0.45
    assert not changed[:5].any()
    assert not changed[:, :15].any()
    assert not changed[:, -30:].any()
    assert changed.diff(dim=0).abs().max() < 0.12
    assert changed.diff(dim=1).abs().max() < 0.12


def test_a_face_that_has_gone_is_not_shown() -> None:
    gone = replace(track(), presence=torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0, 0.0]))
    patcher = AlignedPatcher(gone, PLAIN)
    weights = [patcher.patch(frame(), i, c := patcher.take(frame(), i), c).weight.sum() for i in range(3)]
    assert weights[1] == pytest.approx(0.5 * float(weights[0]), rel=0.02)
    assert weights[2] == 0


def test_slow_changes_of_colour_are_kept_out() -> None:
    patcher = AlignedPatcher(track())
    crop = patcher.take(frame(), 0)
    patch = patcher.patch(frame(), 0, crop, crop + torch.tensor([0.2, 0.0, -0.2]).view(3, 1, 1))
    assert patch.change.abs().max() < 1e-3


def test_a_profile_is_left_as_it_is() -> None:
    """The nose's tip far beyond an eye."""
    profile = track()
    landmarks = profile.landmarks.clone()
    landmarks[:, 2, 0] += 40
    patcher = AlignedPatcher(replace(profile, landmarks=landmarks), PLAIN)
    crop = patcher.take(frame(), 2)
    assert torch.equal(paste(frame(), [patcher.patch(frame(), 2, crop, crop + 0.5)]), frame())


AROUND = replace(PLAIN, around=True)


@pytest.mark.parametrize("roll", [0.0, 0.5])
@pytest.mark.parametrize("x", [70.0, 5.0, 145.0])
def test_unrestored_surroundings_give_the_frame_bit_by_bit(roll: float, x: float) -> None:
    patcher = AlignedPatcher(track(roll=roll, x=x), PasteConfig(around=True))
    for index in range(6):
        crop = patcher.take(frame(), index)
        assert torch.equal(paste(frame(), [patcher.patch(frame(), index, crop, crop)]), frame())


def test_what_is_around_a_face_is_shown_as_far_as_the_crop_goes() -> None:
    """The crop has 90 pixels of the frame, around (71, 60) on this frame or a little lower."""
    around, alone = (AlignedPatcher(track(), config) for config in (AROUND, PLAIN))
    still = torch.zeros(3, HEIGHT, WIDTH)
    changed, face = (
        (paste(still, [one.patch(still, 2, crop := one.take(still, 2), crop + 0.5)])).amax(0) for one in (around, alone)
    )
    assert (changed >= face - 1e-6).all()
    assert changed[60, 42:100].min() > 0.45  # beside the face too
    assert face[60, 42:47].max() < 0.05
    assert not changed[:, :24].any()
    assert not changed[:, 118:].any()
    assert max(changed.diff(dim=axis).abs().max() for axis in (0, 1)) < 0.1


def test_surroundings_keep_off_other_faces() -> None:
    still = torch.zeros(3, HEIGHT, WIDTH)
    one, other = (AlignedPatcher(track(x=x), AROUND) for x in (45.0, 100.0))
    first, second = (
        each.patch(still, 2, crop := each.take(still, 2), crop + by) for each, by in ((one, 0.5), (other, -0.5))
    )
    both = paste(still, [first, second])
    for patch in (first, second):
        rows, columns = patch.area.slices
        whole = patch.weight > 0.999
        assert whole.any()
        alone = paste(still, [patch])[:, rows, columns][:, whole]
        assert torch.allclose(both[:, rows, columns][:, whole], alone, atol=1e-3)


@pytest.mark.parametrize("presence", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("blend", [0.0, 0.5, 1.0])
def test_surroundings_are_shown_as_much_as_the_face(presence: float, blend: float) -> None:
    shown = replace(track(), presence=torch.full((6,), presence))
    patcher = AlignedPatcher(shown, replace(AROUND, blend=blend))
    still = torch.zeros(3, HEIGHT, WIDTH)
    crop = patcher.take(still, 2)
    changed = paste(still, [patcher.patch(still, 2, crop, crop + 0.5)])[0]
    assert changed.max() == pytest.approx(0.5 * presence * blend, abs=1e-3)
    assert changed[60, 48] == pytest.approx(0.5 * presence * blend, abs=0.02)
