"""The DiT against diffusers on the same random weights, and the laws of windowed attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmarks.traffic import peak_bytes
from tests.support.tiny_dit import diffusers_name, reference_dit
from vfe.models.dit.model import DiTConfig, FeedForward, LocalMixing, WanDiT
from vfe.models.dit.rope import Rotation
from vfe.models.dit.window_attention import AttentionWindows, attend
from vfe.models.ops import TORCH_OPS
from vfe.types import VideoShape

FORMATS = [(torch.float32, 2e-6), (torch.bfloat16, 4e-2), (torch.float64, 2e-6)]


def randomise(model: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        spread = 0.5 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.1
        parameter.data = torch.randn(parameter.shape, generator=generator) * spread


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "grid"),
    [
        (DiTConfig(in_channels=4, dim=24, heads=2, layers=3, ffn_dim=32, freq_dim=32, text_dim=16), (3, 8, 6)),
        (DiTConfig(layers=2), (2, 6, 8)),
    ],
    ids=["tiny", "full-width"],
)
def test_equals_diffusers(config: DiTConfig, grid: tuple[int, int, int]) -> None:
    model = WanDiT(config).eval()
    randomise(model)
    reference = reference_dit(config)
    reference.load_state_dict({diffusers_name(name): value for name, value in model.state_dict().items()})
    latent, prompt = torch.randn(2, config.in_channels, *grid), torch.randn(2, 5, config.text_dim)
    with torch.no_grad():
        expected = reference(latent, torch.tensor([400, 400]), prompt).sample
        velocity = model(latent, 400.0, prompt)
    assert expected.std() > 0.1
    assert (velocity - expected).abs().max() <= 1e-4


def tiny(window: tuple[int, int, int] | None = None) -> WanDiT:
    config = DiTConfig(
        in_channels=6, dim=32, heads=2, layers=2, ffn_dim=48, freq_dim=16, text_dim=8, patch=(1, 1, 1), window=window
    )
    model = WanDiT(config).eval()
    randomise(model)
    return model


def run(model: WanDiT, latent: Tensor) -> Tensor:
    with torch.no_grad():
        return model(latent, 400.0, torch.ones(1, 3, 8))


@pytest.mark.parametrize("window", [(3, 8, 8), (0, 0, 0), (0, 8, 0)])
def test_a_window_over_the_whole_grid_is_full_attention(window: tuple[int, int, int]) -> None:
    latent = torch.randn(1, 6, 3, 8, 8)
    assert torch.allclose(run(tiny(), latent), run(tiny(window), latent), atol=1e-5)


def test_a_window_in_time_sees_its_frames_alone() -> None:
    latent = torch.randn(1, 6, 3, 8, 8)
    other = latent.clone()
    other[:, :, 2] += 1
    for window, reach in (((0, 4, 4), True), ((1, 4, 4), False)):
        changed = (run(tiny(window), latent) - run(tiny(window), other))[:, :, 0].abs().max() > 1e-6
        assert bool(changed) == reach


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("grid", [(3, 8, 8), (2, 7, 5), (1, 4, 13)])
def test_partition_and_merge_are_inverse(grid: tuple[int, int, int], shifted: bool) -> None:
    layout = AttentionWindows(VideoShape(*grid), VideoShape(2, 4, 4), shifted)
    tokens = torch.randn(2, grid[0] * grid[1] * grid[2], 5)
    assert torch.equal(layout.merge(layout.partition(tokens)), tokens)


@pytest.mark.parametrize("grid", [(3, 8, 8), (2, 7, 5), (5, 4, 13)])
def test_shifted_windows_never_mix_opposite_borders_or_padding(grid: tuple[int, int, int]) -> None:
    layout = AttentionWindows(VideoShape(*grid), VideoShape(2, 4, 4), shifted=True)
    t, h, w = grid
    place = torch.stack(torch.meshgrid(*(torch.arange(n) + 1.0 for n in grid), indexing="ij"), -1).reshape(
        1, t * h * w, 3
    )
    place = layout.partition(place)[0]  # (n, m, 3); padding is all zero
    assert layout.mask is not None
    seen = layout.mask[:, 0] == 0
    real = place[..., 0] > 0
    apart = (place[:, :, None] - place[:, None]).abs()
    assert (apart[seen] < torch.tensor([2, 4, 4])).all()
    assert (real[:, :, None] == real[:, None])[seen].all()


@pytest.mark.parametrize(("dtype", "error"), FORMATS)
def test_attention_is_exact_in_each_format(dtype: torch.dtype, error: float) -> None:
    """Small windows are batched products, but in float32 torch's fused kernel."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 16, 8).to(dtype).unbind(0)
    mask = torch.zeros(2, 1, 16, 16).masked_fill_(torch.rand(2, 1, 16, 16) < 0.3, float("-inf"))
    mask[..., 0] = 0
    scores = q.double() @ k.double().transpose(-2, -1) * 8**-0.5 + mask
    expected = scores.softmax(dim=-1) @ v.double()
    assert torch.allclose(attend(q, k, v, mask.to(dtype)).double(), expected, atol=error)


@pytest.mark.parametrize(("dtype", "error"), FORMATS)
@pytest.mark.parametrize("as_complex", [True, False])
def test_rotation_turns_each_pair_by_its_angle(dtype: torch.dtype, error: float, as_complex: bool) -> None:
    torch.manual_seed(0)
    angles, x = torch.randn(2, 5, 3) * 10, torch.randn(2, 5, 4, 6).to(dtype)
    rotation = Rotation(angles, dtype)
    assert (rotation.turn is None) == (dtype != torch.float32)
    if not as_complex:
        rotation.turn = None
    a, b = x.double().unflatten(-1, (3, 2)).unbind(-1)
    cos, sin = angles[:, :, None].double().cos(), angles[:, :, None].double().sin()
    expected = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)
    assert torch.allclose(rotation(x).double(), expected, atol=error)


def test_rotation_takes_other_formats_than_its_own() -> None:
    """Under autocast queries are of half precision and angles of float32."""
    rotation, x = Rotation(torch.randn(2, 5, 3), torch.float32), torch.randn(2, 5, 4, 6)
    assert torch.allclose(rotation(x.bfloat16()), rotation(x), atol=4e-2)


def test_untrained_velocity_is_zero_and_each_block_is_fused() -> None:
    model = WanDiT(DiTConfig(in_channels=6, dim=32, heads=2, layers=3, ffn_dim=48, freq_dim=16, text_dim=8))
    calls: list[int] = []

    def fuse(index: int, tokens: Tensor) -> Tensor:
        calls.append(index)
        return tokens

    velocity = model(torch.randn(1, 6, 2, 4, 4), 400.0, torch.ones(1, 3, 8), fuse)
    assert torch.equal(velocity, torch.zeros_like(velocity))
    assert calls == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong", [{"dim": 100}, {"heads": 512}, {"local_kernel": 2}, {"layers": 0}, {"window": (-1, 8, 8)}]
)
def test_config_refuses_what_cannot_work(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        DiTConfig(**wrong)  # type: ignore[arg-type]


def feed_forward(local_kernel: int | None) -> tuple[FeedForward, Tensor, VideoShape]:
    """With tokens (1, L, 32) of a grid, and a wide layer of 512."""
    config = DiTConfig(dim=32, heads=1, ffn_dim=512, local_kernel=local_kernel)
    layers, grid = FeedForward(config, TORCH_OPS), VideoShape(3, 16, 16)
    randomise(layers)
    return layers, torch.randn(1, grid.frames * grid.height * grid.width, config.dim), grid


@pytest.mark.parametrize("local_kernel", [None, 3])
def test_the_feed_forward_is_the_same_without_gradients(local_kernel: int | None) -> None:
    layers, x, grid = feed_forward(local_kernel)
    expected = layers(x, grid)  # of weights that need gradients, so that GELU keeps what it got
    expected.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layers.parameters())
    before = x.clone()
    with torch.no_grad():
        torch.testing.assert_close(layers(x, grid), expected, rtol=0, atol=0)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("local_kernel", "copies"), [(None, 1), (3, 2)])
def test_no_copy_of_the_wide_layer_outlives_its_use(local_kernel: int | None, copies: int) -> None:
    layers, x, grid = feed_forward(local_kernel)
    wide = x.shape[1] * 512 * x.element_size()
    with torch.inference_mode():
        assert copies * wide <= peak_bytes(lambda: layers(x, grid)) <= (copies + 0.25) * wide


def test_each_clip_may_have_a_timestep_of_its_own() -> None:
    model = tiny((2, 4, 4))
    randomise(model.time_projection)
    latent, prompt = torch.randn(3, 6, 2, 4, 8), torch.ones(1, 3, 8)
    timesteps = [400.0, 20.0, -400.0]
    with torch.no_grad():
        alone = [model(clip[None], timestep, prompt)[0] for clip, timestep in zip(latent, timesteps, strict=True)]
        together = model(latent, torch.tensor(timesteps), prompt)
    assert (together - torch.stack(alone)).abs().max() <= 1e-5
    assert (together[0] - model(latent[:1], -400.0, prompt)[0]).abs().max() > 1e-3


def test_a_single_latent_frame_trains_as_the_convolution_says() -> None:
    mixing = LocalMixing(5, 3, TORCH_OPS)
    randomise(mixing)
    x = torch.randn(2, 12, 5)
    with torch.no_grad():
        expected = mixing(x, VideoShape(1, 3, 4))
    got = mixing(x.requires_grad_(), VideoShape(1, 3, 4))
    assert (got - expected).abs().max() <= 1e-6
    got.sum().backward()
    assert mixing.time.weight.grad is not None
    assert (mixing.time.weight.grad[:, :, 1] != 0).all()
    assert (mixing.time.weight.grad[:, :, ::2] == 0).all()


def test_a_single_frame_is_convolved_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch takes a batch of one for another layout where its stride says so, and moves everything twice."""
    strides: list[tuple[int, ...]] = []
    convolve = nn.Conv2d.forward

    def noted(layer: nn.Conv2d, x: Tensor) -> Tensor:
        strides.append(x.stride())
        return convolve(layer, x)

    monkeypatch.setattr(nn.Conv2d, "forward", noted)
    with torch.no_grad():
        LocalMixing(5, 3, TORCH_OPS)(torch.randn(1, 12, 5), VideoShape(1, 3, 4))
    assert strides == [(60, 1, 20, 5), (60, 1, 60, 5)]


def test_what_inference_keeps_of_a_grid_serves_training_too() -> None:
    model = tiny((1, 4, 4))
    latent = torch.randn(1, 6, 2, 6, 10)  # a grid that no other test has: nothing of it is kept yet
    with torch.inference_mode():
        model(latent, 400.0, torch.ones(1, 3, 8))
    model.requires_grad_(True)
    model(latent, 400.0, torch.ones(1, 3, 8)).sum().backward()
    gradient = model.patch_embedding.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0
