"""In flat areas a velocity loses its small coefficients, and elsewhere none; light and colour stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_lite import TINY_LITE, drifting_pattern, tiny_lite
from vfe.models.flat_areas import SMALL, without_grid_
from vfe.models.lapped_codec import LappedCodec
from vfe.types import never_cancelled

LEVEL = 1 / 127.5
EVEN, PATTERN = torch.full((1, 3, 9, 64, 64), -0.8), drifting_pattern(9, 64, 64)


@pytest.fixture(name="codec", params=[1.0, 0.2])
def _codec(request: pytest.FixtureRequest) -> LappedCodec:
    codec = LappedCodec(TINY_LITE.codec)
    codec.scale.fill_(request.param).mul_(torch.linspace(1, 2, len(codec.scale)))
    return codec


def grid(levels: float) -> Tensor:
    """The same pattern of so many levels, a root mean square, in every block of 8x8 pixels."""
    block = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    block -= block.mean((1, 2), keepdim=True)
    return (block / block.std(correction=0) * levels * LEVEL).repeat(1, 8, 8)[None, :, None].expand(1, 3, 9, 64, 64)


def rms(video: Tensor) -> float:
    return float(video.square().mean().sqrt() / LEVEL)


def changed(video: Tensor, change: Tensor, codec: LappedCodec) -> Tensor:
    """What is left of a change of a clip, in pixels."""
    z = codec.encode(video.contiguous())
    v = without_grid_(z - codec.encode((video + change).contiguous()), z, codec, 1.0)
    return codec.decode(z - v) - video


def test_a_faint_grid_is_nearly_gone_where_all_is_flat(codec: LappedCodec) -> None:
    assert rms(changed(EVEN, grid(0.3), codec)) < 0.12
    assert rms(changed(EVEN, grid(0.1), codec)) < 0.01


def test_what_is_larger_stays(codec: LappedCodec) -> None:
    """As a nose that comes back in a dark face."""
    for levels in (10.0, 40.0):
        lost = changed(EVEN, grid(levels), codec) - grid(levels)
        assert rms(lost) < 0.1 * levels


def test_a_longer_step_makes_a_coefficient_larger(codec: LappedCodec) -> None:
    """What counts is what it changes in the picture."""
    z = codec.encode(EVEN)
    v = z - codec.encode((EVEN + grid(0.3)).contiguous())
    by_parts = without_grid_(2.5 * v, z, codec, 0.4)
    torch.testing.assert_close(by_parts, 2.5 * without_grid_(v.clone(), z, codec, 1.0))


def test_light_and_colour_stay(codec: LappedCodec) -> None:
    change = torch.tensor([0.2, -0.1, 0.4]).view(1, 3, 1, 1, 1).expand_as(EVEN) * LEVEL
    torch.testing.assert_close(changed(EVEN, change, codec), change, atol=2e-6, rtol=0)


def test_where_there_is_structure_nothing_changes(codec: LappedCodec) -> None:
    z = codec.encode(PATTERN)
    v = z - codec.encode(PATTERN + grid(0.3))
    assert torch.equal(without_grid_(v.clone(), z, codec, 1.0), v)


def test_each_block_is_judged_by_itself(codec: LappedCodec) -> None:
    video = torch.cat([PATTERN, EVEN], -1)
    left = changed(video, grid(0.3).repeat(1, 1, 1, 1, 2), codec)
    torch.testing.assert_close(left[..., :56], grid(0.3)[..., :56], atol=2e-6, rtol=0)
    assert rms(left[..., 72:]) < 0.12


def test_less_is_taken_the_more_structure_there_is(codec: LappedCodec) -> None:
    left = [rms(changed(EVEN + grid(levels), grid(0.3), codec)) for levels in (0, 0.5, 1, 1.3, 4)]
    assert left == sorted(left)
    assert left[-1] == pytest.approx(0.3, rel=1e-3)


def test_nothing_stays_nothing_and_layouts_do_not_matter(codec: LappedCodec) -> None:
    z = codec.encode(EVEN)
    assert not without_grid_(torch.zeros_like(z), z, codec, 1.0).any()
    v = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)) * SMALL
    expected = without_grid_(v.clone(), z, codec, 1.0)
    assert torch.equal(
        without_grid_(v.clone(memory_format=torch.contiguous_format), z.contiguous(), codec, 1.0), expected
    )
    part = torch.cat([v, v], 3)[:, :, :, : v.shape[3]]
    assert torch.equal(without_grid_(part, z, codec, 1.0), expected)
    rounded = without_grid_(v.bfloat16(), z, codec, 1.0)
    assert rounded.dtype == torch.bfloat16
    assert (rounded - expected).abs().max() < 0.01 * expected.abs().max()


def test_a_restorer_of_frames_gives_that() -> None:
    net = tiny_lite(0.02)
    z = net.codec.encode(EVEN)
    v = net.velocity(z, never_cancelled)
    assert torch.equal(v, without_grid_(net(z), z, net.codec, 1.0))
    assert not torch.equal(v, net(z))
