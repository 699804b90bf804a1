"""Optical flow, warping and eq. 15: whole pixels exactly, places in between and the loss against loops."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from training.losses.flow_warp import Flows, estimate_flows, visible, warp, warp_loss
from vfe.types import VFEError


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """A smooth random picture (3, H, W) in [-1, 1]."""
    coarse = torch.rand(1, 3, height // 6 + 2, width // 6 + 2, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    return (2 * fine[0] - 1).clamp(-1, 1)


def moving(frames: int, step: tuple[int, int], size: int = 64) -> Tensor:
    """(1, 3, T, size, size): a window that glides `step` = (right, down) pixels a frame over a picture."""
    right, down = step
    picture = texture(size + frames * abs(down), size + frames * abs(right))
    views = []
    for t in range(frames):
        top, left = (t * s if s >= 0 else (t - frames) * s for s in (down, right))
        views.append(picture[:, top : top + size, left : left + size])
    return torch.stack(views, dim=1)[None]


def to_uint8(video: Tensor) -> Tensor:
    return ((video + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 4, 1)


def constant(clips: int, pairs: int, size: int, flow: tuple[float, float]) -> Tensor:
    return torch.tensor(flow).view(1, 2, 1, 1, 1).repeat(clips, 1, pairs, size, size)


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (0, -2), (-4, 5)])
def test_a_shift_of_whole_pixels_is_exact(shift: tuple[int, int]) -> None:
    x, y = shift
    images = torch.randn(2, 3, 17, 23)
    flow = torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(2, 2, 17, 23)
    rows, columns = (torch.arange(17) + y).clamp(0, 16), (torch.arange(23) + x).clamp(0, 22)
    assert torch.equal(warp(images, flow), images[:, :, rows][..., columns])


def test_places_between_pixels_equal_a_loop() -> None:
    torch.manual_seed(0)
    images, flow = torch.randn(2, 2, 5, 6), 3 * torch.randn(2, 2, 5, 6)
    result = warp(images, flow)
    for n in range(2):
        for y in range(5):
            for x in range(6):
                px = min(max(x + float(flow[n, 0, y, x]), 0.0), 5.0)
                py = min(max(y + float(flow[n, 1, y, x]), 0.0), 4.0)
                left, top = int(px), int(py)
                right, bottom, fx, fy = min(left + 1, 5), min(top + 1, 4), px - left, py - top
                expected = (1 - fy) * ((1 - fx) * images[n, :, top, left] + fx * images[n, :, top, right])
                expected += fy * ((1 - fx) * images[n, :, bottom, left] + fx * images[n, :, bottom, right])
                assert torch.allclose(result[n, :, y, x], expected, atol=1e-5)


def test_the_gradient_of_warping_is_its_transpose() -> None:
    torch.manual_seed(0)
    images, other = torch.randn(2, 2, 3, 7, 8).unbind(0)
    flow = 2 * torch.randn(2, 2, 7, 8)
    probe = images.clone().requires_grad_()
    (transposed,) = torch.autograd.grad((warp(probe, flow) * other).sum(), probe)
    assert (transposed * images).sum().item() == pytest.approx((warp(images, flow) * other).sum().item(), rel=1e-3)


@pytest.mark.parametrize("masked", [False, True])
def test_loss_equals_a_loop_over_frames(masked: bool) -> None:
    """Eq. 15 by its indices, i = 2 .. T - 1, means in position of sums."""
    torch.manual_seed(0)
    clips, frames = 2, 5
    x = torch.randn(clips, 3, frames, 9, 10)
    flows = Flows(*(0.8 * torch.randn(2, clips, 2, frames - 1, 9, 10)).unbind(0))
    total = 0.0
    for b in range(clips):
        sums, counts = [0.0, 0.0], [0, 0]
        for i in range(2, frames):  # frames count from 1, as in the paper
            now, after, before = (x[b : b + 1, :, j - 1] for j in (i, i + 1, i - 1))
            bw, fw = flows.backward[b : b + 1, :, i - 1], flows.forward[b : b + 1, :, i - 2]
            bw_returns, fw_returns = flows.forward[b : b + 1, :, i - 1], flows.backward[b : b + 1, :, i - 2]
            for side, (flow, returns, frame) in enumerate(((bw, bw_returns, after), (fw, fw_returns, before))):
                error = (warp(now, flow) - frame).abs()
                mask = visible(flow, returns).expand_as(error) if masked else torch.ones_like(error).bool()
                sums[side] += float(error[mask].sum())
                counts[side] += int(mask.sum())
        assert min(counts) > 0
        total += sums[0] / counts[0] + sums[1] / counts[1]
    assert warp_loss(x, flows, masked).item() == pytest.approx(total / clips, rel=1e-4)


def test_seen_equals_a_loop() -> None:
    torch.manual_seed(0)
    there, back = (1.5 * torch.randn(2, 1, 2, 8, 9)).unbind(0)
    mask, reached = visible(there, back), warp(back, there)
    for y in range(8):
        for x in range(9):
            px, py = x + float(there[0, 0, y, x]), y + float(there[0, 1, y, x])
            cycle = [float(there[0, c, y, x] + reached[0, c, y, x]) for c in range(2)]
            expected = 0 <= px <= 8 and 0 <= py <= 7 and cycle[0] ** 2 + cycle[1] ** 2 < 1
            assert bool(mask[0, 0, y, x]) == expected
    assert 0 < mask.float().mean() < 1


@pytest.mark.parametrize("step", [(2, 0), (-3, 1)])
def test_flow_of_a_gliding_picture_is_its_step(step: tuple[int, int]) -> None:
    flows = estimate_flows(to_uint8(moving(4, step)))
    inner = (..., slice(12, -12), slice(12, -12))
    assert flows.backward.shape == flows.forward.shape == (1, 2, 3, 64, 64)
    for flow, sign in ((flows.backward, 1), (flows.forward, -1)):  # the next frame's pixel p was at p + step
        expected = sign * torch.tensor(step).view(1, 2, 1, 1, 1)
        assert (flow[inner] - expected).abs().median() < 0.1


def test_following_the_motion_costs_nothing_and_flicker_does() -> None:
    clean = moving(5, (2, 1))
    flows = estimate_flows(to_uint8(clean))
    other = 0.5 * moving(5, (2, 1)).flip(1)  # another picture that moves alike
    flicker = 0.1 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).view(1, 1, 5, 1, 1)
    for prediction in (clean, other):
        steady = warp_loss(prediction, flows, masked=True)
        assert steady < 0.03
        assert warp_loss(prediction + flicker, flows, masked=True) > 0.3 + steady  # 0.2 in either direction
    still = clean[:, :, 2:3].expand_as(clean)  # no flicker, but it does not follow
    assert warp_loss(still, flows, masked=True) > 3 * warp_loss(clean, flows, masked=True)


def test_exact_flow_gives_exactly_nothing() -> None:
    clean = moving(4, (3, -2), size=32)
    flows = Flows(constant(1, 3, 32, (3.0, -2.0)), constant(1, 3, 32, (-3.0, 2.0)))
    assert warp_loss(clean, flows, masked=True) == 0
    assert warp_loss(clean, flows) > 0  # the border that comes into view has no source


def test_flow_is_the_same_each_time_and_for_a_clip_in_any_batch() -> None:
    clips = torch.cat([to_uint8(moving(3, (2, 0))), to_uint8(moving(3, (-1, 3)))])
    first, second, alone = estimate_flows(clips), estimate_flows(clips), estimate_flows(clips[1:])
    for a, b, c in zip(first, second, alone, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a[1:], c)


def test_the_gradient_goes_to_every_frame() -> None:
    clean = moving(5, (2, 1), size=32)
    prediction = (clean + 0.1 * torch.randn_like(clean)).requires_grad_()
    (gradient,) = torch.autograd.grad(warp_loss(prediction, estimate_flows(to_uint8(clean))), prediction)
    assert all(gradient[:, :, t].norm() > 0 for t in range(5))


def test_flows_kept_in_half_precision_serve() -> None:
    """Positions are added up in float32: half precision has no 2048.25, the position that leads out of this frame."""
    there = torch.tensor([0.25, 0.0]).view(1, 2, 1, 1).repeat(1, 1, 1, 2049)
    mask = visible(there.half(), -there.half())
    assert torch.equal(mask, visible(there, -there))
    assert mask[..., :-1].all()
    assert not mask[..., -1].any()
    clean = moving(4, (2, 1), size=32)
    flows = estimate_flows(to_uint8(clean))
    half = Flows(*(flow.half() for flow in flows))
    assert warp_loss(clean, half, True).item() == pytest.approx(warp_loss(clean, flows, True).item(), abs=1e-3)


@pytest.mark.parametrize(
    ("clean", "needed"),
    [(torch.zeros(1, 3, 8, 8, 3), "needed uint8"), (torch.zeros(1, 3, 4, 8, 8, dtype=torch.uint8), "needed uint8")],
)
def test_other_clips_are_refused(clean: Tensor, needed: str) -> None:
    with pytest.raises(ValueError, match=needed):
        estimate_flows(clean)


@pytest.mark.parametrize(("frames", "pairs"), [(2, 1), (4, 4)])
def test_flows_that_do_not_fit_are_refused(frames: int, pairs: int) -> None:
    flow = torch.zeros(1, 2, pairs, 8, 8)
    with pytest.raises(ValueError, match="needed 3 frames and more"):
        warp_loss(torch.zeros(1, 3, frames, 8, 8), Flows(flow, flow))


def test_without_opencv_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(VFEError, match="pip install opencv-python-headless"):
        estimate_flows(torch.from_numpy(np.zeros((1, 3, 16, 16, 3), np.uint8)))
