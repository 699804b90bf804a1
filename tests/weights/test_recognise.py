"""What a file is, by its content: what is read is described, what is not is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import save_file

from tests.support.paths import ROOT
from tests.support.tiny_lite import tiny_lite
from tests.support.tiny_prior import tiny_adapter
from tests.support.weight_layouts import DIT_LAYOUTS, random_dit, write_hole
from vfe.library.find import KIND_TITLES, find_models
from vfe.models.dit.experts import ExpertSizes, add_experts
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.flow import OneStepFlow
from vfe.models.wan_vae import WanVAE
from vfe.types import VFEError
from vfe.weights.adapter import write_adapter
from vfe.weights.experts import save_experts
from vfe.weights.lite import FLOW_FORMAT, save_lite_model
from vfe.weights.prompt import write_prompt_embedding
from vfe.weights.recognise import Kind, recognise

Shapes = dict[str, tuple[int, ...]]
T5 = "encoder.block.{}.layer.0.SelfAttention.{}.weight"


def shapes_of(build: Callable[[], torch.nn.Module]) -> Shapes:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in build().state_dict().items()}


def official_t5(layers: int = 24) -> Shapes:
    names: Shapes = {f"blocks.{layer}.attn.q.weight": (4096, 4096) for layer in range(layers)}
    biases: Shapes = {f"blocks.{layer}.pos_embedding.embedding.weight": (32, 64) for layer in range(layers)}
    return {"token_embedding.weight": (256384, 4096), **names, **biases}


def transformers_t5(prefix: str = "", *, umt5: bool = True) -> Shapes:
    names: Shapes = {prefix + T5.format(layer, "q"): (4096, 4096) for layer in range(24)}
    biased = range(24 if umt5 else 1)
    biases: Shapes = {prefix + T5.format(layer, "relative_attention_bias"): (32, 64) for layer in biased}
    return {f"{prefix}shared.weight": (256384, 4096), **names, **biases}


def lora(rank: int = 32) -> Shapes:
    layers = [f"diffusion_model.blocks.{block}.ffn.0" for block in range(30)]
    downs: Shapes = {f"{layer}.lora_A.weight": (rank, 1536) for layer in layers}
    return downs | {f"{layer}.lora_B.weight": (8960, rank) for layer in layers}


@pytest.mark.parametrize(
    ("shapes", "kind", "description"),
    [
        (
            lambda: shapes_of(lambda: WanDiT(DiTConfig())),
            "wan_dit",
            "Wan text-to-video DiT, 1.42 B parameters (width 1536, 12 heads, 30 blocks, feed-forward 8960); "
            "official names, safetensors, 825 tensors (float16), 2838.0 MB",
        ),
        (
            lambda: shapes_of(WanVAE),
            "wan_vae",
            "Wan2.1 VAE, 126.9 M parameters (width 96, 16 latent channels, 4 stages); "
            "official names, safetensors, 194 tensors (float16), 253.8 MB",
        ),
        (lora, "lora", "LoRA of rank 32, 30 layers; safetensors, 60 tensors (float16), 20.2 MB"),
        (official_t5, "text_encoder", "umT5 text encoder, 24 layers of width 4096; official names"),
        (transformers_t5, "text_encoder", "umT5 text encoder, 24 layers of width 4096; transformers names"),
        (lambda: transformers_t5("text_encoders.umt5xxl.transformer."), "text_encoder", "24 layers of width 4096"),
        (
            lambda: {"anything": (77, 4096)},
            "prompt_embedding",
            "prompt embedding, 77 rows of 4096; safetensors, 1 tensors",
        ),
        (lambda: {"prompt_embeds": (1, 512, 4096)}, "prompt_embedding", "prompt embedding, 512 rows of 4096"),
    ],
    ids=["dit", "vae", "lora", "official umT5", "transformers umT5", "prefixed umT5", "rows", "padded rows"],
)
def test_files_of_full_size_are_described(
    shapes: Callable[[], Shapes], kind: str, description: str, tmp_path: Path
) -> None:
    recognised = recognise(write_hole(tmp_path / "misleading_vae_name.safetensors", shapes()))
    assert recognised.kind == kind
    assert description in recognised.description
    assert "\n" not in recognised.description


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("pth of torch before 1.6", "official names, torch pickle, "),
        ("comfyui fp8", "official names, safetensors in fp8, "),
        ("comfyui fp8 scaled, old", "official names, safetensors in fp8 with scales, "),
        ("comfyui fp16, prefixed", "official names, prefix model.diffusion_model., safetensors, "),
        ("diffusers folder, sharded", "diffusers names, 3 shards of safetensors, "),
        ("vividface with its optimizer", "official names, prefix pipe.dit., torch pickle (state_dict), "),
    ],
)
def test_the_layout_is_told(layout: str, told: str, tmp_path: Path) -> None:
    path, _ = DIT_LAYOUTS[layout](tmp_path, random_dit().state_dict())
    recognised = recognise(path)
    assert recognised.kind == "wan_dit"
    assert "(width 128, 1 heads, 2 blocks, feed-forward 192); " + told in recognised.description


def test_our_own_files_are_recognised(tmp_path: Path) -> None:
    restorer = recognise(find_models()["lite"])
    assert restorer.kind == "restorer"
    assert restorer.description.startswith("vfe restorer of whole frames, ")
    assert recognise(find_models()["lite_faces"]).description.startswith("vfe restorer of aligned faces, ")
    write_prompt_embedding(tmp_path / "c", torch.ones(3, 24))
    assert recognise(tmp_path / "c").kind == "prompt_embedding"


def adapter(folder: Path) -> Path:
    write_adapter(folder / "adapter", tiny_adapter(), {})
    return folder / "adapter"


def experts(folder: Path) -> Path:
    sizes, dit = ExpertSizes(thresholds=(0.5,), rank=2), random_dit()
    add_experts(dit, sizes)
    save_experts(folder / "experts", dit, sizes, OneStepFlow(), {})
    return folder / "experts"


def flow_model(folder: Path) -> Path:
    save_lite_model(folder / "flow", tiny_lite(), {}, file_format=FLOW_FORMAT)
    return folder / "flow"


def hole(shapes: Callable[[], Shapes]) -> Callable[[Path], Path]:
    return lambda folder: write_hole(folder / "model.safetensors", shapes())


ONE_OF_EACH: dict[Kind, Callable[[Path], Path]] = {
    "wan_dit": hole(lambda: shapes_of(lambda: WanDiT(DiTConfig()))),
    "wan_vae": hole(lambda: shapes_of(WanVAE)),
    "lora": hole(lora),
    "experts": experts,
    "adapter": adapter,
    "flow_model": flow_model,
    "prompt_embedding": hole(lambda: {"prompt_embeds": (1, 512, 4096)}),
    "restorer": lambda _: find_models()["lite"],
    "text_encoder": hole(official_t5),
    "face_net": lambda _: ROOT / "vfe/assets/face.safetensors",
}


def test_there_is_a_file_of_each_kind() -> None:
    assert ONE_OF_EACH.keys() == set(get_args(Kind)) == KIND_TITLES.keys()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_is_recognised(kind: Kind, tmp_path: Path) -> None:
    assert recognise(ONE_OF_EACH[kind](tmp_path)).kind == kind


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["model.diffusion_model.input_blocks.0.0.weight"], "a Stable Diffusion UNet"),
        (["double_blocks.0.img_attn.qkv.weight"], "a Flux or HunyuanVideo DiT"),
        (["decoder.up.0.block.0.conv1.weight"], "an image VAE"),
        (["text_model.encoder.layers.0.self_attn.k_proj.weight"], "a CLIP text encoder"),
        (["some.strange.weight", "other.bias"], r"unknown weights \(other.bias, some.strange.weight; safetensors"),
        (["head.modulation", "img_emb.proj.0.bias"], "an image-to-video Wan DiT"),
        (
            ["decoder.middle.0.residual.0.gamma", "decoder.upsamples.0.upsamples.0.residual.2.weight"],
            "the Wan2.2 VAE, whose latents are others",
        ),
        (list(transformers_t5(umt5=False)), "a T5 text encoder as of Flux or SD3, which is not umT5"),
    ],
)
def test_what_is_not_read_is_named(names: list[str], what: str, tmp_path: Path) -> None:
    path = write_hole(tmp_path / "wan2.1_t2v_1.3B.safetensors", {name: (2, 3, 4) for name in names})
    with pytest.raises(VFEError, match=f"{what}.*; needed") as caught:
        recognise(path)
    assert "\n" not in str(caught.value)


def test_an_optimizer_state_is_named(tmp_path: Path) -> None:
    torch.save({"optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1}]}}, tmp_path / "o")
    with pytest.raises(VFEError, match="an optimizer state; needed the model's weights"):
        recognise(tmp_path / "o")
    save_file({"exp_avg.blocks.0.weight": torch.ones(2)}, tmp_path / "o.safetensors")
    with pytest.raises(VFEError, match="an optimizer state; needed a Wan"):
        recognise(tmp_path / "o.safetensors")
