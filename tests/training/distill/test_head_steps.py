"""Head steps: learned beside the single step, noted in the file, and taken where they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.distill_run import distill_run, first_terms, trained, wan_distill_run
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from training.train import load_config, start
from vfe import VFEError, load
from vfe.loading.head_steps import read_head_steps
from vfe.models.dit.head_steps import HeadSteps
from vfe.options import LoraFile, ModelOptions
from vfe.tensor_io.open import open_tensors
from vfe.weights.lite import save_lite_model

METHOD = {"head_steps": {"blocks": 1, "most": 3}}


@pytest.mark.slow
def test_a_lite_model_learns_steps_that_enhance_takes(tmp_path: Path) -> None:
    student = {"lite": str(tmp_path / "teacher.safetensors")}  # the one that moves
    changes = {"teacher": {"kind": "ground_truth"}, "student": student, "eval": {"root": None}}
    path = trained(distill_run(tmp_path, METHOD, steps=2, **changes)).output / "last.safetensors"
    frames = drifting_pattern(5)[0].unbind(1)

    def restored(steps: int) -> torch.Tensor:
        return torch.stack(list(load(path, options=ModelOptions(steps=steps)).restore_frames(frames)))

    assert torch.equal(restored(1), torch.stack(list(load(path).restore_frames(frames))))
    assert not torch.equal(restored(3), restored(1))
    with pytest.raises(VFEError, match="was trained for 1 to 3 steps, 4 are asked for"):
        load(path, options=ModelOptions(steps=4))


@pytest.mark.slow
def test_a_lora_on_wan_takes_the_steps_that_it_learned(tmp_path: Path) -> None:
    run = trained(wan_distill_run(tmp_path, METHOD, steps=1, eval={"root": None}))
    assert run.progress.skipped == 0
    lora, files = run.output / "last.safetensors", tmp_path / "wan"
    assert read_head_steps(open_tensors(lora)) == HeadSteps(blocks=1, most=3)
    vae, context = files / "vae.safetensors", files / "context.safetensors"
    frames = drifting_pattern(5)[0].unbind(1)

    def restored(steps: int, fold: bool = True) -> torch.Tensor:
        options = ModelOptions(vae=vae, prompt_embedding=context, loras=(LoraFile(lora),), steps=steps, fold=fold)
        restorer = load(files / "dit.safetensors", dtype="fp32", options=options)
        return torch.stack(list(restorer.restore_frames(frames)))

    folded = restored(3)
    assert not torch.allclose(folded, restored(1), atol=1e-3)
    assert torch.allclose(folded, restored(3, fold=False), atol=1e-3)
    with pytest.raises(VFEError, match="was trained for 1 to 3 steps, 4 are asked for"):
        restored(4)


def test_steps_learn_from_what_is_there(tmp_path: Path) -> None:
    terms = first_terms(start(load_config(distill_run(tmp_path, METHOD))))
    assert set(terms) == {"latent", "head_steps"}
    with pytest.raises(ValueError, match="needed at most 2, those of the student"):
        start(load_config(distill_run(tmp_path, {"head_steps": {"blocks": 3}})))


def test_a_model_of_one_step_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    save_lite_model(path, tiny_lite(0.02), {})
    with pytest.raises(VFEError, match="was trained for one step alone, 2 are asked for"):
        load(path, options=ModelOptions(steps=2))
    save_lite_model(path, tiny_lite(0.02), {"head_steps": {"blocks": "all"}})
    with pytest.raises(VFEError, match="its metadata is damaged"):
        load(path, options=ModelOptions(steps=2))
    with pytest.raises(ValueError, match="steps is 0"):
        ModelOptions(steps=0)
