"""Laws of the one-step pipeline: identity at no step, windows and tiles without seams, cancellation, determinism."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.support.tiny_lite import drifting_pattern, tiny_lite
from vfe.models.flow import OneStepFlow
from vfe.models.lite import LiteModel
from vfe.models.prior import Prior
from vfe.pipeline.one_step import OneStepPipeline, TileConfig, WindowConfig, pad_clip
from vfe.types import Cancelled, CheckCancelled, never_cancelled


@pytest.mark.parametrize("size", [(1, 8, 8), (2, 16, 16), (5, 33, 17), (14, 253, 147)])
def test_untrained_model_returns_its_input_at_any_size(size: tuple[int, int, int]) -> None:
    video = drifting_pattern(*size)
    restored = OneStepPipeline(tiny_lite(), WindowConfig(9, 4)).restore(video)
    assert restored.shape == video.shape
    assert (restored - video).abs().max() < 1e-5


def test_strength_scales_the_step() -> None:
    video, pipeline = drifting_pattern(9) * 0.5, OneStepPipeline(tiny_lite(0.02))
    full, half, none = (pipeline.restore(video, strength=s) for s in (1.0, 0.5, 0.0))
    assert (full - video).abs().max() > 0.01
    assert (none - video).abs().max() < 1e-5
    assert torch.allclose(half, (full + none) / 2, atol=1e-5)


def test_dvface_step_is_vividface_step_scaled_by_its_timestep() -> None:
    z, v = torch.randn(2, 1, 4, 2, 3, 3).unbind(0)
    vivid, dvface = OneStepFlow("vividface", 400), OneStepFlow("dvface", 400)
    assert torch.allclose(vivid.restore(z, v), z - v)
    assert torch.allclose(dvface.restore(z, v), z - 0.4 * v)
    for flow in (vivid, dvface):
        assert torch.allclose(flow.restore(z, flow.target_velocity(z, v)), v, atol=1e-6)


class Forgotten(LiteModel):
    """Knows which clips it has encoded, and says of each whether it is still in memory while the DiT runs."""

    encoded: list[weakref.ref[Tensor]]
    kept: list[bool]

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        self.kept.append(self.encoded[-1]() is not None)
        return super().velocity(z_lq, check, prior)


def test_a_window_lets_go_of_its_frames_before_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny_lite()
    net.__class__ = Forgotten
    assert isinstance(net, Forgotten)
    net.encoded, net.kept = [], []
    padded = OneStepPipeline._padded

    def noted(pipeline: OneStepPipeline, frames: list[Tensor]) -> Tensor:
        clip = padded(pipeline, frames)
        net.encoded.append(weakref.ref(clip))
        return clip

    monkeypatch.setattr(OneStepPipeline, "_padded", noted)
    frames = list(drifting_pattern(5, 64, 192)[0].unbind(1))
    for tile, kept in ((None, [False]), (TileConfig(128, 64), [True, False])):
        OneStepPipeline(net, WindowConfig(5, 1), tile).restore_window(frames, 1.0, never_cancelled)
        assert net.kept == kept
        net.kept.clear()


@pytest.mark.parametrize("wrong", [{"rule": "euler"}, {"timestep": 0}, {"timestep": 1001}])
def test_flow_refuses_what_it_does_not_know(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        OneStepFlow(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("frames", [1, 3, 9, 10, 14, 15, 19, 26])
@pytest.mark.parametrize("window", [WindowConfig(9, 4), WindowConfig(9, 0), WindowConfig(5, 1)])
def test_windows_yield_every_frame_once(frames: int, window: WindowConfig) -> None:
    video = drifting_pattern(frames)
    assert (OneStepPipeline(tiny_lite(), window).restore(video) - video).abs().max() < 1e-5


@pytest.mark.parametrize("frames", [33, 45, 46, 57, 60])
def test_windows_equal_one_window_away_from_their_ends(frames: int) -> None:
    """Two blocks of three-frame convolutions reach two latents: windows differ from the whole clip in overlaps only."""
    video, net = drifting_pattern(frames), tiny_lite(0.01)
    windowed = OneStepPipeline(net, WindowConfig(33, 9)).restore(video)
    whole = OneStepPipeline(net, WindowConfig(81, 9)).restore(video)
    apart = (windowed - whole).abs().amax((0, 1, 3, 4)) > 1e-5
    assert set(apart.nonzero().flatten().tolist()) <= {*range(24, 33), *range(48, 57)}


def test_stream_equals_restore_and_reads_one_window_ahead() -> None:
    video = drifting_pattern(23)
    pipeline = OneStepPipeline(tiny_lite(0.01), WindowConfig(9, 4))
    taken = 0

    def frames() -> Iterator[Tensor]:
        nonlocal taken
        for frame in video[0].unbind(1):
            taken += 1
            yield frame

    restored = []
    for frame in pipeline.stream(frames()):
        restored.append(frame)
        assert taken - len(restored) < 9
    assert torch.equal(torch.stack(restored, 1), pipeline.restore(video)[0])


def test_batch_and_repetition_change_nothing() -> None:
    pipeline = OneStepPipeline(tiny_lite(0.01), WindowConfig(9, 2))
    a, b = drifting_pattern(12), drifting_pattern(12).flip(-1)
    both = pipeline.restore(torch.cat([a, b]))
    assert torch.allclose(both[:1], pipeline.restore(a), atol=1e-5)
    assert torch.allclose(both[1:], pipeline.restore(b), atol=1e-5)
    assert torch.equal(pipeline.restore(a), pipeline.restore(a))


def test_tiles_equal_the_whole_frame_away_from_their_borders() -> None:
    video, net = drifting_pattern(1, 64, 448), tiny_lite(0.01)
    whole = OneStepPipeline(net).restore(video)
    tiled = OneStepPipeline(net, tile=TileConfig(256, 64)).restore(video)
    columns = ((tiled - whole).abs().amax((0, 1, 2, 3)) > 1e-5).nonzero().flatten()
    assert len(columns)
    assert columns.min() >= 192 - 8
    assert columns.max() < 256 + 8
    identity = OneStepPipeline(tiny_lite(), tile=TileConfig(256, 64)).restore(drifting_pattern(5, 300, 290))
    assert (identity - drifting_pattern(5, 300, 290)).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(dtype: torch.dtype) -> None:
    video = drifting_pattern(5)
    exact = OneStepPipeline(tiny_lite(0.01)).restore(video)
    half = tiny_lite(0.01).to(dtype)
    half.codec.float().build_transforms(torch.device("cpu"))
    step = (exact - video).abs().mean()
    assert (OneStepPipeline(half).restore(video) - exact).abs().mean() < 0.03 * step


def test_progress_can_cancel_between_stages_and_windows() -> None:
    calls: list[tuple[int, int | None]] = []

    def stop_at_ten(done: int, total: int | None) -> None:
        calls.append((done, total))
        if done >= 10:
            raise Cancelled

    with pytest.raises(Cancelled):
        OneStepPipeline(tiny_lite(), WindowConfig(9, 4)).restore(drifting_pattern(40), on_progress=stop_at_ten)
    assert calls == [(0, 40)] * 3 + [(5, 40)] * 3 + [(10, 40)]


def test_padding_repeats_edges_and_the_last_frame() -> None:
    video = drifting_pattern(6, 10, 11)
    padded = pad_clip(video)
    assert padded.shape == (1, 3, 9, 16, 16)
    assert torch.equal(padded[:, :, :6, :10, :11], video)
    assert torch.equal(padded[:, :, 8], padded[:, :, 5])
    assert torch.equal(padded[..., 12:, 5], padded[..., 9:10, 5].expand(-1, -1, -1, 4))


@pytest.mark.parametrize("shape", [(3, 5, 8, 8), (1, 4, 5, 8, 8), (1, 3, 0, 8, 8)])
def test_another_layout_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needed \(B, 3, T, H, W\)"):
        OneStepPipeline(tiny_lite()).restore(torch.zeros(shape))


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_outside_its_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        OneStepPipeline(tiny_lite()).restore(drifting_pattern(1), strength=strength)


@pytest.mark.parametrize(("frames", "overlap"), [(8, 2), (9, 5), (0, 0), (9, -1)])
def test_windows_that_cannot_work_are_refused(frames: int, overlap: int) -> None:
    with pytest.raises(ValueError):
        WindowConfig(frames, overlap)
