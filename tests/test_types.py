"""Shapes of videos and of their latents: 4n+1 frames, and sides that are multiples."""

from __future__ import annotations

import pytest

from vfe.types import VideoShape, padded_frames, whole_frames


@pytest.mark.parametrize(("frames", "padded", "whole"), [(1, 1, 1), (2, 5, 1), (4, 5, 1), (5, 5, 5), (6, 9, 5)])
def test_frames_are_padded_or_cut_to_whole_latents(frames: int, padded: int, whole: int) -> None:
    assert padded_frames(frames) == padded
    assert whole_frames(frames) == whole


@pytest.mark.parametrize("per_latent", [1, 4, 8])
def test_padding_adds_less_than_a_latent(per_latent: int) -> None:
    for frames in range(1, 40):
        padded, whole = padded_frames(frames, per_latent), whole_frames(frames, per_latent)
        assert whole <= frames <= padded < frames + per_latent
        assert (padded - 1) % per_latent == 0
        assert (whole - 1) % per_latent == 0


def test_a_shape_is_padded_only_where_it_has_to_be() -> None:
    assert VideoShape(6, 17, 32).padded(16) == VideoShape(9, 32, 32)
    assert VideoShape(9, 32, 32).padded(16) == VideoShape(9, 32, 32)


def test_latents_of_a_padded_shape_lead_back_to_it() -> None:
    for frames in (1, 5, 81):
        shape = VideoShape(frames, 64, 48)
        assert shape.to_latent(8) == VideoShape((frames + 3) // 4, 8, 6)
        assert shape.to_latent(8).from_latent(8) == shape
    assert VideoShape(17, 64, 48).to_latent(16, 8).from_latent(16, 8) == VideoShape(17, 64, 48)
