"""A VAE written in every layout that users have is loaded back to the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.weight_layouts import prefixed, write_hole
from vfe.models.wan_vae import VAEPlan, WanVAE, WanVAEConfig
from vfe.types import VFEError
from vfe.weights.wan_vae import load_vae, open_vae, read_vae

State = dict[str, Tensor]
TINY_VAE = WanVAEConfig(dim=8, multipliers=(1, 2, 4, 4))


def random_vae(config: WanVAEConfig = TINY_VAE) -> WanVAE:
    generator = torch.Generator().manual_seed(0)
    model = WanVAE(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def pth(folder: Path, state: State) -> Path:
    torch.save(state, folder / "Wan2.1_VAE.pth")
    return folder / "Wan2.1_VAE.pth"


def safetensors(prefix: str = "", dtype: torch.dtype = torch.float32) -> Callable[[Path, State], Path]:
    def write(folder: Path, state: State) -> Path:
        save_file({name: value.to(dtype) for name, value in prefixed(state, prefix).items()}, folder / "v.safetensors")
        return folder / "v.safetensors"

    return write


def diffusers_folder(folder: Path, state: State) -> Path:
    """What `AutoencoderKLWan.save_pretrained` writes, the names translated by diffusers' own conversion."""
    diffusers = pytest.importorskip("diffusers")
    single_file = pytest.importorskip("diffusers.loaders.single_file_utils")
    reference = diffusers.AutoencoderKLWan(
        base_dim=TINY_VAE.dim,
        z_dim=TINY_VAE.latent_channels,
        dim_mult=list(TINY_VAE.multipliers),
        num_res_blocks=TINY_VAE.blocks,
        temperal_downsample=list(TINY_VAE.temporal),
    )
    reference.load_state_dict(single_file.convert_wan_vae_to_diffusers(dict(state)))
    reference.save_pretrained(folder / "vae")
    return folder


LAYOUTS: dict[str, tuple[Callable[[Path, State], Path], torch.dtype]] = {
    "official pth": (pth, torch.float32),
    "comfyui bf16": (safetensors(dtype=torch.bfloat16), torch.bfloat16),
    "diffsynth, prefixed": (safetensors("model.", torch.float16), torch.float16),
    "diffusers pipeline folder": (diffusers_folder, torch.float32),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_tensors(layout: str, tmp_path: Path) -> None:
    write, dtype = LAYOUTS[layout]
    original = random_vae().state_dict()
    path = write(tmp_path, dict(original))
    config, state = read_vae(path)
    assert config == TINY_VAE
    assert state.keys() == original.keys()
    assert all(torch.equal(state[name], original[name].to(dtype)) for name in original)
    loaded = load_vae(path).state_dict()
    assert all(torch.equal(loaded[name], original[name].to(dtype).float()) for name in original)


def test_what_is_loaded_decodes_like_the_original(tmp_path: Path) -> None:
    original = random_vae()
    loaded = load_vae(pth(tmp_path, dict(original.state_dict())))
    original.plan = loaded.plan = VAEPlan(winograd=False)  # both run the same form of convolution
    latent = torch.randn(1, 16, 2, 2, 3, generator=torch.Generator().manual_seed(1))
    expected = original.decode(latent)
    assert expected.std() > 0
    assert torch.equal(loaded.decode(latent), expected)


@pytest.mark.parametrize(
    "config",
    [
        WanVAEConfig(),
        WanVAEConfig(dim=4, multipliers=(1, 2, 4), temporal=(True, False)),
        WanVAEConfig(dim=6, blocks=1, multipliers=(2, 2, 3, 5), temporal=(True, False, True)),
        WanVAEConfig(dim=8, decoder_dim=6),
    ],
)
def test_size_is_read_from_the_shapes(config: WanVAEConfig, tmp_path: Path) -> None:
    with torch.device("meta"):
        state = WanVAE(config).state_dict()
    path = write_hole(tmp_path / "vae.safetensors", {name: tuple(value.shape) for name, value in state.items()})
    assert open_vae(path)[0] == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.head.2.bias": None}, r"1 tensors missing \(decoder.head.2.bias\)"),
        ({"decoder.extra": torch.ones(2)}, r"1 tensors unexpected \(decoder.extra\)"),
        ({"decoder.head.2.bias": torch.ones(4)}, r"decoder.head.2.bias is \(4,\), needed \(3,\)"),
        ({"encoder.conv1.weight": None}, "without encoder.conv1.weight"),
        ({"encoder.conv1.weight": torch.ones(8, 3)}, "needed 5 axes"),
        ({"conv2.weight": torch.ones(4, 4, 1, 1, 1)}, "no Wan2.1 VAE can have these shapes"),
        ({"encoder.downsamples.4.residual.2.weight": None}, "an encoder whose stages are"),
        ({"decoder.upsamples.0.upsamples.0.residual.2.weight": torch.ones(2)}, "the Wan2.2 VAE"),
        ({"ema.decoder.middle.0.residual.0.gamma": torch.ones(2)}, "2 Wan VAEs in it"),
        ({"decoder.conv1.bias": torch.full((32,), float("inf"))}, "decoder.conv1.bias holds NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor | None], message: str, tmp_path: Path) -> None:
    state = {**random_vae().state_dict(), **change}
    save_file({name: value for name, value in state.items() if value is not None}, tmp_path / "v.safetensors")
    with pytest.raises(VFEError, match=message) as caught:
        load_vae(tmp_path / "v.safetensors")
    assert "v.safetensors: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dit_is_no_vae(tmp_path: Path) -> None:
    save_file({"head.modulation": torch.ones(1, 2, 128)}, tmp_path / "d.safetensors")
    with pytest.raises(VFEError, match=r"no Wan VAE in it \(it holds head.modulation\)"):
        load_vae(tmp_path / "d.safetensors")
