"""Asymmetric fusion: equations 7 and 8 of DVFace by brute force, its switches, and what an untrained one does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from einops import rearrange
from torch import Tensor

from tests.support.tiny_prior import TINY_PRIOR, tiny_adapter, tiny_fusion
from vfe.models.dit.folded import fold
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.prior import Prior, PriorStrength
from vfe.models.prior.fusion import AsymmetricFusion, FusionConfig, PriorAdapter, SpatialDetail, check_prior

GRID = (2, 3, 4)
SWITCHES = [("guided", "shared"), ("own", "none"), ("none", "shared"), ("guided", "independent"), ("simple", "shared")]


def random_prior(grid: tuple[int, int, int] = GRID, batch: int = 2) -> Prior:
    generator = torch.Generator().manual_seed(5)
    spatial, temporal = (torch.randn(batch, *grid, TINY_PRIOR.dim, generator=generator) for _ in range(2))
    return Prior.of(spatial, temporal)


def tokens(batch: int = 2) -> Tensor:
    return torch.randn(batch, 24, 24, generator=torch.Generator().manual_seed(6))


def attention(detail: SpatialDetail, query: Tensor, spatial: Tensor, heads: int) -> Tensor:
    """Eq. 8's Attn of one latent frame by the textbook: (B, m, d) each -> (B, m, width)."""
    q, k, v = (
        rearrange(x, "b m (n c) -> b n m c", n=heads) for x in (detail.q(query), detail.k(spatial), detail.v(spatial))
    )
    scores = torch.einsum("bnmc,bnkc->bnmk", q, k) / q.shape[-1] ** 0.5
    return rearrange(torch.einsum("bnmk,bnkc->bnmc", scores.softmax(-1), v), "b n m c -> b m (n c)")


@pytest.mark.parametrize("block", [0, 1])
def test_equations_by_brute_force(block: int) -> None:
    fusion, prior, x = tiny_adapter().fusion, random_prior(), tokens()
    assert fusion.modulation is not None
    gamma, beta = fusion.modulation(prior.temporal.mean((1, 2, 3))).chunk(2, dim=-1)
    modulated = (1 + gamma[:, None]) * x + beta[:, None]
    detail = fusion.details[block]
    assert isinstance(detail, SpatialDetail)
    frames = []
    for t in range(GRID[0]):
        f_t, f_s = (rearrange(f[:, t], "b h w d -> b (h w) d") for f in (prior.temporal, prior.spatial))
        frames.append(attention(detail, f_t, f_s, fusion.config.heads))
    expected = modulated + detail.proj(torch.cat(frames, dim=1))
    torch.testing.assert_close(fusion(prior)(block, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("spatial", "temporal"), SWITCHES)
def test_untrained_fusion_is_none(spatial: str, temporal: str) -> None:
    torch.manual_seed(0)
    config = FusionConfig(**{**vars(tiny_fusion()), "spatial": spatial, "temporal": temporal})
    adapter = PriorAdapter(TINY_PRIOR, config)
    fuse = adapter.fusion(random_prior())
    x = tokens()
    for block in range(config.layers):
        assert torch.equal(fuse(block, x), x)


@pytest.mark.parametrize(("spatial", "temporal"), SWITCHES)
def test_what_each_switch_reads(spatial: str, temporal: str) -> None:
    """A trained fusion depends on exactly the priors that it names."""
    config = FusionConfig(**{**vars(tiny_fusion()), "spatial": spatial, "temporal": temporal})
    fusion, prior, x = tiny_adapter(config).fusion, random_prior(), tokens()
    other = random_prior((2, 3, 4))._replace(spatial=prior.spatial.flip(1))
    moved = Prior.of(prior.spatial, prior.temporal + 1)

    def differs(changed: Prior) -> bool:
        return not torch.equal(fusion(changed)(1, x), fusion(prior)(1, x))

    assert differs(other) == (spatial != "none")
    assert differs(moved) == (temporal != "none" or spatial == "guided")
    alike = torch.equal(fusion(prior)(0, x), fusion(prior)(1, x))
    assert alike == (spatial == "none" and temporal == "shared")


def test_independent_pairs_cost_one_pair_a_block() -> None:
    shared, independent = (
        AsymmetricFusion(replace(tiny_fusion(layers=3), temporal=temporal)) for temporal in ("shared", "independent")
    )
    pairs = [fusion.scale_and_shift(torch.zeros(1, 8), 1.0)[0] for fusion in (shared, independent)]
    assert [len(scale) for scale in pairs] == [1, 3]


def test_strength_zero_is_no_prior() -> None:
    fusion, x = tiny_adapter().fusion, tokens()
    prior = random_prior()
    none = fusion(prior._replace(strength=PriorStrength(0.0, 0.0)))(0, x)
    torch.testing.assert_close(none, x, rtol=0, atol=0)
    half = fusion(prior._replace(strength=PriorStrength(0.5, 0.5)))(0, x)
    torch.testing.assert_close(half - x, (fusion(prior)(0, x) - x) / 2, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="needed from 0 to 1"):
        PriorStrength(1.5, 0.0)


def test_a_window_of_the_frame_is_the_frame() -> None:
    adapter = tiny_adapter()
    windowed = tiny_adapter(replace(tiny_fusion(), window=GRID[1:]))
    x, prior = tokens(), random_prior()
    torch.testing.assert_close(windowed.fusion(prior)(0, x), adapter.fusion(prior)(0, x), rtol=0, atol=1e-6)


def test_windows_do_not_see_each_other() -> None:
    fusion, x = tiny_adapter(replace(tiny_fusion(), window=(2, 2))).fusion, torch.zeros(1, 24, 24)
    prior = random_prior(batch=1)
    changed = prior._replace(spatial=prior.spatial.clone())
    changed.spatial[:, 0, 2, 0] += 1  # the window of rows 2.. and columns 0..1 of the first latent frame
    moved = (fusion(changed)(0, x) != fusion(prior)(0, x)).any(-1).view(GRID)
    expected = torch.zeros(GRID, dtype=torch.bool)
    expected[0, 2, :2] = True
    assert torch.equal(moved, expected)


def test_fused_into_the_dit_plain_and_folded() -> None:
    torch.manual_seed(0)
    config = DiTConfig(in_channels=4, dim=24, heads=2, layers=2, ffn_dim=32, freq_dim=8, text_dim=8)
    dit = WanDiT(config).requires_grad_(False)
    for parameter in dit.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    z, prompt = torch.randn(1, 4, 2, 6, 8), torch.randn(1, 5, 8)
    fuse = tiny_adapter().fusion(random_prior((2, 3, 4), batch=1))
    plain, with_prior = dit(z, 400.0, prompt), dit(z, 400.0, prompt, fuse)
    assert (plain - with_prior).abs().max() > 0.01
    torch.testing.assert_close(fold(dit, 400.0, prompt)(z, fuse), with_prior, rtol=1e-4, atol=1e-5)


def test_another_grid_is_refused() -> None:
    fuse = tiny_adapter().fusion(random_prior())
    with pytest.raises(ValueError, match="the DiT has 30 tokens, the prior 24"):
        fuse(0, torch.zeros(2, 30, 24))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spatial": "all"}, "fusion is spatial='all'"),
        ({"temporal": "two"}, "temporal='two'"),
        ({"heads": 3}, "not divisible by heads=3"),
        ({"hidden": 0}, "at least 1"),
    ],
)
def test_wrong_configs_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FusionConfig(**{**vars(tiny_fusion()), **change})


def test_parts_that_do_not_fit_together_are_refused() -> None:
    dit = DiTConfig(dim=24, heads=2, layers=2, ffn_dim=32)
    check_prior(TINY_PRIOR, tiny_fusion(), dit, time=4, space=8)
    with pytest.raises(ValueError, match="a prior's token is 4 x 16 pixels, the DiT's 4 x 32"):
        check_prior(TINY_PRIOR, tiny_fusion(), dit, time=4, space=16)
    with pytest.raises(ValueError, match="fusion is of dim 48"):
        check_prior(TINY_PRIOR, tiny_fusion(dim=48), dit, time=4, space=8)
