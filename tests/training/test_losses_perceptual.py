"""VGG19 features and LPIPS from user files: names of torchvision, formulas with plain convolutions, frames in chunks,
files that are something else, and what stands in where there are none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import save_file
from torch import Tensor

from tests.support.random_squeeze import random_squeeze
from training.losses.perceptual import (
    Chosen,
    FrameLoss,
    PerceptualConfig,
    VGG19Distance,
    choose_dists,
    choose_lpips,
    choose_vgg,
    load_lpips,
    load_vgg19,
)
from training.losses.perceptual.squeeze import load_squeeze
from training.losses.terms import multi_scale_structure_loss
from vfe.perceptual.lpips import weighted_distance
from vfe.perceptual.vgg import VGG16, VGG19, Widths, conv_stack
from vfe.tensor_io.load import build_on_meta
from vfe.types import VFEError

# torchvision's indices of the convolutions, as its state dicts name them.
CONVS16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
CONVS19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
WIDTHS16 = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
WIDTHS19 = (64, 64, 128, 128, *[256] * 4, *[512] * 8)
IMAGENET_MEAN, IMAGENET_STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

State = dict[str, Tensor]


def random_vgg(convs: tuple[int, ...], widths: tuple[int, ...], seed: int) -> State:
    torch.manual_seed(seed)
    state: State = {"classifier.6.bias": torch.zeros(10)}
    for index, before, width in zip(convs, (3, *widths[:-1]), widths, strict=True):
        state[f"features.{index}.weight"] = torch.randn(width, before, 3, 3) * (2 / (9 * before)) ** 0.5
        state[f"features.{index}.bias"] = 0.1 * torch.randn(width)
    return state


@pytest.fixture(scope="module")
def states() -> dict[str, State]:
    lins = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate((64, 128, 256, 512, 512))}
    dists = {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
    vgg16, vgg19 = random_vgg(CONVS16, WIDTHS16, 0), random_vgg(CONVS19, WIDTHS19, 1)
    return {"vgg16": vgg16, "vgg19": vgg19, "lpips": lins, "dists": dists}


@pytest.fixture(scope="module")
def files(states: dict[str, State], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Random weights in the layout of the published files."""
    folder = tmp_path_factory.mktemp("perceptual")
    for name, state in states.items():
        torch.save(state, folder / f"{name}.pth")
    return {name: str(folder / f"{name}.pth") for name in states}


def features(images: Tensor, state: State, stages: tuple[int, ...], after_relu: bool) -> list[Tensor]:
    """Last convolutions of each stage of VGG, written out; `stages` counts the convolutions of each."""
    x, kept = (images - IMAGENET_MEAN.view(1, 3, 1, 1)) / IMAGENET_STD.view(1, 3, 1, 1), []
    index = 0
    for number, count in enumerate(stages):
        if number:
            x, index = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)), index + 1
        for _ in range(count):
            raw = F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1)
            x, index = raw.clamp(min=0), index + 2
        kept.append(x if after_relu else raw)
    return kept


@pytest.mark.parametrize(("widths", "convs", "sizes"), [(VGG16, CONVS16, WIDTHS16), (VGG19, CONVS19, WIDTHS19)])
def test_names_and_shapes_are_torchvisions(widths: Widths, convs: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    stack = build_on_meta(lambda: conv_stack(widths))
    expected: dict[str, tuple[int, ...]] = {}
    for index, before, width in zip(convs, (3, *sizes[:-1]), sizes, strict=True):
        expected |= {f"{index}.weight": (width, before, 3, 3), f"{index}.bias": (width,)}
    assert {name: tuple(value.shape) for name, value in stack.state_dict().items()} == expected


def test_vgg19_is_the_weighted_mean_square_of_features(states: dict[str, State], files: dict[str, str]) -> None:
    a, b = torch.rand(2, 2, 3, 32, 48).unbind(0)
    pairs = zip(*(features(x, states["vgg19"], (2, 2, 4, 4, 4), after_relu=False) for x in (a, b)), strict=True)
    expected = sum(w * float(F.mse_loss(x, y)) for w, (x, y) in zip((0.1, 0.1, 1, 1, 1), pairs, strict=True))
    model = load_vgg19(Path(files["vgg19"]))
    assert model(a, b).item() == pytest.approx(expected, rel=1e-4)
    assert model(a, a).item() == 0
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_lpips_is_the_formula(states: dict[str, State], files: dict[str, str]) -> None:
    a, b = torch.rand(2, 2, 3, 32, 48).unbind(0)
    expected = 0.0
    both = (features(x, states["vgg16"], (2, 2, 3, 3, 3), after_relu=True) for x in (a, b))
    for x, y, weight in zip(*both, states["lpips"].values(), strict=True):
        x, y = (z / z.norm(dim=1, keepdim=True).clamp(min=1e-10) for z in (x, y))
        per_image = (weight * (x - y) ** 2).sum(1).mean((1, 2))
        expected += float(per_image.mean())
    model = load_lpips(Path(files["vgg16"]), Path(files["lpips"]))
    assert model(a, b).item() == pytest.approx(expected, rel=1e-4)
    assert model(a, a).item() == 0
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_dead_features_have_a_finite_gradient() -> None:
    features = torch.zeros(1, 4, 2, 2, requires_grad=True)
    other = torch.full_like(features, 0.5)
    (gradient,) = torch.autograd.grad(weighted_distance(features, other, torch.ones(4)), features)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_of_frames_equal_all_at_once(files: dict[str, str], chunk: int) -> None:
    """Value and gradient; the target gets none."""
    torch.manual_seed(3)
    distance = load_vgg19(Path(files["vgg19"]))
    prediction, target = (2 * torch.rand(2, 2, 3, 3, 16, 16) - 1).unbind(0)
    prediction.requires_grad_(), target.requires_grad_()
    loss = FrameLoss(distance, chunk)(prediction, target)
    whole = distance(*(x.transpose(1, 2).flatten(0, 1) / 2 + 0.5 for x in (prediction, target.detach())))
    (expected,) = torch.autograd.grad(whole, prediction)
    got, to_target = torch.autograd.grad(loss, (prediction, target), allow_unused=True)
    assert loss.item() == pytest.approx(whole.item(), rel=1e-5)
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-8)
    assert to_target is None


def test_a_chunk_holds_its_own_activations_only() -> None:
    """What autograd keeps does not grow with the network: only chunks of images are kept until the backward pass."""
    distance = VGG19Distance().requires_grad_(False)
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    video = torch.rand(1, 3, 4, 16, 16)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        distance(video[0].transpose(0, 1).clone().requires_grad_(), video[0].transpose(0, 1))
        at_once = sum(kept)
        kept.clear()
        FrameLoss(distance, chunk=2)(video.clone().requires_grad_(), video)
    assert sum(kept) <= 4 * video.numel() < at_once / 20


def test_frames_are_compared_in_float32_under_autocast(files: dict[str, str]) -> None:
    loss = FrameLoss(load_vgg19(Path(files["vgg19"])))
    a, b = torch.rand(2, 1, 3, 1, 16, 16).unbind(0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(a, b)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, loss(a, b))


def test_videos_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="needed the same shape"):
        FrameLoss(torch.nn.Identity())(torch.zeros(1, 3, 1, 16, 16), torch.zeros(1, 3, 2, 16, 16))


def test_safetensors_and_half_precision_files_are_read(states: dict[str, State], tmp_path: Path) -> None:
    save_file({name: value.half() for name, value in states["vgg19"].items()}, tmp_path / "vgg.safetensors")
    model = load_vgg19(tmp_path / "vgg.safetensors")
    assert torch.equal(model.vgg.state_dict()["features.0.bias"], states["vgg19"]["features.0.bias"].half().float())


def test_another_file_is_named_in_one_line(states: dict[str, State], files: dict[str, str], tmp_path: Path) -> None:
    vgg16, lpips = Path(files["vgg16"]), Path(files["lpips"])
    with pytest.raises(VFEError, match=r"not torchvision's VGG19 .* missing \(features\.16\.bias"):
        load_vgg19(vgg16)
    with pytest.raises(VFEError, match=r"not the linear layers of LPIPS .* 5 tensors missing"):
        load_lpips(vgg16, vgg16)
    torch.save({**states["lpips"], "lin1.model.1.weight": torch.zeros(1, 192, 1, 1)}, tmp_path / "alex.pth")
    with pytest.raises(VFEError, match=r"lin1.model.1.weight is \(1, 192, 1, 1\), needed \(1, 128, 1, 1\)"):
        load_lpips(vgg16, tmp_path / "alex.pth")
    torch.save({**states["vgg16"], "features.0.bias": torch.full((64,), torch.nan)}, tmp_path / "nan.pth")
    with pytest.raises(VFEError, match="NaN") as raised:
        load_lpips(tmp_path / "nan.pth", lpips)
    assert "\n" not in str(raised.value)
    with pytest.raises(VFEError, match="no such file"):
        load_vgg19(tmp_path / "nothing.pth")


def test_a_file_that_asks_for_code_is_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    torch.save({"features.0.weight": Harmful()}, tmp_path / "bad.pth")
    with pytest.raises(VFEError):
        load_vgg19(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "given",
    [
        {"lpips": "a"},
        {"dists": "a"},
        {"chunk": 0},
        {"vgg19": "b", "lpips": "a"},
        {"vgg16": "a", "dists": "b", "squeeze": "c"},
    ],
)
def test_half_of_a_pair_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(VFEError, match="perceptual"):
        PerceptualConfig(**given)  # type: ignore[arg-type]


def test_with_files_the_networks_are_chosen(files: dict[str, str]) -> None:
    config = PerceptualConfig(**files)  # type: ignore[arg-type]
    a, b = (2 * torch.rand(2, 1, 3, 2, 32, 32) - 1).unbind(0)
    for choose, name in ((choose_vgg, "VGG19"), (choose_lpips, "LPIPS"), (choose_dists, "DISTS")):
        loss, line = choose(config)
        assert line.startswith("perceptual: ")
        assert name in line
        assert "stands in" not in line
        assert loss(a, b) > 1e-4 > loss(a, a).abs()


def test_squeezenet_takes_the_place_of_dists(tmp_path: Path) -> None:
    file = tmp_path / "squeeze.safetensors"
    save_file(random_squeeze(), file)
    loss, line = choose_dists(PerceptualConfig(squeeze=str(file), chunk=1))
    assert line == "perceptual: SqueezeNet 1.1 (weights of perceptual.squeeze)"
    a, b = (2 * torch.rand(2, 1, 3, 2, 32, 32) - 1).unbind(0)
    images = [rearrange(video / 2 + 0.5, "1 c t h w -> t c h w") for video in (a, b)]
    torch.testing.assert_close(loss(a, b), load_squeeze(file)(*images))
    assert not list(loss.parameters())


@pytest.mark.parametrize(
    ("choose", "given", "missing"),
    [
        (choose_vgg, {"vgg16": "never read"}, "VGG19 features not used, as no perceptual.vgg19 is given"),
        (choose_lpips, {}, "LPIPS not used, as no perceptual.vgg16 and perceptual.lpips is given"),
        (choose_lpips, {"vgg16": "never read"}, "LPIPS not used, as no perceptual.lpips is given"),
        (choose_dists, {"vgg19": "never read"}, "DISTS not used, as no perceptual.vgg16 and perceptual.dists is given"),
    ],
)
def test_without_files_a_named_loss_stands_in(
    choose: Callable[[PerceptualConfig], Chosen], given: dict[str, str], missing: str
) -> None:
    loss, line = choose(PerceptualConfig(**given))  # type: ignore[arg-type]
    assert line.startswith(f"perceptual: {missing}; ")
    assert line.endswith("; multi-scale structure (1 - SSIM over up to five scales) stands in for it")
    a, b = (2 * torch.rand(2, 1, 3, 2, 24, 24) - 1).unbind(0)
    assert torch.equal(loss(a, b), multi_scale_structure_loss(a, b))
    assert not list(itertools.chain(loss.parameters(), loss.buffers()))


def test_near_ones_are_told_apart_under_autocast() -> None:
    """The distance is a small difference of large sums, which bf16 would lose."""
    torch.manual_seed(0)
    a = torch.rand(2, 64, 5, 5)
    b, weight = a + 1e-3 * torch.randn_like(a), torch.rand(64)
    expected = weighted_distance(a, b, weight)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(weighted_distance(a, b, weight), expected, rtol=1e-3, atol=0)
