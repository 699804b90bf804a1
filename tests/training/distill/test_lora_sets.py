"""Named sets of LoRA on one frozen DiT: what scales do, what is trained, and what recomputation sees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tiny_dit import padded_prompt, random_dit, random_latent, tiny_config
from training.distill.lora_sets import LoraSets
from training.wan.lora import LoraConfig
from vfe.models.dit.model import WanDiT

CONFIG = tiny_config()
SETS = {"fake": LoraConfig(rank=4, alpha=4.0), "other": LoraConfig(rank=2, alpha=4.0, targets=("self_attn.q",))}


def velocity(dit: WanDiT) -> Tensor:
    result: Tensor = dit(random_latent(CONFIG, (2, 4, 4)), 300.0, padded_prompt(2, 3, CONFIG.text_dim))
    return result


def with_sets(checkpointing: bool = False) -> tuple[WanDiT, LoraSets]:
    """Sets that change something: B is random."""
    dit = random_dit(CONFIG)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sets = LoraSets(dit, SETS, checkpointing)
        for name in SETS:
            for factor in sets.factors(name).parameters():
                factor.data.normal_(0, 0.1)
    return dit, sets


def test_scales_choose_the_role_and_are_restored() -> None:
    plain = velocity(random_dit(CONFIG))
    dit, sets = with_sets()
    assert torch.equal(velocity(dit), plain)
    with sets.scaled(fake=1.0), torch.no_grad():
        strong = velocity(dit)
        with sets.scaled(fake=0.25):
            weak = velocity(dit)
        with sets.scaled(fake=0.0):
            assert torch.equal(velocity(dit), plain)
        with sets.scaled(fake=1.0, other=1.0):
            both = velocity(dit)
        assert torch.equal(velocity(dit), strong)
    assert torch.equal(velocity(dit), plain)
    assert 0 < (weak - plain).abs().mean() < (strong - plain).abs().mean()
    assert not torch.equal(both, strong)
    with pytest.raises(ZeroDivisionError), sets.scaled(fake=1.0):
        1 / 0  # noqa: B018
    assert torch.equal(velocity(dit), plain)
    with pytest.raises(ValueError, match="no LoRA set is named real, needed some of fake, other"), sets.scaled(real=1):
        pass


def test_a_set_is_trained_and_nothing_else_is() -> None:
    dit, sets = with_sets()
    fake, other = (list(sets.factors(name).parameters()) for name in SETS)
    assert (len(fake), len(other)) == (2 * 10 * CONFIG.layers, 2 * CONFIG.layers)
    with sets.scaled(fake=1.0):
        loss = velocity(dit).square().mean()
    loss.backward()
    assert all(factor.requires_grad and factor.grad is not None for factor in fake)
    assert all(factor.requires_grad and factor.grad is None for factor in other)
    trained = {id(factor) for factor in [*fake, *other]}
    assert not any(p.requires_grad for p in dit.parameters() if id(p) not in trained)


def test_recomputation_has_the_scales_of_its_forward_pass() -> None:
    """Though it comes after the context, where all sets are off."""
    gradients = []
    for checkpointing in (False, True):
        dit, sets = with_sets(checkpointing)
        with sets.scaled(fake=0.5):
            loss = velocity(dit).square().mean()
        loss.backward()
        gradients.append([factor.grad for factor in sets.factors("fake").parameters()])
    assert all(a is not None and torch.equal(a, b) for a, b in zip(*gradients, strict=True))
