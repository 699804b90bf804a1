"""The memory planner: plans get smaller, what fits is chosen, and running out steps down without losing a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.support.tiny_wan import CPU, ON_GPU, sizes_of, tiny_wan
from vfe.device import GIB
from vfe.models.dit.model import DiTConfig
from vfe.models.wan import WanCompute, WanModel
from vfe.models.wan_vae import VAEPlan, WanVAEConfig
from vfe.pipeline.memory_aware import MemoryAwarePipeline, is_out_of_memory
from vfe.pipeline.memory_plan import (
    RESERVE,
    WanSizes,
    choose_plan,
    first_fitting,
    peak_bytes,
    plan_candidates,
    tile_sides,
)
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.types import VFEError, VideoShape

pytestmark = pytest.mark.slow

BLOCK = 46 * 1024**2 * 2  # bytes of one of the 30 blocks of the 1.3B model in bf16
WAN = WanSizes(dit=DiTConfig(), vae=WanVAEConfig(), compute=ON_GPU, block_bytes=BLOCK, fixed_bytes=600 * 1024**2)


def test_plans_shrink_and_windows_are_shortened_last() -> None:
    plans = plan_candidates(WAN, 512, 512)
    assert all(a.bytes > b.bytes for a, b in pairwise(plans))
    frames = [plan.window.frames for plan in plans]
    assert frames[0] == 81
    assert frames[-1] == 5
    assert frames == sorted(frames, reverse=True)
    shortened = [plan for plan in plans if plan.window.frames < 81]
    assert all(plan.resident == 0 and plan.vae.latents_per_step == 1 for plan in shortened)


@pytest.mark.parametrize("gib", [8, 12, 24, 80])
def test_the_chosen_plan_fits_and_more_memory_is_never_slower(gib: int) -> None:
    plans = plan_candidates(WAN, 512, 512)
    chosen = choose_plan(plans, gib * GIB)
    assert plans[chosen].bytes < gib * GIB
    assert choose_plan(plans, 2 * gib * GIB) <= chosen


def test_a_card_of_8_gib_restores_whole_windows_of_512() -> None:
    plans = plan_candidates(WAN, 512, 512)
    assert plans[choose_plan(plans, int(7.2 * GIB))].window.frames == 81


def test_the_error_says_how_much_memory_the_smallest_plan_needs() -> None:
    with pytest.raises(VFEError, match=r"0\.1 GiB of memory are free, the smallest plan needs \d"):
        choose_plan(plan_candidates(WAN, 512, 512), GIB // 10)


def test_a_window_that_was_asked_for_is_the_longest() -> None:
    plans = plan_candidates(WAN, 512, 512, WindowConfig(33, 5))
    assert plans[0].window == WindowConfig(33, 5)
    assert max(plan.window.frames for plan in plans) == 33


def test_blocks_are_streamed_before_frames_are_tiled() -> None:
    """A copy hides behind the block before it, a tile's margin is work."""
    for plan in plan_candidates(WAN, 1080, 1920):
        assert plan.vae.tile is None or (plan.resident == 0 and plan.vae.tile < 240)


def test_shorter_windows_take_no_smaller_tiles_than_needed() -> None:
    """The first plan of 49 frames has the largest tile with which it needs less than the last one of 81."""
    plans = plan_candidates(WAN, 1080, 1920)
    first = next(index for index, plan in enumerate(plans) if plan.window.frames == 49)
    longer, shorter = plans[first - 1], plans[first]
    assert longer.window.frames == 81
    assert shorter.vae.tile is not None
    assert longer.vae.tile is not None
    assert shorter.vae.tile >= longer.vae.tile
    larger = [tile for tile in tile_sides(240) if tile > shorter.vae.tile]
    assert larger
    for tile in larger:
        vae = VAEPlan(latents_per_step=1, tile=tile)
        assert peak_bytes(WAN, VideoShape(49, 1080, 1920), vae, 0) >= longer.bytes


def test_tiles_cut_the_frame_into_equal_parts() -> None:
    assert tile_sides(240) == [120, 80, 60, 40, 30, 20]
    assert tile_sides(64) == [32, 22, 16]
    assert tile_sides(31) == [16]
    assert tile_sides(8) == []


def on_cpu(dtype: torch.dtype) -> WanSizes:
    size = dtype.itemsize
    return replace(WAN, compute=WanCompute(CPU, dtype), block_bytes=BLOCK // 2 * size, fixed_bytes=size << 28)


WIDE, HALF = (on_cpu(dtype) for dtype in (torch.float32, torch.bfloat16))


def test_the_first_dtype_in_which_a_whole_window_fits_is_chosen() -> None:
    def smallest(sizes: WanSizes, frames: int) -> int:
        plans = plan_candidates(sizes, 512, 512, WindowConfig.of(frames))
        return min(int(plan.bytes / (1 - RESERVE)) + 1 for plan in plans if plan.window.frames == frames)

    for frames in (33, 81):
        window = WindowConfig.of(frames)
        enough = smallest(WIDE, frames)
        assert first_fitting([WIDE, HALF], enough, window) is WIDE
        assert first_fitting([WIDE, HALF], enough - 2, window) is HALF
        assert first_fitting([WIDE], enough - 2, window) is WIDE  # asked for by name: obeyed
        assert first_fitting([HALF, WIDE], enough, window) is HALF  # where half precision is fast
    assert smallest(WIDE, 33) < smallest(WIDE, 81)
    assert first_fitting([WIDE, HALF], 1, None) is HALF  # nothing fits: choose_plan says so


def test_the_plan_names_its_dtypes() -> None:
    assert plan_candidates(WAN, 512, 512)[0].describe(WAN).startswith("bfloat16, VAE float16; windows of 81 frames")
    assert plan_candidates(WIDE, 512, 512)[0].describe(WIDE).startswith("float32; windows of 81 frames")


def test_bytes_grow_with_every_side() -> None:
    def bytes_of(frames: int, height: int, width: int) -> int:
        return peak_bytes(WAN, VideoShape(frames, height, width), VAEPlan(), 30)

    base = bytes_of(33, 256, 256)
    assert base < bytes_of(65, 256, 256)
    assert base < bytes_of(33, 512, 256)
    assert base < bytes_of(33, 256, 512)


def test_blocks_stay_on_a_device_that_has_no_other_memory() -> None:
    sizes = replace(WAN, compute=WanCompute(CPU, torch.bfloat16))
    assert {plan.resident for plan in plan_candidates(sizes, 512, 512)} == {30}


def failing(model: WanModel, monkeypatch: pytest.MonkeyPatch, too_long: int, error: Exception) -> None:
    """Let the DiT run out of memory for more latents than that."""
    velocity: Callable[..., Tensor] = model.velocity

    def limited(z: Tensor, *rest: object) -> Tensor:
        if z.shape[2] > too_long:
            raise error
        return velocity(z, *rest)

    monkeypatch.setattr(model, "velocity", limited)


CLIP = torch.rand(1, 3, 30, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_out_of_memory_goes_on_with_shorter_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, plans = tiny_wan(), list[str]()
    failing(model, monkeypatch, 4, torch.cuda.OutOfMemoryError("CUDA out of memory"))
    pipeline = MemoryAwarePipeline(model, sizes_of(model), 8 * GIB, WindowConfig(21, 5), plans.append)
    restored = pipeline.restore(CLIP)
    assert restored.shape == CLIP.shape
    assert restored.isfinite().all()
    assert pipeline.plan.window.frames == 13
    assert len(plans) > 1
    assert "windows of 13 frames" in plans[-1]


def test_steps_that_are_exact_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out once: the next plan has the same window, and the same result."""
    model = tiny_wan()
    expected = OneStepPipeline(model, WindowConfig(21, 5), tile=None).restore(CLIP)
    velocity: Callable[..., Tensor] = model.velocity
    failures = [torch.cuda.OutOfMemoryError("CUDA out of memory")]

    def once(z: Tensor, *rest: object) -> Tensor:
        if failures:
            raise failures.pop()
        return velocity(z, *rest)

    monkeypatch.setattr(model, "velocity", once)
    plans: list[str] = []
    pipeline = MemoryAwarePipeline(model, sizes_of(model), 8 * GIB, WindowConfig(21, 5), plans.append)
    assert (pipeline.restore(CLIP) - expected).abs().max() < 1e-5
    assert len(plans) == 2
    assert all("windows of 21 frames" in plan for plan in plans)


def test_without_a_smaller_plan_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_wan()
    failing(model, monkeypatch, 0, RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"))
    pipeline = MemoryAwarePipeline(model, sizes_of(model), 8 * GIB, None, lambda _: None)
    with pytest.raises(VFEError, match="out of memory with the smallest plan"):
        pipeline.restore(CLIP)


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_wan()
    failing(model, monkeypatch, 0, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        MemoryAwarePipeline(model, sizes_of(model), 8 * GIB, None, lambda _: None).restore(CLIP)
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))


def test_streamed_blocks_give_the_same_frames() -> None:
    model = tiny_wan()
    model.keep_resident(model.dit.config.layers)
    expected = OneStepPipeline(model, WindowConfig(21, 5), tile=None).restore(CLIP)
    model.keep_resident(1)
    assert torch.equal(OneStepPipeline(model, WindowConfig(21, 5), tile=None).restore(CLIP), expected)
