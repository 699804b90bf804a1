"""The VAE against diffusers' and ComfyUI's on the same random weights; its names, its scale, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.paths import ROOT
from tests.support.tiny_vae import TINY, latent_of, random_vae, reference_of, use_form, video_of
from vfe.models.wan_vae import VAEPlan, WanVAE, WanVAEConfig, vae_keys_from_diffusers
from vfe.models.wan_vae.conv import Form
from vfe.types import Cancelled, VideoShape

EXACT = 1e-5


def per_channel(values: list[float]) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1, 1)


class Reference:
    """diffusers' VAE between pixels and scaled latents, the scale from its own config, applied as its pipelines do."""

    def __init__(self, vae: WanVAE) -> None:
        self.vae = reference_of(vae)
        self.mean, self.std = (
            per_channel(values) for values in (self.vae.config.latents_mean, self.vae.config.latents_std)
        )

    def encode(self, video: Tensor) -> Tensor:
        return (self.vae.encode(video).latent_dist.mode() - self.mean) / self.std

    def decode(self, latent: Tensor) -> Tensor:
        return self.vae.decode(latent * self.std + self.mean).sample


def assert_equal(ours: Tensor, reference: Tensor) -> None:
    assert ours.shape == reference.shape
    assert reference.std() > 0.1
    assert (ours - reference).abs().max() <= EXACT


@pytest.fixture(scope="module")
def vae() -> WanVAE:
    return random_vae()


@pytest.fixture(scope="module")
def reference(vae: WanVAE) -> Reference:
    return Reference(vae)


@pytest.mark.parametrize("latents", [1, 2, 3, 4, 5])
def test_equals_diffusers_in_every_chunking(vae: WanVAE, reference: Reference, latents: int) -> None:
    """1, 5, ... 17 frames of sides that are odd multiples of 8, two clips at once; 1, 2, 3 and all latents a step."""
    video, latent = video_of(2, 4 * latents - 3, 24, 40), latent_of(2, latents, 3, 5)
    encoded, decoded = reference.encode(video), reference.decode(latent)
    for per_step in (1, 2, 3, latents):
        vae.plan = VAEPlan(latents_per_step=per_step, winograd=True)
        assert_equal(vae.encode(video), encoded)
        assert_equal(vae.decode(latent), decoded)


@pytest.mark.parametrize("form", Form)
def test_every_form_of_the_convolutions_equals_diffusers(
    reference: Reference, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_form(monkeypatch, form)
    vae, video, latent = random_vae(), video_of(1, 9, 24, 16), latent_of(1, 3, 3, 2)
    assert_equal(vae.encode(video), reference.encode(video))
    assert_equal(vae.decode(latent), reference.decode(latent))


@pytest.mark.parametrize(
    "config",
    [
        WanVAEConfig(dim=4, blocks=1),
        WanVAEConfig(dim=4, multipliers=(1, 2, 4), temporal=(True, True)),
        WanVAEConfig(dim=4, multipliers=(2, 2, 3, 4), temporal=(True, False, True)),
        WanVAEConfig(dim=8, decoder_dim=4),
    ],
    ids=["one block", "three stages", "other stages halve the rate", "a smaller decoder"],
)
def test_other_sizes_equal_diffusers(config: WanVAEConfig) -> None:
    vae = random_vae(config)
    video = video_of(1, 9, 16, 24)
    encoded = Reference(vae).encode(video)
    assert_equal(vae.encode(video), encoded)
    assert_equal(vae.decode(encoded), Reference(vae).decode(encoded))


@pytest.mark.slow
def test_equals_diffusers_at_full_width() -> None:
    vae = random_vae(WanVAEConfig())
    vae.plan = VAEPlan(winograd=True)
    reference, video = Reference(vae), video_of(1, 5, 32, 32)
    encoded = reference.encode(video)
    assert_equal(vae.encode(video), encoded)
    assert_equal(vae.decode(encoded), reference.decode(encoded))


def test_double_or_missing_scaling_would_be_seen(vae: WanVAE, reference: Reference) -> None:
    video, latent = video_of(1, 5, 16, 16), latent_of(1, 2, 2, 2)
    encoded, decoded = vae.encode(video), vae.decode(latent)
    mean, std = reference.mean, reference.std
    for wrong in (encoded * std + mean, (encoded - mean) / std):
        assert (wrong - reference.encode(video)).abs().mean() > 0.1
    for wrong in (latent * std + mean, (latent - mean) / std):
        assert (reference.decode(wrong) - decoded).abs().mean() > 0.03


def test_the_scale_is_written_in_one_place() -> None:
    package = ROOT / "vfe"
    holders = [path.name for path in package.rglob("*.py") if "2.8184" in path.read_text(encoding="utf-8")]
    users = [path.name for path in package.rglob("*.py") if "normalised(" in path.read_text(encoding="utf-8")]
    assert holders == ["latents.py"]
    assert sorted(users) == ["latents.py", "streams.py"]


def test_official_names_and_shapes() -> None:
    """A sample of each kind of layer of Wan2.1_VAE.pth, which has 194 tensors."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in WanVAE().state_dict().items()}
    official = {
        "encoder.conv1.weight": (96, 3, 3, 3, 3),
        "encoder.downsamples.0.residual.0.gamma": (96, 1, 1, 1),
        "encoder.downsamples.2.resample.1.weight": (96, 96, 3, 3),
        "encoder.downsamples.3.shortcut.weight": (192, 96, 1, 1, 1),
        "encoder.downsamples.5.time_conv.weight": (192, 192, 3, 1, 1),
        "encoder.downsamples.10.residual.6.bias": (384,),
        "encoder.middle.1.norm.gamma": (384, 1, 1),
        "encoder.middle.1.to_qkv.weight": (1152, 384, 1, 1),
        "encoder.head.2.weight": (32, 384, 3, 3, 3),
        "conv1.weight": (32, 32, 1, 1, 1),
        "conv2.bias": (16,),
        "decoder.conv1.weight": (384, 16, 3, 3, 3),
        "decoder.middle.0.residual.0.gamma": (384, 1, 1, 1),
        "decoder.middle.2.residual.3.gamma": (384, 1, 1, 1),
        "decoder.upsamples.3.time_conv.weight": (768, 384, 3, 1, 1),
        "decoder.upsamples.4.shortcut.weight": (384, 192, 1, 1, 1),
        "decoder.upsamples.7.resample.1.weight": (192, 384, 3, 3),
        "decoder.upsamples.14.residual.2.weight": (96, 96, 3, 3, 3),
        "decoder.head.0.gamma": (96, 1, 1, 1),
        "decoder.head.2.weight": (3, 96, 3, 3, 3),
    }
    assert len(shapes) == 194
    assert {name: shapes.get(name) for name in official} == official


def test_names_of_diffusers() -> None:
    names = {
        "quant_conv.bias": "conv1.bias",
        "post_quant_conv.weight": "conv2.weight",
        "encoder.conv_in.weight": "encoder.conv1.weight",
        "encoder.down_blocks.3.conv_shortcut.weight": "encoder.downsamples.3.shortcut.weight",
        "encoder.down_blocks.4.conv2.bias": "encoder.downsamples.4.residual.6.bias",
        "encoder.down_blocks.5.resample.1.weight": "encoder.downsamples.5.resample.1.weight",
        "encoder.mid_block.attentions.0.norm.gamma": "encoder.middle.1.norm.gamma",
        "decoder.mid_block.resnets.1.norm1.gamma": "decoder.middle.2.residual.0.gamma",
        "decoder.up_blocks.1.resnets.0.conv1.weight": "decoder.upsamples.4.residual.2.weight",
        "decoder.up_blocks.1.upsamplers.0.time_conv.bias": "decoder.upsamples.7.time_conv.bias",
        "decoder.up_blocks.3.resnets.2.norm2.gamma": "decoder.upsamples.14.residual.3.gamma",
        "decoder.norm_out.gamma": "decoder.head.0.gamma",
        "decoder.conv_out.weight": "decoder.head.2.weight",
    }
    assert {name: vae_keys_from_diffusers(name) for name in names} == names


def test_official_names_are_left_alone(vae: WanVAE) -> None:
    assert [name for name in vae.state_dict() if vae_keys_from_diffusers(name) != name] == []


def test_builds_on_meta_and_takes_weights_by_assignment(vae: WanVAE) -> None:
    with torch.device("meta"):
        empty = WanVAE(TINY)
    latent = latent_of(1, 1, 2, 2)
    with pytest.raises(ValueError, match="assign=True"):
        empty.decode(latent)
    empty.load_state_dict(vae.state_dict(), assign=True)
    assert torch.equal(empty.decode(latent), vae.decode(latent))


def test_what_runs_follows_the_parameters() -> None:
    """Loaded, cast, or changed in place and prepared; the stored kernels keep their official shapes."""
    vae, other, latent = random_vae(), random_vae(seed=5), latent_of(1, 2, 2, 2)
    first, second = vae.decode(latent), other.decode(latent)
    vae.load_state_dict(other.state_dict())
    assert torch.equal(vae.decode(latent), second)
    vae.to(torch.bfloat16)
    assert vae.decode(latent).dtype == torch.bfloat16
    vae.prepare(dtype=torch.float32)
    assert vae.dtype == vae.decode(latent).dtype == torch.float32
    vae.to(torch.float32)
    for own, value in zip(vae.parameters(), random_vae().parameters(), strict=True):
        own.copy_(value)
    vae.prepare()
    assert torch.equal(vae.decode(latent), first)
    assert vae.state_dict().keys() == other.state_dict().keys()


def test_latent_shape_is_that_of_the_latents(vae: WanVAE) -> None:
    for shape in (VideoShape(1, 8, 24), VideoShape(9, 16, 8)):
        assert VideoShape(*vae.encode(video_of(1, *shape)).shape[2:]) == vae.latent_shape(shape)


@pytest.mark.parametrize("shape", [(4, 8, 8), (5, 12, 8), (5, 8, 9), (0, 8, 8)])
def test_a_clip_that_does_not_fit_is_refused(vae: WanVAE, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="pad it first"):
        vae.encode(video_of(1, *shape))


def test_latents_of_another_model_are_refused(vae: WanVAE) -> None:
    with pytest.raises(ValueError, match="latents have 48 channels, the VAE needs 16"):
        vae.decode(torch.zeros(1, 48, 1, 2, 2))


@pytest.mark.parametrize(
    "changes",
    [
        {"dim": 0},
        {"dim": 3, "multipliers": (1, 1, 2, 2)},
        {"blocks": 0},
        {"decoder_dim": 0},
        {"decoder_dim": 3, "multipliers": (1, 1, 2, 2)},
        {"multipliers": (1,), "temporal": ()},
        {"temporal": (True, True)},
        {"latent_channels": 4},
    ],
)
def test_a_size_that_no_vae_can_have_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"need|known"):
        WanVAEConfig(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"latents_per_step": 0}, {"tile": 0}])
def test_a_plan_that_cannot_be_run_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needed at least 1"):
        VAEPlan(**changes)  # type: ignore[arg-type]


def test_a_check_stops_the_work_within_a_step(vae: WanVAE) -> None:
    """Called at least once for every latent and tile, before what follows is computed."""
    vae.plan = VAEPlan(tile=2, winograd=True)
    for run, clip in ((vae.encode, video_of(1, 9, 32, 16)), (vae.decode, latent_of(1, 3, 4, 2))):
        calls: list[None] = []
        run(clip, lambda calls=calls: calls.append(None))  # type: ignore[misc]
        assert len(calls) >= 3 * 2

        def stop(calls: list[None] = calls) -> None:
            calls.pop()
            if len(calls) < 3:
                raise Cancelled

        with pytest.raises(Cancelled):
            run(clip, stop)
        assert len(calls) == 2


COMFY_SCRIPT = """
import sys
folder, comfyui = sys.argv[1:]
sys.path.insert(0, comfyui)
import comfy.cli_args
comfy.cli_args.args.cpu = True
import torch
from safetensors.torch import load_file, save_file
from comfy.latent_formats import Wan21
from comfy.ldm.wan.vae import WanVAE
vae = WanVAE(dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True]).eval()
vae.load_state_dict(load_file(folder + "/weights.safetensors"), strict=True)
inputs, scale = load_file(folder + "/inputs.safetensors"), Wan21()
with torch.no_grad():
    latent = scale.process_in(vae.encode(inputs["video"]))
    video = vae.decode(scale.process_out(inputs["latent"])).clamp(-1, 1)
save_file({"latent": latent.contiguous(), "video": video.contiguous()}, folder + "/results.safetensors")
"""


@pytest.mark.comfy
def test_equals_comfyui(vae: WanVAE, tmp_path: Path) -> None:
    """In a process of its own: ComfyUI's import sets devices and patches torch."""
    video, latent = video_of(1, 9, 24, 40), latent_of(1, 3, 3, 5)
    save_file(vae.state_dict(), tmp_path / "weights.safetensors")
    save_file({"video": video, "latent": latent}, tmp_path / "inputs.safetensors")
    command = [sys.executable, "-c", COMFY_SCRIPT, str(tmp_path), str(comfyui_checkout())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = load_file(tmp_path / "results.safetensors")
    vae.plan = VAEPlan(winograd=True)
    assert_equal(vae.encode(video), expected["latent"])
    assert_equal(vae.decode(latent), expected["video"])
