"""The video PatchGAN: what a logit sees, its losses as eq. 10 writes them, and whose weights they move."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.losses.adversarial import (
    Discriminator,
    DiscriminatorConfig,
    adaptive_weight,
    discriminator_loss,
    generator_loss,
    logits_for_generator,
)

TINY = DiscriminatorConfig(width=8, stages=2)


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(TINY).eval()


def video(frames: int, side: int = 24, seed: int = 1) -> Tensor:
    return 2 * torch.rand(1, 3, frames, side, side + 8, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.mark.parametrize("frames", [1, 5])
def test_a_logit_for_each_patch_of_each_frame(discriminator: Discriminator, frames: int) -> None:
    assert discriminator(video(frames)).shape == (1, 1, frames, 24 // 4 - 2, 32 // 4 - 2)


def test_untrained_it_sees_each_frame_alone(discriminator: Discriminator) -> None:
    clip = video(4)
    alone = torch.cat([discriminator(clip[:, :, t : t + 1]) for t in range(4)], dim=2)
    assert torch.allclose(discriminator(clip), alone, atol=1e-5)


@pytest.mark.parametrize("temporal", [True, False])
def test_trained_it_sees_a_frame_as_far_as_its_taps_reach(temporal: bool) -> None:
    """Three layers of three taps: three frames to either side, or none without them."""
    model = Discriminator(DiscriminatorConfig(width=8, stages=2, temporal=temporal)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)
    clip = video(9).requires_grad_()
    (gradient,) = torch.autograd.grad(model(clip)[:, :, 4].sum(), clip)
    seen = [t for t in range(9) if gradient[:, :, t].abs().max() > 0]
    assert seen == ([1, 2, 3, 4, 5, 6, 7] if temporal else [4])


def test_spectral_norm_holds_every_layer_at_one() -> None:
    torch.manual_seed(0)
    model = Discriminator(TINY)
    convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv3d)]
    for _ in range(30):  # each forward pass is a step of the power iteration
        model(video(2))
    norms = [torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item() for conv in convs]
    assert len(norms) == 2 * (TINY.stages + 1) + 1
    assert norms == pytest.approx([1.0] * len(norms), abs=0.02)
    plain = Discriminator(DiscriminatorConfig(width=8, stages=2, spectral_norm=False))
    assert [name for name, _ in plain.named_parameters()][:2] == ["stages.0.space.weight", "stages.0.space.bias"]


def test_losses_are_the_logarithms_of_the_paper() -> None:
    real, fake = torch.randn(2, 2, 1, 3, 4, 4).unbind(0)
    d_real, d_fake = (1 / (1 + (-x.double()).exp()) for x in (real, fake))
    eq10 = d_real.log().mean() + (1 - d_fake).log().mean()
    assert discriminator_loss(real, fake).item() == pytest.approx(-eq10.item(), rel=1e-5)
    assert generator_loss(fake).item() == pytest.approx(-d_fake.log().mean().item(), rel=1e-5)


def test_a_sure_discriminator_still_teaches() -> None:
    """Eq. 10's log(1 - D) has no gradient left where the non-saturating form has all of it."""
    logit = torch.tensor([-30.0], requires_grad=True)
    (teaches,) = torch.autograd.grad(generator_loss(logit), logit)
    (saturated,) = torch.autograd.grad((1 - logit.sigmoid()).log().mean(), logit)
    assert teaches.item() == pytest.approx(-1.0)
    assert abs(saturated.item()) < 1e-9
    assert discriminator_loss(torch.tensor([-1e4]), torch.tensor([1e4])).item() == pytest.approx(2e4)  # and no infinity


def test_the_generators_turn_leaves_the_discriminator_alone() -> None:
    torch.manual_seed(0)
    model = Discriminator(TINY)
    clip = video(3).requires_grad_()
    generator_loss(logits_for_generator(model, clip)).backward()
    assert clip.grad is not None
    assert clip.grad.norm() > 0
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert torch.equal(logits_for_generator(model.eval(), clip), model(clip))


@pytest.mark.parametrize("temporal", [True, False])
def test_taps_in_time_learn_to_tell_flicker_from_stillness(temporal: bool) -> None:
    """Frames of every shade are in both sets: only change in time tells them apart, which no single frame shows."""
    torch.manual_seed(0)
    model = Discriminator(DiscriminatorConfig(width=8, stages=2, temporal=temporal))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    signs, losses = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).view(1, 1, 5, 1, 1), []
    for step in range(22):
        shade = torch.rand(4, 1, 1, 1, 1, generator=torch.Generator().manual_seed(step)) - 0.5
        bright_and_dark = torch.tensor([0.3, 0.3, -0.3, -0.3]).view(4, 1, 1, 1, 1)
        still = (shade + bright_and_dark).expand(4, 3, 5, 16, 16)
        flicker = (shade + 0.3 * signs).expand(4, 3, 5, 16, 16)
        loss = discriminator_loss(model(still), model(flicker))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    chance = 2 * torch.tensor(2.0).log().item()
    assert losses[0] == pytest.approx(chance, abs=0.1)
    assert losses[-1] < 0.2 * chance if temporal else losses[-1] > 0.9 * chance


def test_adaptive_weight_is_the_ratio_of_gradients() -> None:
    last = torch.tensor([1.0, 2.0], requires_grad=True)
    reconstruction, adversarial = (last * torch.tensor([3.0, 4.0])).sum(), (last * torch.tensor([0.0, 0.5])).sum()
    weight = adaptive_weight(reconstruction, adversarial, last)
    assert weight.item() == pytest.approx(5 / (0.5 + 1e-4), rel=1e-5)
    assert not weight.requires_grad
    assert adaptive_weight(reconstruction * 10, adversarial * 0, last).item() == 1e4
    (reconstruction + weight * adversarial).backward()  # the graph is still there


def test_frames_too_small_are_refused(discriminator: Discriminator) -> None:
    with pytest.raises(ValueError, match="sides of 12 and more"):
        discriminator(torch.zeros(1, 3, 1, 8, 16))
    with pytest.raises(ValueError, match="at least 1"):
        DiscriminatorConfig(stages=0)
