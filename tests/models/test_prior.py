"""The dual codebook prior: each equation of DVFace 3.2 against a brute-force version, and the laws of its parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.tiny_prior import TINY_PRIOR, tiny_adapter
from vfe.models.dit.model import DiTConfig, WanDiT, count_parameters
from vfe.models.prior import DualCodebookPrior, EncoderScale, Prior, PriorConfig
from vfe.models.prior.codebook import Codebook
from vfe.models.prior.encoder import Downscale
from vfe.models.prior.fusion import AsymmetricFusion, FusionConfig
from vfe.models.prior.latents import frame_difference
from vfe.models.wan_vae import WanVAE

WAN_MILLIONS = 1624.55  # DiT, VAE, prior and fusion together, of the default sizes


def clip(frames: int = 9, height: int = 32, width: int = 48, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def prior() -> DualCodebookPrior:
    return tiny_adapter().prior


def test_number_of_parameters_of_the_default_sizes() -> None:
    with torch.device("meta"):
        parts = [WanDiT(DiTConfig()), WanVAE(), DualCodebookPrior(PriorConfig()), AsymmetricFusion(FusionConfig())]
    assert count_parameters(parts) / 1e6 == pytest.approx(WAN_MILLIONS, rel=0.02)


def test_latents_are_on_the_token_grid(prior: DualCodebookPrior) -> None:
    latents = prior.latents(clip(frames=13, batch=2))
    assert all(z.shape == (2, TINY_PRIOR.dim, 4, 2, 3) for z in latents)


@pytest.mark.parametrize("shape", [(8, 32, 32), (9, 24, 32), (9, 32, 40)])
def test_a_clip_of_another_size_is_refused(prior: DualCodebookPrior, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 16; pad it first"):
        prior(clip(*shape))


def test_a_latent_frame_is_of_its_own_frames(prior: DualCodebookPrior) -> None:
    """z_l of frames 5 to 8 is that of a clip which they end; the first frame counts as a group of equal frames."""
    video = clip(frames=9)
    encode = prior.encoder
    whole = encode(video)
    torch.testing.assert_close(encode(video[:, :, :5]), whole[:, :, :2], rtol=0, atol=0)
    still = torch.cat([video[:, :, :1], video[:, :, :1].expand(-1, -1, 4, -1, -1)], dim=2)
    torch.testing.assert_close(encode(still)[:, :, 1], whole[:, :, 0], rtol=0, atol=1e-6)


def test_encoder_gathers_frames_in_their_order() -> None:
    """One scale, one frame in channels after the other: a convolution of (p 3) x q x q pixels."""
    torch.manual_seed(0)
    config = PriorConfig(dim=4, entries=2, heads=1, scales=(EncoderScale(width=5, time=4, space=8, blocks=0),))
    encoder = DualCodebookPrior(config).encoder
    video = clip(frames=5, height=8, width=8)
    first = encoder.layers[0]
    assert isinstance(first, Downscale)
    pixels = video[0, :, 1:].transpose(0, 1).flatten(0, 1).flatten(1)
    x = torch.einsum("oik,ik->o", first.conv.weight.flatten(2), pixels) + first.conv.bias
    x = x * (x.square().mean() + 1e-6).rsqrt()  # the norm's weight is 1
    expected = encoder.project.weight[:, :, 0, 0] @ F.silu(x) + encoder.project.bias
    torch.testing.assert_close(encoder(video)[0, :, 1, 0, 0], expected, rtol=1e-4, atol=1e-5)


def test_temporal_latents_by_loops(prior: DualCodebookPrior) -> None:
    """Eq. 4: attention along time at each place, and differences of neighbours, zero for the first."""
    part, z = prior.temporal_latents, torch.randn(2, 8, 4, 2, 3)
    expected = torch.zeros_like(z)
    width = 8 // part.heads
    for b, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3)).tolist():
        sequence = part.norm(z[b, :, :, y, x].T)
        q, k, v = part.q(sequence), part.k(sequence), part.v(sequence)
        heads = [slice(n * width, (n + 1) * width) for n in range(part.heads)]
        mixed = [torch.softmax(q[:, n] @ k[:, n].T / width**0.5, -1) @ v[:, n] for n in heads]
        expected[b, :, :, y, x] = part.o(torch.cat(mixed, -1)).T
        for t in range(1, 4):
            expected[b, :, t, y, x] += z[b, :, t, y, x] - z[b, :, t - 1, y, x]
    torch.testing.assert_close(part(z), expected, rtol=1e-4, atol=1e-5)


def test_a_still_clip_has_no_difference() -> None:
    z = torch.randn(1, 8, 1, 2, 2).expand(-1, -1, 5, -1, -1)
    assert not frame_difference(z).any()
    assert not frame_difference(z[:, :, :1]).any()


def test_spatial_latents_frame_by_frame(prior: DualCodebookPrior) -> None:
    """Eq. 5."""
    part, z = prior.spatial_latents, torch.randn(2, 8, 3, 4, 5)
    for t in range(3):
        expected = part.conv2(F.silu(part.conv1(z[:, :, t])))
        torch.testing.assert_close(part(z)[:, :, t], expected, rtol=1e-4, atol=1e-5)


def test_nearest_entry_by_loops() -> None:
    """Eq. 3."""
    torch.manual_seed(0)
    codebook = Codebook(7, 5)
    codebook.entries.data.normal_()
    z = torch.randn(2, 3, 4, 5)
    quantized = codebook(z)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in z.shape[:3])).tolist():
        distances = [(z[tuple(place)] - entry).norm().item() for entry in codebook.entries]
        index = distances.index(min(distances))
        assert quantized.indices[tuple(place)] == index
        torch.testing.assert_close(quantized.codes[tuple(place)], codebook.entries[index])


def test_gradients_of_quantisation() -> None:
    """Codes pass their gradient straight through to the latents, entries keep theirs."""
    torch.manual_seed(0)
    codebook = Codebook(4, 3)
    codebook.entries.data.normal_()
    z = torch.randn(6, 3, requires_grad=True)
    weight = torch.randn(6, 3)

    def gradients(loss: Tensor) -> tuple[Tensor | None, Tensor | None]:
        found = torch.autograd.grad(loss, (z, codebook.entries), allow_unused=True, retain_graph=True)
        return found[0], found[1]

    quantized = codebook(z)
    torch.testing.assert_close(quantized.codes, quantized.entries)
    to_z, to_entries = gradients((quantized.codes * weight).sum())
    assert to_z is not None
    assert torch.equal(to_z, weight)
    assert to_entries is None
    to_z, to_entries = gradients((quantized.entries * weight).sum())
    assert to_z is None
    assert to_entries is not None
    torch.testing.assert_close(to_entries, torch.zeros(4, 3).index_add(0, quantized.indices, weight))


def test_prior_is_the_entries_of_the_likeliest_codes(prior: DualCodebookPrior) -> None:
    video = clip()
    latents = prior.latents(video)
    found = prior(video)
    for part, codebook, predictor, z in (
        (found.spatial, prior.spatial_codebook, prior.spatial_predictor, latents.spatial),
        (found.temporal, prior.temporal_codebook, prior.temporal_predictor, latents.temporal),
    ):
        logits = predictor(z)
        assert logits.shape == (1, 3, 2, 3, TINY_PRIOR.entries)
        assert torch.equal(part, codebook.entries[logits.argmax(-1)])
    torch.testing.assert_close(found.pooled, found.temporal.mean((1, 2, 3)))


def test_predictor_reads_the_whole_clip(prior: DualCodebookPrior) -> None:
    """Every token's logits depend on every token: `None` is no window."""
    z = torch.randn(1, TINY_PRIOR.dim, 3, 2, 3, requires_grad=True)
    prior.spatial_predictor(z)[0, 0, 0, 0].square().sum().backward()
    assert z.grad is not None
    assert bool((z.grad.abs().sum(1) > 0).all())


def test_a_tile_keeps_the_pool_of_the_whole() -> None:
    whole = Prior.of(torch.randn(1, 2, 4, 6, 8), torch.randn(1, 2, 4, 6, 8))
    tile = whole.tile(slice(1, 3), slice(2, 6))
    assert tile.spatial.shape == tile.temporal.shape == (1, 2, 2, 4, 8)
    assert tile.pooled is whole.pooled
