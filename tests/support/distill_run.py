"""Runs of distillation between two tiny lite models, or two tiny Wan models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.support.tiny_lite import tiny_lite
from tests.support.training_set import small_run, write_training_set, write_yaml
from tests.support.wan_training import write_wan_files
from training.run.loop import Run
from training.run.stage import Draw
from training.train import load_config, start
from vfe.models.lite import LiteModel
from vfe.weights.lite import FLOW_FORMAT, save_lite_model


def distill_run(folder: Path, method: dict[str, Any], **changes: Any) -> Path:  # noqa: ANN401
    """A YAML run: the student, a tiny lite model, moves nothing yet, and its teacher does."""
    for name, head in (("student", 0.0), ("teacher", 0.02)):
        save_lite_model(folder / f"{name}.safetensors", tiny_lite(head), {}, torch.float32)
    write_flow_model(folder / "flow.safetensors", tiny_lite(0.02))
    data = folder / "data"
    run = {
        **small_run(folder, data if data.exists() else write_training_set(data)),
        "stage": "distill",
        "student": {"lite": str(folder / "student.safetensors")},
        "teacher": {"kind": "restorer", "lite": str(folder / "teacher.safetensors")},
        "method": method,
        "task": {"space": "latent"},
        **changes,
    }
    return write_yaml(folder, run)


def write_flow_model(path: Path, net: LiteModel) -> None:
    """A flow model of clean latents as stage `score` leaves it."""
    save_lite_model(path, net, {}, torch.float32, FLOW_FORMAT)


def wan_distill_run(folder: Path, method: dict[str, Any], **changes: Any) -> Path:  # noqa: ANN401
    """The same with a tiny Wan DiT for both, and a LoRA on the student's."""
    files = write_wan_files(folder / "wan")
    models = {
        "student": {"wan": files.config()},
        "teacher": {"kind": "restorer", "wan": files.config(None)},
    }
    return distill_run(folder, method, **{**models, **changes})


def trained(path: Path, steps: int | None = None) -> Run:
    """The run of a file after its steps, or after `steps` of them."""
    run = start(load_config(path))
    run.train(steps)
    return run


def first_terms(run: Run) -> dict[str, float]:
    """The terms of the student on the first batch."""
    batch = run.stage.to_batch(next(iter(run.stage.batches(0, run.slots))))
    terms = run.stage.trainables[0](batch, Draw(0, 0, 0.0, run.slots)).terms
    return {name: float(term.detach()) for name, term in terms.items()}
