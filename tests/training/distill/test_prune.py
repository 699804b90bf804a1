"""Pruning: what is found, what is left without pruning, and that blocks learn what they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.distill_run import distill_run, first_terms, trained
from tests.support.tiny_dit import TIMESTEP, padded_prompt, random_dit, random_latent, tiny_config
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from training.distill.block_passes import recorded
from training.distill.intervals import Interval, IntervalSearch, check_intervals, find_intervals, linear_probes
from training.distill.methods.prune import PruneConfig, relative_error
from training.distill.restorer import LiteRestorer
from training.distill.shorter import shorter_dit
from training.train import load_config, start
from vfe import load
from vfe.models.dit.model import WanDiT
from vfe.models.lite import LiteModel
from vfe.weights.lite import read_lite_info, save_lite_model
from vfe.weights.save import Origin, save_dit
from vfe.weights.wan_dit import load_dit

CPU = torch.device("cpu")
PRUNED = {"prune": {"intervals": [[1, 3]]}}
LEARNING = {"optim": {"lr": 0.003, "warmup_steps": 2}, "eval": {"root": None}}
FIVE = tiny_config(layers=5)
TINY_FOUR = replace(tiny_lite().config, dit=replace(tiny_lite().config.dit, layers=4))


def states_of(dit: WanDiT, clips: int = 8) -> list[Tensor]:
    z = torch.randn(clips, FIVE.in_channels, 2, 12, 12, generator=torch.Generator().manual_seed(4))
    with recorded(dit.blocks, range(len(dit.blocks))) as passes:
        dit(z, TIMESTEP, padded_prompt(2, 4, FIVE.text_dim))
    return [*(passes[index].tokens for index in range(len(dit.blocks))), passes[len(dit.blocks) - 1].output]


@torch.no_grad()
def with_idle_blocks(*idle: int) -> WanDiT:
    """A DiT whose blocks of these numbers change their tokens by next to nothing, and whose others change them much."""
    dit = random_dit(FIVE)
    for index, block in enumerate(dit.blocks):
        for name, parameter in block.named_parameters():
            layer = name.rpartition(".")[0]
            if layer in ("self_attn.o", "cross_attn.o", "ffn.2"):
                parameter.mul_(1e-3 if index in idle else 4)
            elif layer == "ffn.0":
                parameter.mul_(4)  # far from where GELU is straight
    return dit


def test_blocks_that_do_nothing_are_an_interval() -> None:
    search = IntervalSearch(threshold=0.98)  # the tokens that the blocks add to are a large part of their output
    assert find_intervals(linear_probes(states_of(with_idle_blocks(2, 3))), search) == (Interval(2, 3),)
    assert find_intervals(linear_probes(states_of(with_idle_blocks(0, 1, 2))), search) == (Interval(0, 2),)
    assert find_intervals(linear_probes(states_of(with_idle_blocks())), search) == ()


def test_the_longest_intervals_win_and_do_not_overlap() -> None:
    probes = torch.tensor(
        [
            [0.99, 0.97, 0.60, 0.50, 0.40, 0.30],
            [0.00, 0.99, 0.97, 0.95, 0.60, 0.50],
            [0.00, 0.00, 0.99, 0.98, 0.97, 0.91],
            [0.00, 0.00, 0.00, 0.99, 0.99, 0.98],
            [0.00, 0.00, 0.00, 0.00, 0.99, 0.97],
            [0.00, 0.00, 0.00, 0.00, 0.00, 0.99],
        ]
    )
    assert find_intervals(probes, IntervalSearch(drop=0.1)) == ((0, 1), (2, 5))
    assert find_intervals(probes, IntervalSearch(drop=0.05)) == ((0, 1), (3, 5))  # 0.97 to 0.91 is a step too large
    assert find_intervals(probes, IntervalSearch(drop=0.1, odd_only=True)) == ((3, 5),)
    assert find_intervals(probes, IntervalSearch(threshold=0.995)) == ()


def test_probes_see_a_linear_map_and_no_more() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 200, 8, generator=generator)
    turned = x @ torch.randn(8, 8, generator=generator) + 3
    noise = torch.randn(4, 200, 8, generator=generator)
    probes = linear_probes([x, turned, noise])
    assert probes[0, 0] == pytest.approx(1, abs=1e-6)
    assert probes[1, 1] < 0.05
    with pytest.raises(ValueError, match="take more clips"):
        linear_probes([x[:2, :8], turned[:2, :8]])


@torch.no_grad()
def test_pruning_nothing_is_the_identity() -> None:
    dit = random_dit(FIVE)
    given = random_latent(FIVE, (1, 4, 4)), TIMESTEP, padded_prompt(2, 4, FIVE.text_dim)
    assert torch.equal(shorter_dit(dit, ())(*given), dit(*given))
    assert torch.equal(shorter_dit(dit, (), FIVE.ffn_dim)(*given), dit(*given))


@torch.no_grad()
def test_a_shorter_dit_computes_by_the_blocks_that_stay(tmp_path: Path) -> None:
    dit = with_idle_blocks(2, 3)
    given = random_latent(FIVE, (1, 4, 4)), TIMESTEP, padded_prompt(2, 4, FIVE.text_dim)
    short = shorter_dit(dit, [Interval(1, 3)])
    assert len(short.blocks) == 3
    assert torch.allclose(short(*given), dit(*given), atol=0.02)
    assert not torch.allclose(shorter_dit(dit, [Interval(0, 1)])(*given), dit(*given), atol=0.02)
    big = random_wan(layers=4)
    path = tmp_path / "short.safetensors"
    save_dit(path, shorter_dit(big, [Interval(1, 2)], 64).state_dict(), 1, Origin(base="wan"))
    config = load_dit(path).config
    assert (config.layers, config.ffn_dim) == (3, 64)


def random_wan(layers: int) -> WanDiT:
    return random_dit(tiny_config(in_channels=16, dim=128, heads=1, layers=layers, ffn_dim=96))


@torch.no_grad()
def test_neurons_that_do_nothing_are_those_that_go() -> None:
    """Those of local mixing go with them."""
    config = replace(FIVE, local_kernel=3, layers=2)
    dit = random_dit(config)
    idle = [1, 5, 6, 20]
    for block in dit.blocks:
        block.get_parameter("ffn.2.weight")[:, idle] = 0
    given = random_latent(config, (3, 4, 4)), TIMESTEP, padded_prompt(2, 4, config.text_dim)
    narrow = shorter_dit(dit, (), config.ffn_dim - len(idle))
    assert narrow.config.ffn_dim == 28
    assert torch.allclose(narrow(*given), dit(*given), atol=1e-5)


def test_a_clip_counts_by_how_its_tokens_vary() -> None:
    wanted = (
        torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0])[:, None, None]
    )
    assert relative_error(wanted, wanted) == 0
    constant = wanted.mean(1, keepdim=True).expand_as(wanted)
    assert float(relative_error(constant, wanted)) == pytest.approx(1, abs=1e-4)


def lite_of_four(folder: Path) -> dict[str, Any]:
    """Student and teacher of four blocks that change their tokens, in one file."""
    torch.manual_seed(1)
    net = LiteModel(TINY_FOUR).requires_grad_(False)
    net.dit.get_parameter("head.head.weight").normal_(0, 0.02)
    path = folder / "four.safetensors"
    save_lite_model(path, net, {}, torch.float32)
    files = {"lite": str(path)}
    return {"student": files, "teacher": {"kind": "restorer", **files}}


@pytest.mark.slow
def test_steps_lower_both_losses_and_the_rest_stays(tmp_path: Path) -> None:
    run = start(load_config(distill_run(tmp_path, PRUNED, steps=50, **lite_of_four(tmp_path), **LEARNING)))
    module = run.stage.trainables[0]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first = first_terms(run)
    run.train()
    last = first_terms(run)
    assert set(first) == {"latent", "student_fed", "teacher_fed"}
    assert last["student_fed"] < 0.7 * first["student_fed"]
    assert last["teacher_fed"] < 0.7 * first["teacher_fed"]
    moved = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith("student.model.dit.blocks.1.") for name in moved)


@pytest.mark.slow
def test_what_is_pruned_is_a_file_that_restores(tmp_path: Path) -> None:
    method = {"prune": {"intervals": [[1, 3]], "ffn_dim": 48, "trains": "all"}}
    changes = {**lite_of_four(tmp_path), **LEARNING}
    run = trained(distill_run(tmp_path, method, steps=2, **changes))
    path = run.output / "last.safetensors"
    size = read_lite_info(path).config.dit
    assert (size.layers, size.ffn_dim) == (2, 48)
    restored = list(load(path).restore_frames(drifting_pattern(5)[0].unbind(1)))
    assert len(restored) == 5
    assert all(frame.isfinite().all() for frame in restored)


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    changes = {**lite_of_four(tmp_path), **LEARNING}
    whole = trained(distill_run(tmp_path, PRUNED, steps=4, **changes))
    path = distill_run(tmp_path, PRUNED, steps=4, output=str(tmp_path / "stopped"), **changes)
    start(load_config(path)).train(2)
    resumed = start(load_config(path), resume=True)
    resumed.train()
    state = resumed.stage.trainables[0].state_dict()
    assert all(torch.equal(value, state[name]) for name, value in whole.stage.trainables[0].state_dict().items())


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in order and apart"):
        check_intervals([Interval(1, 3), Interval(3, 4)])
    with pytest.raises(ValueError, match="0 <= first < last"):
        PruneConfig(intervals=((2, 2),))
    with pytest.raises(ValueError, match="neither intervals nor ffn_dim"):
        PruneConfig()
    with pytest.raises(ValueError, match="an interval ends at block 5, needed below 5"):
        shorter_dit(random_dit(FIVE), [Interval(3, 5)])
    with pytest.raises(ValueError, match="ffn_dim=33, needed from 1 to 32"):
        shorter_dit(random_dit(FIVE), (), 33)
    larger = lite_of_four(tmp_path)["teacher"]
    with pytest.raises(ValueError, match="a restorer of the student's size"):
        start(load_config(distill_run(tmp_path, {"prune": {"intervals": [[0, 1]]}}, teacher=larger)))


@torch.no_grad()
def test_a_restorer_takes_a_shorter_dit() -> None:
    restorer = LiteRestorer(tiny_lite(0.02))
    video = drifting_pattern(5)
    dit = restorer.model.dit
    before = restorer.restore_video(video)
    restorer.use_dit(shorter_dit(dit, ()))
    assert torch.equal(restorer.restore_video(video), before)
    restorer.use_dit(shorter_dit(dit, [Interval(0, 1)]))
    assert restorer.net.config.dit.layers == 1
