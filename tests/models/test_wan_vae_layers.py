"""The identities that the fast VAE rests on, each against the plain computation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.tiny_vae import latent_of, random_vae
from vfe.models.ops import TORCH_OPS
from vfe.models.wan_vae import VAEPlan, layers, measure, model, passes
from vfe.models.wan_vae.conv import Form, NormedConv, Target, winograd_kernels
from vfe.models.wan_vae.history import History
from vfe.models.wan_vae.layers import HalveRate, Residual, attend, phase_kernels
from vfe.models.wan_vae.passes import Compiled, Passes, Strips, has_compiler, passes_for
from vfe.models.wan_vae.weights import DownsampleWeights, NormWeights, ResidualWeights

CPU = torch.device("cpu")


def target(form: Form = Form.PAIRS, passes: Passes | None = None) -> Target:
    return Target(CPU, torch.float32, form, passes or Strips())


def frames(count: int, channels: int = 8, height: int = 6, width: int = 5) -> Tensor:
    x = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(count))
    return x.contiguous(memory_format=torch.channels_last)


def plain_norm_silu(x: Tensor, norm: NormWeights) -> Tensor:
    return F.silu(F.normalize(x, dim=1) * norm.gamma.numel() ** 0.5 * norm.gamma.view(-1, 1, 1))


def plain_causal(x: Tensor, conv: nn.Conv3d) -> Tensor:
    """Frames (T, C, H, W) through a 3x3x3 convolution that is padded with two zero frames in front."""
    clip = F.pad(x.transpose(0, 1)[None], (1, 1, 1, 1, 2, 0))
    return F.conv3d(clip, conv.weight, conv.bias)[0].transpose(0, 1)


def normed_conv() -> tuple[NormWeights, nn.Conv3d]:
    torch.manual_seed(0)
    norm, conv = NormWeights(8), nn.Conv3d(8, 12, 3)
    norm.gamma.data.uniform_(0.5, 1.5)
    return norm.requires_grad_(False), conv.requires_grad_(False)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("chunks", [(1, 2, 2), (1, 4), (1, 1, 3), (1, 3, 1)])
def test_a_causal_convolution_in_steps(form: Form, chunks: tuple[int, ...]) -> None:
    norm, conv = normed_conv()
    x, residual = frames(5), frames(5, 12)
    expected = plain_causal(plain_norm_silu(x, norm), conv) + residual
    fast, history = NormedConv(norm, conv, target(form)), History()
    parts = [
        fast.over(part, history)(add)
        for part, add in zip(x.split(list(chunks)), residual.split(list(chunks)), strict=True)
    ]
    assert torch.allclose(torch.cat(parts), expected, atol=2e-6)


def test_winograd_makes_two_frames_of_four_products() -> None:
    """In double precision, where the identity is exact."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, 3, 3, 3, generator=generator, dtype=torch.float64)
    d = torch.randn(4, 2, 5, 5, generator=generator, dtype=torch.float64)
    terms = (d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3])
    m = [F.conv2d(term[None], g) for term, g in zip(terms, winograd_kernels(weight), strict=True)]
    expected = F.conv3d(d.transpose(0, 1)[None], weight)[0].transpose(0, 1)
    assert torch.allclose(torch.cat([m[0] + m[1] + m[2], m[1] - m[2] - m[3]]), expected, atol=1e-12)


def test_upsampling_folds_into_the_convolution() -> None:
    """Borders too: four 2x2 kernels are nearest x2 and a padded 3x3 one."""
    torch.manual_seed(0)
    x, weight = frames(2).double(), torch.randn(4, 8, 3, 3, dtype=torch.float64)
    expected = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest-exact"), weight, padding=1)
    blocks = F.conv2d(x, phase_kernels(weight), padding=1).unflatten(1, (2, 2, 4))
    for p in range(2):
        for q in range(2):
            place = blocks[:, p, q, :, p : p + 6, q : q + 5]
            assert torch.allclose(place, expected[:, :, p::2, q::2], atol=1e-12)


def test_strips_are_as_good_as_whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    x, past, gamma = frames(4, 32), frames(2, 32), torch.rand(32, 1, 1)
    products = [frames(2, 32) for _ in range(4)]

    def results() -> list[Tensor]:
        terms, last = Strips().terms(past, x, gamma)
        return [*terms, last, Strips().extended(past, x, gamma), Strips().merge(products, x)]

    expected = results()
    monkeypatch.setattr(passes, "CPU_STRIP", 4 * 32 * 5 * 4)  # a row
    assert all(torch.equal(strip, whole) for strip, whole in zip(results(), expected, strict=True))


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(CPU), reason="there is no C++ compiler")
def test_compiled_passes_equal_plain_ones() -> None:
    torch.manual_seed(0)
    weights = ResidualWeights(8, 8, TORCH_OPS).requires_grad_(False)
    results = []
    for kind in (Strips(), Compiled()):
        block, history = Residual(weights, target(Form.PAIRS, kind)), History()
        results.append(torch.cat([block(part, history) for part in frames(5).split([1, 4])]))
    assert torch.allclose(results[0], results[1], atol=2e-6)


def test_without_a_compiler_the_passes_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passes_for(CPU, fuse=False) == Strips()
    monkeypatch.setattr(passes, "has_compiler", lambda _: False)
    assert passes_for(CPU, fuse=True) == Strips()


class LargestTensor(TorchDispatchMode):
    """Watches the size of what every operation makes."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, tuple | list) else (made,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return made


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_attention_makes_no_matrix_of_all_scores(backend: SDPBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SCORES_AT_ONCE", 1000)
    q, k, v = (torch.randn(2, 1, 50, 8, generator=torch.Generator().manual_seed(i)) for i in range(3))
    expected = (q @ k.transpose(2, 3) / 8**0.5).softmax(-1) @ v
    with torch.no_grad(), sdpa_kernel(backend), LargestTensor() as largest:
        result = attend(q, k, v)
    assert torch.allclose(result, expected, atol=1e-6)
    assert largest.elements <= 1000 < 2 * 50 * 50


def past_of(history: History, conv: nn.Module) -> Tensor:
    past = history.past(conv, torch.float32)
    assert past is not None
    return past


def test_history_is_two_frames_with_zeros_before_the_start() -> None:
    history, conv = History(), nn.Identity()
    x = frames(5)
    assert history.past(conv, torch.float32) is None
    history.keep(conv, x[:1])
    assert torch.equal(past_of(history, conv), torch.stack([torch.zeros_like(x[0]), x[0]]))
    assert torch.equal(history.extended(conv, x[1:4]), torch.cat([torch.zeros_like(x[:1]), x[:4]]))
    assert torch.equal(past_of(history, conv), x[2:4])


def test_a_copy_of_history_keeps_the_past() -> None:
    history, conv, x = History(), nn.Identity(), frames(4)
    history.keep(conv, x[:2])
    before = history.copy()
    history.keep(conv, x[2:])
    assert torch.equal(past_of(before, conv), x[:2])
    history.adopt(before)
    assert torch.equal(past_of(history, conv), x[:2])


def test_history_keeps_no_more_than_its_frames_in_memory() -> None:
    history, conv = History(), nn.Identity()
    history.keep(conv, frames(100))
    past = past_of(history, conv)
    assert past.untyped_storage().nbytes() == past.numel() * 4


def test_halving_the_rate_looks_back_one_frame() -> None:
    torch.manual_seed(0)
    weights = DownsampleWeights(8, True, TORCH_OPS).requires_grad_(False)
    conv = weights.time_conv
    assert isinstance(conv, nn.Conv3d)
    x = frames(9)
    tail = F.conv3d(x.transpose(0, 1)[None], conv.weight, conv.bias, stride=(2, 1, 1))[0].transpose(0, 1)
    layer, history = HalveRate(weights, target()), History()
    halved = torch.cat([layer(part, history) for part in x.split([1, 2, 4, 2])])
    assert torch.allclose(halved, torch.cat([x[:1], tail]), atol=1e-6)


@pytest.mark.parametrize("seconds", [{Form.FRAMES: 3.0, Form.PAIRS: 2.0}, {Form.FRAMES: 2.0, Form.PAIRS: 3.0}])
def test_a_measurement_chooses_the_fastest_form_once(
    seconds: dict[Form, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the best of its runs: the others were disturbed, the faster form's more than the slower one's."""
    runs: list[Form] = []

    def timed(trial: measure._Trial) -> float:
        form = Form.FRAMES if trial.block.conv1.pairs is None else Form.PAIRS
        runs.append(form)
        disturbed = len(runs) not in (5, 6)
        return 1e-3 * seconds[form] + (1e-2 / seconds[form] if disturbed else 0)

    monkeypatch.setattr(measure._Trial, "seconds", timed)
    measure.fastest_form.cache_clear()
    for _ in range(2):
        chosen = measure.fastest_form(CPU, torch.float32, Strips(), (Form.FRAMES, Form.PAIRS))
        assert chosen is min(seconds, key=lambda form: seconds[form])
    assert runs == [Form.FRAMES, Form.PAIRS] * measure.ROUNDS
    measure.fastest_form.cache_clear()


def test_a_slow_device_is_not_measured_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[float] = []

    def timed(_: measure._Trial) -> float:
        runs.append(measure.SECONDS / 3)
        return runs[-1]

    monkeypatch.setattr(measure._Trial, "seconds", timed)
    measure.fastest_form.cache_clear()
    measure.fastest_form(CPU, torch.float32, Strips(), (Form.FRAMES, Form.PAIRS))
    assert len(runs) == 4
    measure.fastest_form.cache_clear()


def test_the_measurement_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves the number of threads as it was."""
    monkeypatch.setattr(measure, "CPU_SIDE", 2)
    measure.fastest_form.cache_clear()
    vae, threads = random_vae(), torch.get_num_threads()
    assert vae.plan == VAEPlan()
    assert vae.plan.winograd is None
    assert vae.decode(latent_of(1, 2, 1, 1)).isfinite().all()
    assert measure.fastest_form.cache_info().currsize == 1
    assert torch.get_num_threads() == threads
    measure.fastest_form.cache_clear()


def test_forms_measured_in_float32_round_alike_in_any_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[tuple[Form, ...]] = []

    def fastest_form(_device: object, _dtype: object, _passes: object, forms: tuple[Form, ...]) -> Form:
        measured.append(forms)
        return Form.FRAMES

    monkeypatch.setattr(model, "fastest_form", fastest_form)
    vae = random_vae()
    for winograd in (None, False, True):
        vae.plan = VAEPlan(winograd=winograd)
        vae.prepare(dtype=torch.float32)
    assert measured == [(Form.FRAMES, Form.PAIRS), (Form.FRAMES,), (Form.PAIRS,)]
    vae.prepare(dtype=torch.bfloat16)
    vae.plan = VAEPlan()
    vae.prepare(dtype=torch.bfloat16)
    assert measured[3:] == [(Form.PAIRS,), tuple(Form)]
