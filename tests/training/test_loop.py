"""The loop against a plain one, written out; draws, accumulation, averages, and what two modules may not do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.toy_stage import CLIPS, Generator, NoisyStage, ToyDiscriminator, ToyStage, rows, toy_config
from training.run.checkpoints import trainable_state
from training.run.config import EvalConfig, RunConfig
from training.run.distributed import fastest_precision
from training.run.loop import Run
from training.run.optim import learning_rate
from training.run.recompute import checkpoint_blocks
from training.run.stage import Draw, Slots, TrainableModule


def trained(config: RunConfig, stage: type[ToyStage] = ToyStage, stop_after: int | None = None) -> Run:
    run = Run(config, stage)
    run.train(stop_after)
    return run


def weights(run: Run) -> list[torch.Tensor]:
    return [*(v for p in run.stage.trainables for v in p.state_dict().values()), *run.average.values]


def weights_of(module: TrainableModule) -> list[torch.nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def plain_loop(config: RunConfig) -> list[torch.Tensor]:
    """The same run with nothing but torch: each module by AdamW on its own loss, and the generator's average."""
    torch.manual_seed(config.seed)
    discriminator = ToyDiscriminator()
    generator = Generator(discriminator.layer, noisy=False)
    optimizers = [
        torch.optim.AdamW(
            [
                {"params": [module.layer.weight], "weight_decay": 0.01 if module is generator else 0.0},
                {"params": [module.layer.bias], "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )
        for module in (generator, discriminator)
    ]
    average = [p.detach().clone() for p in generator.layer.parameters()]
    for step in range(config.steps):
        draw = Draw(config.seed, step, step / config.steps, Slots(0, CLIPS, CLIPS))
        batch = rows(step)
        for module, optimizer in zip((generator, discriminator), optimizers, strict=True):
            if module.rests(step):
                continue
            optimizer.zero_grad()
            terms, made = module(batch, draw)
            torch.autograd.backward(sum(terms.values()), inputs=weights_of(module))
            torch.nn.utils.clip_grad_norm_(weights_of(module), 1.0)
            for group, scale in zip(
                optimizer.param_groups, (0.5, 0.25) if module is discriminator else (1, 1), strict=True
            ):
                group["lr"] = learning_rate(config.optim, step, step / config.steps) * scale
            optimizer.step()
            batch = made
        decay = min(0.9, (1 + step) / (10 + step))
        average = [
            decay * a + (1 - decay) * p.detach() for a, p in zip(average, generator.layer.parameters(), strict=True)
        ]
    return [*generator.state_dict().values(), *discriminator.state_dict().values(), *average]


def close(a: list[torch.Tensor], b: list[torch.Tensor], tolerance: float = 1e-6) -> bool:
    return all(torch.allclose(x, y, atol=tolerance) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_the_loop_is_the_plain_loop(tmp_path: Path, accumulate: int) -> None:
    config = toy_config(tmp_path, accumulate=accumulate)
    run = trained(config)
    assert close(weights(run), plain_loop(config))
    assert not close(weights(run), plain_loop(toy_config(tmp_path, steps=5)))


def test_draws_are_of_the_slot_and_not_of_its_holder() -> None:
    whole = Slots(0, 8, 8)
    for step in range(3):
        expected = Draw(7, step, 0.0, whole)
        parts = [Draw(7, step, 0.0, whole.part(index, 4)) for index in range(4)]
        for _ in range(2):
            assert torch.equal(expected.uniform(8), torch.cat([part.uniform(2) for part in parts]))
            assert {expected.common()} == {part.common() for part in parts}
            noise = torch.cat([part.noise(torch.zeros(2, 3)) for part in parts])
            assert torch.equal(expected.noise(torch.zeros(8, 3)), noise)
            assert len(noise.unique()) == 24
    assert not torch.equal(Draw(7, 0, 0.0, whole).uniform(8), Draw(7, 1, 0.0, whole).uniform(8))
    assert not torch.equal(Draw(7, 0, 0.0, whole).uniform(8), Draw(8, 0, 0.0, whole).uniform(8))
    with pytest.raises(ValueError, match="one for each of the 2 clips"):
        Draw(7, 0, 0.0, whole.part(0, 4)).uniform(8)
    with pytest.raises(ValueError, match="for the 2 clips in hand"):
        Draw(7, 0, 0.0, whole.part(0, 4)).noise(torch.zeros(8, 3))


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="4 cannot be shared equally by 3"):
        Run(toy_config(tmp_path, accumulate=3), ToyStage)


@pytest.mark.parametrize("stop", [1, 4])
def test_resume_keeps_torchs_own_generator_and_the_stages_state(tmp_path: Path, stop: int) -> None:
    scoring = EvalConfig(every_steps=2)
    straight = trained(toy_config(tmp_path / "straight"), NoisyStage)
    trained(toy_config(tmp_path / "run", eval=scoring), NoisyStage, stop_after=stop)
    torch.manual_seed(99)
    resumed = Run(toy_config(tmp_path / "run", eval=scoring), NoisyStage, resume=True)
    resumed.train()
    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(resumed), strict=True))
    assert isinstance(resumed.stage, ToyStage)
    assert resumed.stage.seen == sum(range(6))


def test_a_run_does_not_write_over_another(tmp_path: Path) -> None:
    trained(toy_config(tmp_path))
    with pytest.raises(ValueError, match="--resume"):
        Run(toy_config(tmp_path), ToyStage)


def test_files_hold_the_average_and_training_its_own_weights(tmp_path: Path) -> None:
    run = trained(toy_config(tmp_path))
    own = [v.clone() for v in weights(run)]
    run.score()
    assert all(torch.equal(a, b) for a, b in zip(own, weights(run), strict=True))
    last = load_file(tmp_path / "last.safetensors")
    assert torch.equal(last["layer.weight"], run.average.values[0])
    assert not torch.equal(last["layer.weight"], run.stage.trainables[0].state_dict()["layer.weight"])


def test_frozen_weights_do_not_move_and_are_not_saved(tmp_path: Path) -> None:
    run = Run(toy_config(tmp_path), ToyStage)
    module = run.stage.trainables[0]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    run.train()
    moved = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"layer.weight", "layer.bias"} == set(trainable_state(module))
    state = torch.load(tmp_path / "state/step-00000006/state.pt", weights_only=True)
    assert [set(saved) for saved in state["modules"]] == [moved, {"layer.weight", "layer.bias"}]


def test_checkpointed_blocks_give_the_same_gradient_and_names() -> None:
    blocks = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))
    names, x = list(blocks.state_dict()), torch.randn(3, 4)
    blocks(x).square().sum().backward()
    expected = [p.grad.clone() for p in blocks.parameters() if p.grad is not None]
    blocks.zero_grad()
    checkpoint_blocks(blocks)
    blocks(x).square().sum().backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(expected, blocks.parameters(), strict=True) if p.grad is not None)
    assert list(blocks.state_dict()) == names
    assert len(expected) == 4


def test_curves_go_to_tensorboard_or_a_line_says_they_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(toy_config(tmp_path))
    try:
        import tensorboard  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        assert "tensorboard is not installed" in capsys.readouterr().err
    else:
        assert list((tmp_path / "tensorboard").glob("events.*"))


@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [((torch.float32, torch.bfloat16), "no"), ((torch.bfloat16,), "bf16"), ((torch.float16,), "fp16")],
)
def test_auto_is_what_the_device_is_fastest_in(
    dtypes: tuple[torch.dtype, ...], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.run.distributed.dtypes_for", lambda _: dtypes)
    assert fastest_precision() == precision


def test_a_run_knows_what_auto_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.run.loop.fastest_precision", lambda: "no")
    run = Run(toy_config(tmp_path, precision="auto"), ToyStage)
    assert run.config.precision == run.facts({})["run"]["precision"] == "no"
    assert "precision: float32" in capsys.readouterr().err
