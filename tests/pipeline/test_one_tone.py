"""Black-and-white film stays black and white, sepia stays sepia, and what has colour is restored in colour."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.luma import LUMA
from vfe.pipeline.keeping import KeepsToneAndStillness, keeping
from vfe.pipeline.one_step import OneStepPipeline
from vfe.pipeline.one_tone import colour_share, in_tone_of, keep_tone
from vfe.pipeline.windows import WindowConfig
from vfe.types import CheckCancelled, never_cancelled

TINTS = {"grey": (0.0, 0.0, 0.0), "blue": (-0.05, 0.0, 0.08), "sepia": (0.12, 0.0, -0.2)}
"""What is added to red, green and blue, of sepia where it is neither dark nor bright."""


def luma_of(frame: Tensor) -> Tensor:
    return torch.einsum("...chw,c->...hw", frame, torch.tensor(LUMA))


def toned(tint: str, frames: int = 5) -> list[Tensor]:
    """Frames of one tone."""
    grey = drifting_pattern(frames, 64, 80)[0].mean(0, keepdim=True).expand(3, -1, -1, -1)
    added = torch.tensor(TINTS[tint]).view(3, 1, 1, 1)
    clip = grey * 0.7 + added * ((1 - grey.square()) if tint == "sepia" else 1)
    return list(clip.unbind(1))


def noisy(frames: list[Tensor], levels: float) -> list[Tensor]:
    """Frames with noise of so many levels of 255, in each colour for itself."""
    generator = torch.Generator().manual_seed(0)
    return [frame + torch.randn(frame.shape, generator=generator) * levels / 127.5 for frame in frames]


class Tinting:
    """Makes frames bluer, and flatter."""

    def window_for(self, height: int, width: int) -> WindowConfig:
        return WindowConfig(5 if height < width else 9, 0)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        check()
        self.made = [(frame * 0.9 + strength * torch.tensor([-0.05, 0, 0.1]).view(3, 1, 1)) for frame in frames]
        return self.made


@pytest.mark.parametrize("tint", TINTS)
def test_footage_of_one_tone_keeps_it(tint: str) -> None:
    frames, tinting = toned(tint), Tinting()
    assert {colour_share(frame) for frame in frames} == {0}
    restored = keep_tone(frames, tinting.restore_window(frames, 1.0, never_cancelled))
    for frame, made, kept in zip(frames, tinting.made, restored, strict=True):
        torch.testing.assert_close(kept - luma_of(kept)[None], frame - luma_of(frame)[None], atol=1e-6, rtol=0)
        torch.testing.assert_close(luma_of(kept), luma_of(made), atol=1e-6, rtol=0)


def test_grey_stays_grey_to_the_bit() -> None:
    pipeline = OneStepPipeline(tiny_lite(0.02), WindowConfig(5, 1))
    frames = toned("grey", 9)
    for frame, restored in zip(frames, pipeline.stream(frames), strict=True):
        assert torch.equal(restored[0], restored[1])
        assert torch.equal(restored[1], restored[2])
        assert not torch.equal(restored, frame)


def test_what_has_colour_is_restored_in_colour() -> None:
    frames, tinting = list(drifting_pattern(5, 64, 80)[0].unbind(1)), Tinting()
    assert {colour_share(frame) for frame in frames} == {1}
    kept = keep_tone(frames, tinting.restore_window(frames, 0.5, never_cancelled))
    assert all(one is made for one, made in zip(kept, tinting.made, strict=True))


def test_each_frame_is_judged_by_itself() -> None:
    """As where a cut leads from black and white to colour."""
    frames, tinting = [*toned("grey", 2), *drifting_pattern(2, 64, 80)[0].unbind(1)], Tinting()
    kept = keep_tone(frames, tinting.restore_window(frames, 0.5, never_cancelled))
    assert [bool((frame == frame[:1]).all()) for frame in kept] == [True, True, False, False]
    assert [one is made for one, made in zip(kept, tinting.made, strict=True)] == [False, False, True, True]


@pytest.mark.parametrize("tint", TINTS)
def test_noise_and_what_codecs_leave_is_no_colour(tint: str) -> None:
    shares = [colour_share(noisy(toned(tint, 1), levels)[0]) for levels in (1, 2, 2.5, 3, 4)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert 0 < shares[2] < 1


def test_hardly_any_colour_counts_as_much_as_there_is() -> None:
    frame, made = noisy(toned("grey", 1), 2)[0].clamp(-1, 1), toned("blue", 1)[0]
    luma, half, colour = (in_tone_of(frame, made, share) for share in (0.0, 0.5, 1.0))
    assert colour is made
    torch.testing.assert_close(half, (luma + colour) / 2, atol=1e-6, rtol=0)


def test_what_gets_too_bright_is_white() -> None:
    frame = torch.full((3, 8, 8), 0.9)
    assert in_tone_of(frame, frame + 0.3, 0.0).max() == 1


def test_batches_and_frames_of_any_size() -> None:
    batch = [torch.stack([frame, frame.flip(-1)]) for frame in toned("sepia")]
    made = Tinting().restore_window(batch, 1.0, never_cancelled)
    kept = keep_tone(batch, made)
    alone = keep_tone([frame[1] for frame in batch], [frame[1] for frame in made])
    for both, one in zip(kept, alone, strict=True):
        torch.testing.assert_close(both[1], one)
    assert colour_share(torch.zeros(3, 1, 1)) == 0
    assert colour_share(torch.full((3, 9, 9), float("nan"))) == 0
    assert KeepsToneAndStillness(Tinting()).window_for(64, 80) == WindowConfig(5, 0)


def test_bars_beside_a_tinted_picture_do_not_count() -> None:
    """Black has no tone: seen together, bars and a light picture would look like two colours."""
    framed = [torch.nn.functional.pad(frame, (0, 0, 32, 32), value=-1) for frame in toned("blue")]
    for frame, kept in zip(framed, keeping(Tinting()).restore_window(framed, 1.0, never_cancelled), strict=True):
        assert torch.equal(kept[:, :32], frame[:, :32])
        torch.testing.assert_close(kept[2] - kept[0], frame[2] - frame[0], atol=1e-6, rtol=0)
