"""Several steps of a DiT's last blocks: what one step is, what several are, and where blocks are not run again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.support.tiny_dit import TIMESTEP, padded_prompt, psnr, random_dit, random_latent, tiny_config
from vfe.models.dit.folded import fold
from vfe.models.dit.head_steps import HeadRoll, HeadSteps, rolled
from vfe.models.dit.model import WanDiT
from vfe.models.dit.offload import stream_blocks
from vfe.models.dit.pyramid import PyramidScale

CONFIG = tiny_config()
Z = random_latent(CONFIG, (2, 4, 4), batch=2)
PROMPT = padded_prompt(2, 4, CONFIG.text_dim)


@torch.no_grad()
def run(dit: WanDiT, roll: HeadRoll | None) -> Tensor:
    with rolled(dit, roll):
        velocity: Tensor = dit(Z, TIMESTEP, PROMPT)
    assert dit.roll is None
    return velocity


def test_one_step_is_the_dit_to_the_bit() -> None:
    dit = random_dit(CONFIG)
    assert torch.equal(run(dit, HeadRoll(1, 1, 1.0)), run(dit, None))


def test_more_steps_go_by_what_the_head_makes_of_where_they_are() -> None:
    """With all blocks in the head, its tokens are those of the latent that a step has led to."""
    dit = random_dit(CONFIG)
    first = run(dit, None)
    with torch.no_grad():
        second = dit(Z - 0.4 / 2 * first, TIMESTEP, PROMPT)
    assert torch.allclose(run(dit, HeadRoll(CONFIG.layers, 2, 0.4)), (first + second) / 2, atol=1e-5)
    assert not torch.allclose(first, second, atol=1e-3)


def test_the_backbone_runs_once() -> None:
    dit = random_dit(CONFIG)
    calls: list[int] = []

    def count(index: int, x: Tensor) -> Tensor:
        calls.append(index)
        return x

    with rolled(dit, HeadRoll(1, 3, 1.0)), torch.no_grad():
        dit(Z, TIMESTEP, PROMPT, count)
    assert calls == [0, 1, 2, 2, 2]


def test_a_folded_dit_takes_the_same_steps() -> None:
    roll = HeadRoll(2, 3, 0.4)
    expected = run(random_dit(CONFIG), roll)
    dit = random_dit(CONFIG)
    dit.roll = roll
    folded = fold(dit, TIMESTEP, PROMPT)
    assert psnr(folded(Z), expected) > 90
    stream_blocks(folded, torch.device("cpu"), resident=1)
    assert psnr(folded(Z), expected) > 90


def test_a_pyramid_and_half_precision_take_steps_too() -> None:
    scaled = replace(CONFIG, pyramid=(PyramidScale(width=8, blocks=1),))
    dit = random_dit(scaled).to(torch.bfloat16)
    with rolled(dit, HeadRoll(1, 2, 1.0)), torch.no_grad():
        velocity = dit(Z.to(torch.bfloat16), TIMESTEP, PROMPT)
    assert velocity.shape == Z.shape
    assert velocity.dtype == torch.bfloat16
    assert velocity.isfinite().all()


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="2 or more steps"):
        HeadSteps(blocks=1, most=1)
    with pytest.raises(ValueError, match="1 or more blocks"):
        HeadSteps(blocks=0)
