"""Experts of a DiT: folded, streamed and in 8 bits they choose as before."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.support.tiny_dit import TIMESTEP, padded_prompt, psnr, random_dit, random_latent, tiny_config
from vfe.models.dit.experts import ExpertLinear, ExpertSizes, add_experts
from vfe.models.dit.folded import FoldedDiT, fold
from vfe.models.dit.fp8 import store_fp8
from vfe.models.dit.int8 import has_fast_int8, quantise
from vfe.models.dit.model import WanDiT
from vfe.models.dit.offload import stream_blocks
from vfe.models.dit.sharing import shared

SIZES = ExpertSizes(thresholds=(0.4, 0.6), rank=4)
CONFIG = tiny_config(local_kernel=3)
PROMPT = padded_prompt(3, 8, CONFIG.text_dim)
SEVERITIES = torch.tensor([0.2, 0.7, 0.6])
CPU = torch.device("cpu")


def dit_with_experts() -> WanDiT:
    dit = random_dit(CONFIG)
    add_experts(dit, SIZES)
    for index, layer in enumerate(each for each in dit.modules() if isinstance(each, ExpertLinear)):
        layer.up.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(index))
    return dit.requires_grad_(False)


def chosen(dit: WanDiT | FoldedDiT) -> list[int]:
    assert dit.experts is not None
    dit.experts.choose(SEVERITIES)
    return dit.experts.chosen.tolist()


def test_experts_are_chosen_by_the_thresholds_that_are_reached() -> None:
    assert chosen(dit_with_experts()) == [0, 2, 2]


def test_an_expert_is_a_lora_that_is_merged() -> None:
    dit, z = dit_with_experts(), random_latent(CONFIG, (2, 4, 4), batch=3)
    chosen(dit)
    together = dit(z, TIMESTEP, PROMPT)
    for clip, expert in enumerate([0, 2, 2]):
        merged = random_dit(CONFIG)
        state = merged.state_dict()
        for name, layer in dit.named_modules():
            if isinstance(layer, ExpertLinear):
                state[f"{name}.weight"] += layer.up[expert] @ layer.down[expert]
        one = merged(z[clip : clip + 1], TIMESTEP, PROMPT)
        assert torch.allclose(together[clip : clip + 1], one, atol=1e-5)


def test_folding_keeps_them_and_leaves_a_shared_twin() -> None:
    dit, z = dit_with_experts(), random_latent(CONFIG, (2, 4, 4), batch=3)
    chosen(dit)
    plain = dit(z, TIMESTEP, PROMPT)
    folded = fold(shared(dit), TIMESTEP, PROMPT)
    assert folded.experts is dit.experts
    assert torch.allclose(folded(z), plain, atol=2e-5)
    assert torch.equal(dit(z, TIMESTEP, PROMPT), plain)


def test_streamed_and_rounded_ones_follow_the_choice() -> None:
    z = random_latent(CONFIG, (2, 4, 4), batch=3)
    folded = fold(dit_with_experts(), TIMESTEP, PROMPT)
    mild = folded(z)
    chosen(folded)
    exact = folded(z)
    assert not torch.allclose(mild[1:], exact[1:], atol=1e-2)
    streamed = copy.deepcopy(folded)
    stream_blocks(streamed, CPU, 1)
    assert torch.equal(streamed(z), exact)
    rounded = copy.deepcopy(folded)
    store_fp8(rounded.blocks)
    assert psnr(rounded(z), exact) > 20
    if has_fast_int8():
        quantise(folded)
        assert psnr(folded(z), exact) > 35


def test_sizes_that_make_no_sense_are_refused() -> None:
    for wrong, message in (
        ({"thresholds": ()}, "rising, between 0 and 1"),
        ({"thresholds": (0.5, 0.5)}, "rising, between 0 and 1"),
        ({"thresholds": (0.5,), "rank": 0}, "needed 1 or more"),
        ({"thresholds": (0.5,), "targets": ("cross_attn.q",)}, "needed some of"),
    ):
        with pytest.raises(ValueError, match=message):
            ExpertSizes(**wrong)
