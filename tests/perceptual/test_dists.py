"""DISTS from user files: its laws, its formula on one stage, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.training_set import write_run, write_training_set
from training.run.stage import Draw, Slots
from training.stages.lite import LiteStage, LiteTrainConfig
from training.train import load_config
from vfe.perceptual.dists import VGG16_WIDTHS, Dists, load_dists


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Random weights in the layout of the published files."""
    torch.manual_seed(0)
    model, folder = Dists(), tmp_path_factory.mktemp("dists")
    vgg = {f"features.{name}": value for name, value in model.convs.state_dict().items()}
    torch.save({**vgg, "classifier.0.weight": torch.zeros(2, 2)}, folder / "vgg16.pth")
    torch.save({name: torch.rand(1, sum(VGG16_WIDTHS), 1, 1) for name in ("alpha", "beta")}, folder / "weights.pt")
    return {"vgg16": str(folder / "vgg16.pth"), "dists": str(folder / "weights.pt")}


def test_laws(files: dict[str, str]) -> None:
    model = load_dists(Path(files["vgg16"]), Path(files["dists"]))
    a, b = torch.rand(2, 1, 3, 32, 32).unbind(0)
    assert model(a, a).abs() < 1e-5
    assert torch.allclose(model(a, b), model(b, a), atol=1e-6)
    near = model(a, a + 0.02 * b)
    assert 0 < near < model(a, b) <= 1


def test_image_stage_is_the_formula() -> None:
    """With weight on the image alone, DISTS is 1 - mean over colours of luminance and structure similarity."""
    model, keep = Dists(), torch.zeros(1, sum(VGG16_WIDTHS), 1, 1)
    keep[:, :3] = 1
    model.alpha.data, model.beta.data = keep.clone(), keep.clone()
    a, b = torch.rand(2, 1, 3, 32, 32).unbind(0)
    x, y = a.flatten(2), b.flatten(2)
    mx, my, cov = x.mean(2), y.mean(2), (x * y).mean(2) - x.mean(2) * y.mean(2)
    vx, vy = x.var(2, correction=0), y.var(2, correction=0)
    c = 1e-6
    expected = ((2 * mx * my + c) / (mx**2 + my**2 + c) + (2 * cov + c) / (vx + vy + c)).sum() / 6
    assert torch.allclose(model(a, b), 1 - expected, atol=1e-5)


@pytest.mark.parametrize("given", [True, False])
def test_a_pixel_phase_compares_whole_frames(tmp_path: Path, files: dict[str, str], given: bool) -> None:
    """With DISTS or with what stands in for it; the mask moves the MSE alone."""
    phases = [{"share": 1.0, "loss": {"space": "pixel", "dists": 0.1, "face_probability": 1.0}}]
    changes = {"phases": phases, **({"perceptual": files} if given else {})}
    config = load_config(write_run(tmp_path, write_training_set(tmp_path / "data"), **changes))
    assert isinstance(config, LiteTrainConfig)
    stage, slots = LiteStage(config, torch.device("cpu")), Slots(0, 2, 2)
    assert ("stands in" in stage.notes[0]) != given
    assert "DISTS" in stage.notes[0]
    batch = stage.to_batch(next(iter(stage.batches(0, slots))))
    corner, rest = torch.zeros_like(batch.mask), torch.zeros_like(batch.mask)
    corner[..., :8, :8], rest[..., 8:, 8:] = 1, 1
    one, other = (
        stage.trainables[0](batch._replace(mask=mask), Draw(0, 0, 0.0, slots)).terms for mask in (corner, rest)
    )
    assert set(one) == {"pixel", "perceptual"}
    assert one["pixel"] != other["pixel"]
    assert one["perceptual"] == other["perceptual"] > 0


def test_other_files_are_refused(tmp_path: Path, files: dict[str, str]) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "half.pth")
    with pytest.raises(ValueError, match="not torchvision's VGG16"):
        load_dists(tmp_path / "half.pth", Path(files["dists"]))
