"""The whole one-step result from files, against ComfyUI core: its loaders, LoRA, VAE, latent format and DiT.

Core's VAE works on unscaled latents and its DiT on scaled ones: the scaling is between them, once on each way. Frames
are (1, 3, T, H, W) in [0, 1] as core has them, before they are rounded to 8 bits.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor

import vfe
from tests.support.comfy_checkout import comfyui_checkout
from tests.support.lora_layouts import written_as
from tests.support.tiny_vae import TINY, random_vae, video_of
from tests.support.weight_layouts import State, Written, fp8, random_dit, safetensors
from vfe.models.dit.model import DiTConfig
from vfe.models.flow import OneStepFlow
from vfe.models.wan_vae import WanVAEConfig
from vfe.models.wan_vae.latents import denormalised
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.memory_aware import MemoryAwarePipeline
from vfe.pipeline.one_step import WindowConfig
from vfe.types import never_cancelled
from vfe.weights.prompt import write_prompt_embedding

Layout = Callable[[Path, State], Written]

pytestmark = pytest.mark.comfy

FRAME = 1e-4  # of [0, 1]
LATENT = 1e-5  # of the largest value
STRENGTH = 0.7
TIMESTEP = 400.0
# Core reads all sizes from the shapes but these: heads of 128, 256 sinusoids and prompts of 4096 columns.
SMALL_DIT = DiTConfig(dim=128, heads=1, layers=2, ffn_dim=192)

COMFY_SCRIPT = """
import importlib.util, sys
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock
if importlib.util.find_spec("torchvision") is None:  # imported by models that have no part in this
    class Stub(MagicMock):
        __path__ = []
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = Stub(__spec__=ModuleSpec(name, None))
folder, comfyui, dit, lora, strength = sys.argv[1:]
sys.argv = ["comfy", "--cpu"]
sys.path.insert(0, comfyui)
import comfy.options
comfy.options.enable_args_parsing()
import torch
import comfy.model_management, comfy.sd, comfy.utils
from safetensors.torch import load_file, save_file

patcher = comfy.sd.load_diffusion_model(dit, model_options={"dtype": torch.float32})
if lora:
    patcher, _ = comfy.sd.load_lora_for_models(patcher, None, comfy.utils.load_torch_file(lora), float(strength), 0)
comfy.model_management.load_models_gpu([patcher], force_full_load=True)
model = patcher.model
state, WanVAE = comfy.utils.load_torch_file(folder + "/vae.safetensors"), comfy.ldm.wan.vae.WanVAE
width = state["decoder.head.0.gamma"].shape[0]
comfy.ldm.wan.vae.WanVAE = lambda **sizes: WanVAE(**{**sizes, "dim": width})  # ComfyUI 0.3 takes it for 96
vae = comfy.sd.VAE(sd=state, dtype=torch.float32)
inputs = load_file(folder + "/inputs.safetensors")
rows = load_file(folder + "/context.safetensors")["context"]
context = torch.zeros(1, 512, rows.shape[1])  # the rows that core's umT5 gives: those after the prompt are zero
context[0, : len(rows)] = rows
sigma = torch.tensor([0.4])
with torch.no_grad():
    timestep = model.model_sampling.timestep(sigma).float()
    z_lq = model.process_latent_in(vae.encode(inputs["pixels"]))
    velocity = model.diffusion_model(z_lq, timestep, context=context)
    z_hq = z_lq - velocity
    results = {
        "timestep": timestep,
        "z_lq": z_lq,
        "velocity": velocity,
        "z_hq": z_hq,
        "denoised": model.apply_model(z_lq, sigma, c_crossattn=context),
        "frames": vae.decode(model.process_latent_out(z_hq)),
        "picture": vae.decode(inputs["unscaled"]),
    }
save_file({name: value.contiguous() for name, value in results.items()}, folder + "/results.safetensors")
"""


@dataclass(frozen=True)
class Files:
    """What both restore with, in one folder."""

    folder: Path
    dit: Path
    lora: Path | None = None

    @property
    def vae(self) -> Path:
        return self.folder / "vae.safetensors"

    @property
    def context(self) -> Path:
        return self.folder / "context.safetensors"

    def load(self) -> vfe.Restorer:
        loras = () if self.lora is None else (LoraFile(self.lora, STRENGTH),)
        options = ModelOptions(vae=self.vae, prompt_embedding=self.context, loras=loras)
        return vfe.load(self.dit, "cpu", "fp32", WindowConfig(9, 1), options)


def write_files(
    folder: Path, layout: Layout, dit_config: DiTConfig = SMALL_DIT, vae_config: WanVAEConfig = TINY
) -> Files:
    """A random DiT in some layout, a VAE in bfloat16, and a prompt of three rows."""
    (folder / "dit").mkdir()
    dit, _ = layout(folder / "dit", random_dit(dit_config).state_dict())
    files = Files(folder, dit)
    vae = random_vae(vae_config).state_dict()
    save_file({name: value.bfloat16() for name, value in vae.items()}, files.vae)
    write_prompt_embedding(
        files.context, torch.randn(3, dit_config.text_dim, generator=torch.Generator().manual_seed(1))
    )
    return files


def with_lora(files: Files) -> Files:
    """In ComfyUI's own format; its rank and alpha differ, so that alpha matters."""
    generator, dim, ffn = torch.Generator().manual_seed(3), SMALL_DIT.dim, SMALL_DIT.ffn_dim
    sizes = {"self_attn.q": (dim, dim), "cross_attn.v": (dim, dim), "ffn.0": (dim, ffn)}
    factors = {
        f"blocks.{block}.{layer}": (
            torch.randn(4, inputs, generator=generator) * 0.1,
            torch.randn(outputs, 4, generator=generator) * 0.1,
        )
        for block in range(SMALL_DIT.layers)
        for layer, (inputs, outputs) in sizes.items()
    }
    path = files.folder / "lora.safetensors"
    save_file(written_as("comfyui lora_A", factors, 6.0), path)
    return replace(files, lora=path)


def frames_of(restorer: vfe.Restorer, video: Tensor) -> Tensor:
    """What a user gets, before it is rounded."""
    restored = restorer.restore_frames(video[0].unbind(1))
    return torch.stack(list(restored), dim=1)[None] / 2 + 0.5


def latents_of(restorer: vfe.Restorer, video: Tensor) -> State:
    """What lies between the frames, from the parts of the same restorer."""
    assert isinstance(restorer.pipeline, MemoryAwarePipeline)
    model = restorer.pipeline.model
    z_lq = model.codec.encode(video)
    with torch.no_grad():
        velocity = model.velocity(z_lq, never_cancelled)
    return {"z_lq": z_lq, "velocity": velocity, "z_hq": model.flow.restore(z_lq, velocity)}


def unscaled(latent: Tensor) -> Tensor:
    """(1, 16, n, h, w) of mean 0 and deviation 1 -> as it is in ComfyUI's LATENT."""
    return rearrange(denormalised(rearrange(latent, "1 c n h w -> n c h w")), "n c h w -> 1 c n h w").contiguous()


def core_results(files: Files, video: Tensor, z_hq: Tensor) -> State:
    """Core's latents and frames from the same files, and its `picture` of our z_hq.

    In a process of its own: ComfyUI's import sets devices and patches torch.
    """
    pixels = rearrange(video / 2 + 0.5, "1 c t h w -> t h w c").contiguous()
    save_file({"pixels": pixels, "unscaled": unscaled(z_hq)}, files.folder / "inputs.safetensors")
    arguments = [str(files.folder), str(comfyui_checkout()), str(files.dit), str(files.lora or ""), str(STRENGTH)]
    command = [sys.executable, "-c", COMFY_SCRIPT, *arguments]
    done = subprocess.run(command, cwd=files.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = load_file(files.folder / "results.safetensors")
    pictures = {name: rearrange(results[name], "1 t h w c -> 1 c t h w") for name in ("frames", "picture")}
    return {**results, **pictures}


def relative(x: Tensor, reference: Tensor) -> float:
    """Largest difference, in units of the reference's largest value."""
    assert x.shape == reference.shape
    return float((x - reference).abs().max() / reference.abs().max())


def assert_same_result(files: Files, video: Tensor) -> State:
    """In every latent and in the frames; returns core's."""
    restorer = files.load()
    ours, frames = latents_of(restorer, video), frames_of(restorer, video)
    core = core_results(files, video, ours["z_hq"])
    assert core["timestep"].tolist() == [TIMESTEP]
    assert core["velocity"].std() > 0.5 * core["z_lq"].std()
    assert core["frames"].std() > 0.2  # all of it matters
    for name, latent in ours.items():
        assert relative(latent, core[name]) <= LATENT, name
    assert frames.shape == core["frames"].shape == core["picture"].shape == video.shape
    assert (frames - core["frames"]).abs().max() <= FRAME
    assert (frames - core["picture"]).abs().max() <= FRAME
    # Core's own estimate of the clean latent goes all of the way along the flow, which is DVFace's step.
    assert relative(OneStepFlow("dvface").restore(ours["z_lq"], ours["velocity"]), core["denoised"]) <= LATENT
    return core


@pytest.mark.parametrize(
    "layout",
    [safetensors(dtype=torch.bfloat16), safetensors("model.diffusion_model.", torch.float16), fp8("plain")],
    ids=["bf16", "fp16, prefixed", "fp8"],
)
def test_the_step_equals_core(layout: Layout, tmp_path: Path) -> None:
    assert_same_result(write_files(tmp_path, layout), video_of(1, 9, 32, 48))


@pytest.mark.parametrize("style", ["old", "new"])
def test_the_step_equals_core_in_scaled_fp8(style: str, tmp_path: Path) -> None:
    if "comfy-kitchen" not in (comfyui_checkout() / "requirements.txt").read_text():
        pytest.skip("this ComfyUI rounds what the file has in 16 bits, biases and layers outside of blocks, to fp8 too")
    if importlib.util.find_spec("comfy_kitchen") is None:
        pytest.skip("this ComfyUI reads scaled fp8 with comfy-kitchen, which is not installed")
    assert_same_result(write_files(tmp_path, fp8(style)), video_of(1, 9, 32, 48))


def test_the_step_equals_core_with_a_lora(tmp_path: Path) -> None:
    files, video = write_files(tmp_path, safetensors()), video_of(1, 5, 48, 32)
    changed = assert_same_result(with_lora(files), video)
    plain = latents_of(files.load(), video)
    assert relative(plain["velocity"], changed["velocity"]) > 0.01


def test_the_step_equals_core_at_full_width() -> None:
    """All but the number of layers is of Wan2.1-T2V-1.3B. Half a gigabyte, which pytest would keep."""
    with TemporaryDirectory() as folder:
        bf16 = safetensors(dtype=torch.bfloat16)
        files = write_files(Path(folder), bf16, DiTConfig(layers=2), WanVAEConfig())
        assert_same_result(files, video_of(1, 5, 32, 32))
