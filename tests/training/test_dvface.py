"""DVFace's second stage on lite and on Wan: what it starts as, what it moves, and that users load what it exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

import vfe
from tests.support.moved_weights import changed_parts, weights_of
from tests.support.tiny_prior import SMALL_PRIOR, TINY_PRIOR, tiny_fusion
from tests.support.training_set import write_training_set
from tests.support.wan_training import WanFiles, write_wan_files
from tests.support.weight_layouts import TINY_DIT
from training.dvface.net import LiteNet
from training.dvface.wan import WanNet
from training.lite.net import restore_video, with_prior
from training.run.loop import Run
from training.run.stage import Draw, Slots
from training.stages.dvface import DVFaceStage
from training.train import load_config, start
from vfe.config import from_mapping
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import DualCodebookPrior, PriorConfig
from vfe.models.prior.fusion import FusionConfig
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.weights.adapter import write_adapter
from vfe.weights.lite import load_lite_model, save_lite_model

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
LITE_DIT = {
    "in_channels": 768, "dim": 32, "heads": 2, "layers": 1, "ffn_dim": 32, "freq_dim": 16, "text_dim": 8,
    "patch": [1, 1, 1], "window": [1, 4, 4], "local_kernel": 3,
}  # fmt: skip
LITE_FUSION = {"dim": 32, "layers": 1, "prior_dim": 8, "width": 8, "heads": 2, "hidden": 16, "window": [2, 2]}
WAN_FUSION = vars(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers))
VIDEO = torch.rand(1, 3, 5, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


def lite_restorer() -> LiteModel:
    torch.manual_seed(0)
    net = LiteModel(from_mapping(LiteConfig, {"dit": LITE_DIT}))
    for parameter in net.dit.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return net


def write_prior(path: Path, config: PriorConfig) -> Path:
    torch.manual_seed(1)
    write_adapter(path, DualCodebookPrior(config), {}, torch.float32)
    return path


def write_run(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    root = write_training_set(folder / "data")
    run = {
        "stage": "dvface",
        "data": {"root": str(root), "frames": 5, "side": 32, "batch": 2, "segment": 6, "reuse": 2},
        "eval": {"root": str(root), "clips": 1, "frames": 5, "every_steps": 6},
        "optim": {"lr": 0.002, "warmup_steps": 1},
        "precision": "no",
        "workers": 0,
        "steps": 6,
        "output": str(folder / "run"),
        **changes,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def lite_run(folder: Path) -> Path:
    save_lite_model(folder / "lite.safetensors", lite_restorer(), {}, torch.float32)
    prior = write_prior(folder / "prior.safetensors", from_mapping(PriorConfig, SMALL_PRIOR))
    return write_run(folder, lite=str(folder / "lite.safetensors"), prior=str(prior), fusion=LITE_FUSION)


def wan_run(folder: Path, **changes: Any) -> Path:  # noqa: ANN401
    files = write_wan_files(folder / "wan").config()
    prior = write_prior(folder / "prior.safetensors", TINY_PRIOR)
    flow = {"rule": "dvface", "timestep": 400.0}
    return write_run(folder, wan={**files, "flow": flow}, prior=str(prior), fusion=WAN_FUSION, **changes)


def started(path: Path) -> tuple[Run, DVFaceStage]:
    run = start(load_config(path))
    assert isinstance(run.stage, DVFaceStage)
    return run, run.stage


def test_it_starts_as_the_restorer_without_a_prior(tmp_path: Path) -> None:
    _, stage = started(lite_run(tmp_path))
    plain = load_lite_model(tmp_path / "lite.safetensors", CPU, torch.float32)
    with torch.no_grad():
        assert torch.equal(stage.net(VIDEO), restore_video(plain, VIDEO))


def test_a_prior_of_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="a prior's token is 4 x 16 pixels, the DiT's 4 x 8"):
        with_prior(lite_restorer(), DualCodebookPrior(TINY_PRIOR), from_mapping(FusionConfig, LITE_FUSION))


def test_lite_moves_its_dit_and_fusion_alone(tmp_path: Path) -> None:
    run, stage = started(lite_run(tmp_path))
    assert isinstance(stage.net, LiteNet)
    before = weights_of(stage.net.net)
    run.train()
    assert changed_parts(before, stage.net.net) == {"dit", "context", "fusion"}
    assert {"latent", "pixel", "perceptual", "temporal"} <= set(run.progress.losses[-1])
    loaded = vfe.load(run.output / "last.safetensors", "cpu", "fp32")
    restored = torch.stack(list(loaded.restore_frames(VIDEO[0].unbind(1))), dim=1)[None]
    with run.average.applied(), torch.no_grad():
        expected = stage.net(VIDEO).clamp(-1, 1)
    assert (restored - expected).abs().max() < 0.01  # stored in float16


def parts(net: WanNet) -> dict[str, nn.Module]:
    return {"model": net.model, "fusion": net.fusion, "prior": net.prior, "decoder": net.decoder, "vae": net._vae[0]}


@pytest.mark.parametrize("decoder", [True, False])
def test_wan_moves_lora_fusion_and_decoder(tmp_path: Path, decoder: bool) -> None:
    run, stage = started(wan_run(tmp_path, decoder=decoder))
    assert isinstance(stage.net, WanNet)
    before = {name: weights_of(part) for name, part in parts(stage.net).items()}
    run.train()
    moved = {name for name, part in parts(stage.net).items() if changed_parts(before[name], part)}
    assert moved == ({"model", "fusion", "decoder"} if decoder else {"model", "fusion"})
    after = stage.net.model.state_dict()
    trained = [name for name, value in before["model"].items() if not torch.equal(value, after[name])]
    assert trained
    assert all(".lora_" in name for name in trained)


def restore(files: WanFiles, output: Path, vae: Path) -> Tensor:
    options = ModelOptions(
        vae=vae,
        prompt_embedding=files.context,
        loras=(LoraFile(output / "last.safetensors"),),
        adapter=output / "last.adapter.safetensors",
    )
    restorer = vfe.load(files.dit, "cpu", "fp32", WindowConfig(5, 1), options)
    return torch.stack(list(restorer.restore_frames(VIDEO[0].unbind(1))), dim=1)[None]


def test_users_load_what_wan_exports(tmp_path: Path) -> None:
    """DiT with LoRA, adapter and VAE give the trained net's pixels, by the rule that it was trained by."""
    run, stage = started(wan_run(tmp_path))
    run.train()
    files = WanFiles(*(tmp_path / "wan" / f"{name}.safetensors" for name in WanFiles._fields))
    restored = restore(files, run.output, run.output / "last.vae.safetensors")
    with run.average.applied(), torch.no_grad():
        expected = stage.net(VIDEO)
    assert (restored - expected.clamp(-1, 1)).abs().max() < 1e-4
    assert (restored - restore(files, run.output, files.vae)).abs().max() > 1e-4  # the decoder was trained


@pytest.mark.parametrize("changes", [{"lite": "a"}, {"lite": None, "wan": None}])
def test_it_is_lite_or_wan(tmp_path: Path, changes: dict[str, object]) -> None:
    path = wan_run(tmp_path)
    with pytest.raises(ValueError, match="needs lite or wan, and not both"):
        load_config(path, changes)


def test_a_side_that_no_token_divides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needed a multiple of 16"):
        started(wan_run(tmp_path, data={"root": str(tmp_path / "data"), "frames": 5, "side": 40, "segment": 6}))


def test_its_loss_falls_on_two_clips(tmp_path: Path) -> None:
    _, stage = started(lite_run(tmp_path))
    module = stage.trainables[0]
    batch = stage.to_batch(next(iter(stage.batches(0, Slots(0, 2, 2)))))
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=0.003)
    losses = []
    for step in range(20):
        loss = torch.stack(list(module(batch, Draw(0, step, 0.0, Slots(0, 2, 2))).terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
