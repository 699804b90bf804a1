"""The discriminator that looks through frozen networks, and the cuts that strided losses see."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.random_squeeze import random_squeeze
from training.burst.feature_discriminator import MOST_PLACES, FeatureDiscriminator, FeatureHead
from training.burst.likeness import LikenessDistance, LikenessNet
from training.losses.adversarial import discriminator_loss, generator_loss, logits_for_generator
from training.losses.perceptual.squeeze import SqueezeDistance
from training.losses.shifted import LATTICE, shifted
from training.run.stage import Draw, Slots

SIDE = 64


def discriminator() -> FeatureDiscriminator:
    torch.manual_seed(0)
    return FeatureDiscriminator(SIDE, SqueezeDistance(random_squeeze()))


def crisp_and_soft(seed: int) -> tuple[Tensor, Tensor]:
    """Clips (2, 3, 1, 64, 64) of noise, and the same blurred."""
    crisp = torch.rand(2, 3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return crisp, F.avg_pool3d(crisp, (1, 5, 5), stride=1, padding=(0, 2, 2))


def test_it_learns_to_tell_crisp_from_soft() -> None:
    model = discriminator()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(30):
        optimizer.zero_grad()
        real, generated = (model(video) for video in crisp_and_soft(step))
        discriminator_loss(real, generated).backward()
        optimizer.step()
    real, generated = (model(video).detach() for video in crisp_and_soft(1000))
    assert (real > 0).float().mean() > 0.9
    assert (generated < 0).float().mean() > 0.9


def test_heads_alone_learn_and_the_gradient_comes_through_all() -> None:
    model = discriminator()
    assert all(name.startswith("heads.") for name in model.state_dict())
    video = crisp_and_soft(0)[1].requires_grad_()
    generator_loss(logits_for_generator(model, video)).backward()
    assert video.grad is not None
    assert float(video.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in model.parameters())


def test_every_depth_has_a_say_and_knows_where_it_looks() -> None:
    torch.manual_seed(0)
    likeness = LikenessDistance(LikenessNet().eval().requires_grad_(False))
    model = FeatureDiscriminator(256 - LATTICE, SqueezeDistance(random_squeeze()), likeness)
    rows = [head.places.shape[-1] for head in model.heads if isinstance(head, FeatureHead)]
    assert len(rows) == 6
    assert max(rows) <= MOST_PLACES
    video = torch.rand(1, 3, 2, 256 - LATTICE, 256 - LATTICE) * 2 - 1
    logits = model(video)
    assert logits.shape == (1, 2, sum(count**2 for count in rows))
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_videos_are_cut_at_one_place_that_moves_by_the_step() -> None:
    places = torch.arange(24 * 20).view(1, 1, 1, 24, 20).float()
    corners = set()
    for step in range(40):
        a, b = shifted(Draw(0, step, 0.0, Slots(0, 1, 1)), places, -places)
        assert a.shape == (1, 1, 1, 24 - LATTICE, 20 - LATTICE)
        assert torch.equal(a, -b)
        corners.add(divmod(int(a[0, 0, 0, 0, 0]), 20))
    assert {top for top, _ in corners} == {left for _, left in corners} == set(range(LATTICE))
