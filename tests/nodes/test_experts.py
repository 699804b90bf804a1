"""A file of experts in the place of a LoRA: chosen from as the command does, with other LoRAs beside it."""

from __future__ import annotations

import pytest
import torch

import vfe
from tests.support.comfy_pack import Loose, images_of, run
from tests.support.comfy_wan_files import CLIP, CONTEXT, DIT, LORAS, VAE, decoded, enhanced, write_files
from tests.support.weight_layouts import random_dit
from vfe.models.dit.experts import ExpertLinear, ExpertSizes, add_experts
from vfe.models.flow import OneStepFlow
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.video.severity import severity
from vfe.weights.experts import save_experts

EXACT = 2e-5  # of [0, 1]
EXPERTS = LORAS[1].with_name("experts.safetensors")


@pytest.fixture(scope="module")
def threshold() -> float:
    """That of the whole clip: some of its windows reach it, and others may not."""
    write_files()
    level = float(severity(CLIP.movedim(0, 1)[None]))
    sizes, dit = ExpertSizes(thresholds=(level,), rank=4), random_dit()
    add_experts(dit, sizes)
    for number, layer in enumerate(each for each in dit.modules() if isinstance(each, ExpertLinear)):
        layer.up.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(number))
    save_experts(EXPERTS, dit, sizes, OneStepFlow(), {})
    return level


@pytest.mark.parametrize("beside", [False, True])
def test_equals_vfe(threshold: float, beside: bool) -> None:
    loras = [(EXPERTS, 0.8), *([(LORAS[0], 0.7)] if beside else [])]
    slots: dict[str, Loose] = {}
    for number, (path, strength) in enumerate(loras, start=1):
        slots |= {f"lora_{number}": path.name, f"strength_{number}": strength}
    (restorer,) = run("LoadWanRestorer", model=DIT.name, dtype="fp32", **slots)
    assert 0 < threshold < 1
    ours = decoded(enhanced(restorer), restorer=restorer)
    options = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=tuple(LoraFile(*each) for each in loras))
    by_command = vfe.load(DIT, "cpu", "fp32", WindowConfig(9, 1), options)
    expected = images_of(torch.stack(list(by_command.restore_frames(CLIP.unbind(0)))))
    assert (ours - expected).abs().max() <= EXACT
    without = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=options.loras[1:])
    plain = vfe.load(DIT, "cpu", "fp32", WindowConfig(9, 1), without)
    assert (ours - images_of(torch.stack(list(plain.restore_frames(CLIP.unbind(0)))))).abs().max() > 1e-3
