"""Laws of inverse reparameterisation: the wide DiT computes what the student does, whose tensors are slices of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_dit import TIMESTEP, padded_prompt, random_dit, random_latent, tiny_config
from training.distill.reparameterise import (
    Branches,
    WideningConfig,
    repeated_axis,
    student_of,
    student_slice,
    widened,
    widened_dit,
)
from training.run.recompute import checkpoint_blocks
from vfe.models.dit.model import WanDiT
from vfe.models.flow import OneStepFlow
from vfe.weights.save import Origin, save_dit
from vfe.weights.wan_dit import load_dit

CONFIG = tiny_config(local_kernel=3, window=(1, 2, 2))


def velocity(dit: WanDiT) -> Tensor:
    return dit(random_latent(dit.config, (2, 4, 6), batch=2), TIMESTEP, padded_prompt(3, 5, CONFIG.text_dim))


def error(dit: WanDiT, reference: Tensor) -> float:
    return float((velocity(dit) - reference).detach().abs().max() / reference.abs().max())


def extracted(student: WanDiT) -> WanDiT:
    """An ordinary DiT of the student's tensors."""
    plain = WanDiT(student.config)
    plain.load_state_dict(student.state_dict())
    return plain


def widened_names(dit: WanDiT) -> list[str]:
    return [name for name, _ in dit.blocks.named_parameters() if repeated_axis(name) is not None]


def parts(gradient: Tensor | None, name: str, ratio: int) -> list[Tensor]:
    assert gradient is not None, name
    axis = repeated_axis(name)
    assert axis is not None
    return list(gradient.chunk(ratio, axis))


@pytest.mark.parametrize("ratio", [2, 3])
@pytest.mark.parametrize(("noise", "most"), [(0.0, 2e-6), (1e-6, 1e-5), (1e-3, 1e-2)])
def test_the_wide_dit_computes_what_it_was_made_of(ratio: int, noise: float, most: float) -> None:
    dit = random_dit(CONFIG)
    wide = widened_dit(dit, WideningConfig(ratio=ratio, noise=noise))
    assert error(wide, velocity(dit)) < most
    repeated = sum(dit.blocks.get_parameter(name).numel() for name in widened_names(dit))
    whole = sum(parameter.numel() for parameter in dit.parameters())
    assert sum(parameter.numel() for parameter in wide.parameters()) == whole + (ratio - 1) * repeated


@pytest.mark.parametrize(("ratio", "most"), [(2, 0.0), (3, 1e-6)])
@pytest.mark.parametrize("branches", [0, 2])
def test_the_student_begins_as_the_dit_it_was_made_of(ratio: int, most: float, branches: int) -> None:
    dit = random_dit(CONFIG)
    student = student_of(widened_dit(dit, WideningConfig(ratio=ratio, branches=branches)), ratio)
    assert error(student, velocity(dit)) <= most


def test_a_slice_is_the_way_back_of_copies() -> None:
    torch.manual_seed(0)
    tensor = torch.randn(4, 6)
    for axis in (0, 1):
        wide = widened(tensor, axis, 2, noise=0.1)
        assert torch.equal(student_slice(wide, axis, 2), tensor)
        first, second = wide.chunk(2, axis)
        assert float((second - first).std() / first.std()) == pytest.approx(0.1, rel=0.3)


def test_copies_have_one_gradient_under_the_teachers_loss() -> None:
    """But for rounding; which is why the noise is needed: without it what begins alike stays alike."""
    parting = []
    for noise in (0.0, 1e-3):
        torch.manual_seed(0)
        wide = widened_dit(random_dit(CONFIG), WideningConfig(ratio=3, noise=noise))
        velocity(wide).square().mean().backward()
        copies = [parts(wide.blocks.get_parameter(name).grad, name, 3) for name in widened_names(wide)]
        parting.append(max(float((b - a).abs().max() / a.abs().max()) for a, *others in copies for b in others))
    assert parting[0] < 1e-6
    assert parting[1] > 1e-3


def test_distillation_reaches_the_first_slices_alone() -> None:
    wide = widened_dit(random_dit(CONFIG), WideningConfig(ratio=3))
    target = velocity(wide).detach()
    (velocity(student_of(wide, 3)) - target + 0.1).square().mean().backward()
    for name in widened_names(wide):
        first, *others = parts(wide.blocks.get_parameter(name).grad, name, 3)
        assert first.any(), name
        assert not torch.cat(others).any(), name


def test_gradients_of_both_add_up_in_the_shared_tensors() -> None:
    wide = widened_dit(random_dit(CONFIG), WideningConfig())
    student = student_of(wide, 2)
    alone = []
    for dit in (wide, student):
        velocity(dit).square().mean().backward()
        alone.append([parameter.grad.clone() for parameter in wide.blocks.parameters() if parameter.grad is not None])
        wide.zero_grad()
    (velocity(wide).square().mean() + velocity(student).square().mean()).backward()
    both = [parameter.grad for parameter in wide.blocks.parameters()]
    assert all(torch.allclose(a + b, c, atol=1e-6) for a, b, c in zip(*alone, both, strict=True))


def test_branches_change_nothing_until_their_scales_move() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 4)
    branches = Branches(weight, 3, rank=2)
    assert torch.equal(branches(weight), weight)
    branches(weight).square().sum().backward()
    assert branches.branch_scales.grad is not None
    assert branches.branch_scales.grad.abs().min() > 0
    assert not any(factor.grad.any() for factor in (branches.up, branches.down) if factor.grad is not None)
    with torch.no_grad():
        branches.branch_scales.copy_(torch.tensor([0.5, 0.0, -2.0]))
    products = branches.up @ branches.down
    assert torch.allclose(branches(weight), weight + 0.5 * products[0] - 2 * products[2], atol=1e-5)


def test_the_student_is_sliced_from_the_sum_of_branches() -> None:
    wide = widened_dit(random_dit(CONFIG), WideningConfig(branches=1, branch_rank=2))
    layer = wide.blocks.get_submodule("1.self_attn.o")
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.get_parameter("parametrizations.weight.0.branch_scales").fill_(0.3)
    plain = extracted(student_of(wide, 2))
    found = plain.blocks.get_parameter("1.self_attn.o.weight")
    assert torch.equal(found, 2 * layer.weight[:, : CONFIG.dim].detach())


def test_recomputed_activations_give_the_same_gradients() -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        wide = widened_dit(random_dit(CONFIG), WideningConfig(branches=1))
        student = student_of(wide, 2)
        if recompute:
            checkpoint_blocks(student.blocks)
            checkpoint_blocks(wide.blocks)
        (velocity(student).square().mean() + velocity(wide).square().mean()).backward()
        gradients.append([parameter.grad for parameter in wide.blocks.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True) if a is not None and b is not None)


def test_the_extracted_student_is_an_ordinary_file(tmp_path: Path) -> None:
    """After steps that train both, its file loads to the bits of the student in place."""
    torch.manual_seed(0)
    wan = tiny_config(in_channels=16)
    wide = widened_dit(random_dit(wan), WideningConfig(ratio=3, branches=1))
    student = student_of(wide, 3)
    optimizer = torch.optim.AdamW(wide.parameters(), 1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        (velocity(wide).square().mean() + velocity(student).square().mean()).backward()
        optimizer.step()
    origin = Origin(base="tiny", flow=OneStepFlow())
    save_dit(tmp_path / "student.safetensors", student.state_dict(), wan.heads, origin)
    loaded = load_dit(tmp_path / "student.safetensors")
    assert torch.equal(velocity(loaded), velocity(student))
    assert torch.equal(velocity(extracted(student)), velocity(student))
    assert not torch.equal(velocity(student), velocity(random_dit(wan)))


def test_what_widens_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="ratio=1, needed 2 or more"):
        WideningConfig(ratio=1)
    with pytest.raises(ValueError, match="noise=-1"):
        WideningConfig(noise=-1)
