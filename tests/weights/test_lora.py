"""LoRAs of every format merge to the same weights; what cannot be merged is named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.support.lora_layouts import ALPHA, FORMATS, RANK, State, factors, largest_difference, merged, written_as
from tests.support.weight_layouts import random_dit, safetensors
from vfe.options import LoraFile
from vfe.types import VFEError
from vfe.weights.lora import merge_loras
from vfe.weights.wan_dit import load_dit, read_dit


@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_every_format_of_a_lora_merges_to_the_same_weights(alpha: float | None, tmp_path: Path) -> None:
    """W + (alpha / r) B A, the scale being 1 where no alpha is given."""
    state = dict(random_dit().state_dict())
    lora = factors(state)
    expected = dict(state)
    for layer, (down, up) in lora.items():
        change = (up.double().flatten(1) @ down.double().flatten(1)) * (1 if alpha is None else alpha / RANK)
        expected[f"{layer}.weight"] = state[f"{layer}.weight"] + change.reshape(state[f"{layer}.weight"].shape)
    first = merged(state, written_as("bare", lora, alpha), tmp_path)
    assert largest_difference(first, expected) <= 1e-6
    assert largest_difference(first, state) > 0.1
    for form in FORMATS:
        assert largest_difference(merged(state, written_as(form, lora, alpha), tmp_path), first) == 0.0, form


def test_whole_differences_change_every_kind_of_parameter(tmp_path: Path) -> None:
    state = dict(random_dit().state_dict())
    changes = {
        "diffusion_model.blocks.0.self_attn.q.diff": "blocks.0.self_attn.q.weight",
        "diffusion_model.blocks.0.self_attn.q.diff_b": "blocks.0.self_attn.q.bias",
        "diffusion_model.blocks.1.self_attn.norm_q.diff": "blocks.1.self_attn.norm_q.weight",
        "lora_unet_blocks_1_norm3.w_norm": "blocks.1.norm3.weight",
        "lora_unet_blocks_1_norm3.b_norm": "blocks.1.norm3.bias",
        "diffusion_model.blocks.0.diff_m": "blocks.0.modulation",
        "diffusion_model.blocks.1.modulation.diff": "blocks.1.modulation",
        "diffusion_model.head.diff_m": "head.modulation",
        "diffusion_model.patch_embedding.diff": "patch_embedding.weight",
    }
    lora = {name: torch.randn_like(state[target]) for name, target in changes.items()}
    expected = dict(state) | {target: state[target] + lora[name] for name, target in changes.items()}
    assert largest_difference(merged(state, lora, tmp_path), expected) == 0.0


def test_low_rank_and_whole_changes_of_a_layer_add_up(tmp_path: Path) -> None:
    state = dict(random_dit().state_dict())
    down, up = factors(state)["blocks.0.ffn.0"]
    base = "diffusion_model.blocks.0.ffn.0"
    bias = torch.randn_like(state["blocks.0.ffn.0.bias"])
    lora = {f"{base}.lora_down.weight": down, f"{base}.lora_up.weight": up, f"{base}.diff_b": bias}
    result = merged(state, lora, tmp_path)
    assert torch.equal(result["blocks.0.ffn.0.bias"], state["blocks.0.ffn.0.bias"] + bias)
    assert torch.equal(result["blocks.0.ffn.0.weight"], state["blocks.0.ffn.0.weight"] + up @ down)


def test_several_loras_add_up_by_their_strengths(tmp_path: Path) -> None:
    state = dict(random_dit().state_dict())
    lora = factors(state)
    save_file(written_as("kohya", lora, ALPHA), tmp_path / "a.safetensors")
    name = "blocks.1.self_attn.q.weight"
    save_file({"blocks.1.self_attn.q.diff": torch.ones_like(state[name])}, tmp_path / "b.safetensors")
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    only_a = merge_loras(state, [LoraFile(a)])[name] - state[name]
    both = merge_loras(state, [LoraFile(a, -0.5), LoraFile(b, 2.0)])[name]
    assert (both - (state[name] - 0.5 * only_a + 2.0)).abs().max() <= 1e-6
    assert largest_difference(merge_loras(state, [LoraFile(a, 0.0), LoraFile(b, 0.0)]), state) == 0.0
    twice = merge_loras(state, [LoraFile(a, 0.5), LoraFile(a, 0.5)])
    assert largest_difference(twice, merge_loras(state, [LoraFile(a)])) <= 1e-6


def test_half_precision_is_rounded_once(tmp_path: Path) -> None:
    """Two large LoRAs that cancel leave fp16 weights as they were; summed in fp16 they would be off by 0.01."""
    state = {name: value.half() for name, value in random_dit().state_dict().items()}
    save_file(written_as("bare", factors(random_dit().state_dict()), None), tmp_path / "a.safetensors")
    path = tmp_path / "a.safetensors"
    result = merge_loras(state, [LoraFile(path, 100.0), LoraFile(path, -100.0)])
    assert all(value.dtype == torch.float16 for value in result.values())
    assert largest_difference(result, state) <= 1e-4
    one = merge_loras(state, [LoraFile(path)])
    exact = merge_loras({name: value.float() for name, value in state.items()}, [LoraFile(path)])
    assert all(torch.equal(one[name], exact[name].half()) for name in one)


def test_a_dit_is_loaded_with_its_loras(tmp_path: Path) -> None:
    """Merged in float32 also where the file and the network are in half precision."""
    path, state = safetensors(dtype=torch.float16)(tmp_path, random_dit().state_dict())
    save_file(written_as("kohya", factors(random_dit().state_dict()), ALPHA), tmp_path / "lora.safetensors")
    specs = [LoraFile(tmp_path / "lora.safetensors", 0.7)]
    exact = merge_loras({name: value.float() for name, value in state.items()}, specs)
    loaded = load_dit(path, specs, dtype=torch.bfloat16).state_dict()
    assert all(torch.equal(loaded[name], exact[name].bfloat16()) for name in exact)
    _, read = read_dit(path, loras=specs)
    assert all(torch.equal(read[name], exact[name].half()) for name in exact)


class Underscores(nn.Module):
    """Two layers whose names differ by a dot only."""

    def __init__(self) -> None:
        super().__init__()
        self.a_b = nn.ModuleDict({"c": nn.Linear(4, 4)})
        self.a = nn.ModuleDict({"b_c": nn.Linear(4, 4), "d": nn.Linear(4, 4)})


def test_underscores_are_resolved_by_the_models_own_names(tmp_path: Path) -> None:
    state = dict(Underscores().state_dict())
    lora = {"lora_unet_a_d.diff": torch.ones(4, 4)}
    assert torch.equal(merged(state, lora, tmp_path)["a.d.weight"], state["a.d.weight"] + 1)
    with pytest.raises(VFEError, match=r"lora_unet_a_b_c.diff may mean a.b_c, a_b.c"):
        merged(state, {"lora_unet_a_b_c.diff": torch.ones(4, 4)}, tmp_path)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.3


@pytest.mark.parametrize("alpha", [None, 2.0])
@pytest.mark.parametrize("base", ["diffusion_model.blocks.1.ffn.0", "lycoris_blocks_1_ffn_0"])
def test_loha_is_a_product_of_products(alpha: float | None, base: str, tmp_path: Path) -> None:
    state = dict(random_dit().state_dict())
    a1, b1, a2, b2 = random(192, 4), random(4, 128), random(192, 4, seed=1), random(4, 128, seed=1)
    lora = {f"{base}.{part}": value for part, value in zip(LOHA, (a1, b1, a2, b2), strict=True)}
    if alpha is not None:
        lora[f"{base}.alpha"] = torch.tensor(alpha)
    change = (a1 @ b1) * (a2 @ b2) * (alpha or 4) / 4
    expected = {**state, "blocks.1.ffn.0.weight": state["blocks.1.ffn.0.weight"] + change}
    assert largest_difference(merged(state, lora, tmp_path), expected) <= 1e-6


@pytest.mark.parametrize("forms", ["whole, whole", "whole, product", "product, whole", "product, product"])
def test_lokr_is_a_kronecker_product(forms: str, tmp_path: Path) -> None:
    """Whose alpha counts only where a factor is a product."""
    state, base = dict(random_dit().state_dict()), "diffusion_model.blocks.1.ffn.0"
    lora = {f"{base}.alpha": torch.tensor(2.0)}
    matrices, ranks = [], []
    for name, form, (rows, columns), rank in zip(
        ("w1", "w2"), forms.split(", "), ((8, 4), (24, 32)), (2, 4), strict=True
    ):
        a, b = random(rows, rank), random(rank, columns)
        matrices.append(a @ b)
        if form == "whole":
            lora[f"{base}.lokr_{name}"] = a @ b
        else:
            lora[f"{base}.lokr_{name}_a"], lora[f"{base}.lokr_{name}_b"] = a, b
            ranks.append(rank)
    change = torch.kron(*matrices) * (2 / ranks[-1] if ranks else 1)
    expected = {**state, "blocks.1.ffn.0.weight": state["blocks.1.ffn.0.weight"] + change}
    assert largest_difference(merged(state, lora, tmp_path), expected) <= 1e-6


Q = "diffusion_model.blocks.0.self_attn.q"
WIDE = "diffusion_model.blocks.39.self_attn.k"
ODD = ((128, 4), (4, 128), (128, 4), (3, 128))
LOHA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
DOWN, UP = torch.ones(RANK, 128), torch.ones(128, RANK)


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({f"{Q}.lora_A.weight": DOWN}, "blocks.0.self_attn.q has only one factor"),
        ({f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": torch.ones(128, 3)}, r"factors of \(128, 3\) and \(4, 128"),
        (
            {f"{Q}.lora_A.weight": torch.ones(4, 5120), f"{Q}.lora_B.weight": torch.ones(5120, 4)},
            r"a LoRA for Wan 14B: .* changes a weight of \(5120, 5120\), this model's is \(128, 128\); "
            "needed a LoRA for a model of this size",
        ),
        (
            {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": UP, f"{Q}.dora_scale": torch.ones(128)},
            "DoRA, which cannot be merged",
        ),
        ({"base_model.model.x.lora_magnitude_vector": UP}, "DoRA, which cannot be merged"),
        ({f"{Q}.hada_w1_a": UP}, "blocks.0.self_attn.q has not all factors of a LoHa"),
        ({f"{Q}.lokr_w1": UP}, "blocks.0.self_attn.q has not all factors of a LoKr"),
        ({f"{Q}.lokr_w1": UP, f"{Q}.lokr_w2_a": UP.clone()}, "has not all factors of a LoKr"),
        (
            {f"{Q}.lokr_w1": UP, f"{Q}.lokr_w2": UP.clone()},
            r"changes a weight of \(16384, 16\), this model's is \(128, 128\)",
        ),
        (
            {f"{Q}.{part}": torch.ones(shape) for part, shape in zip(LOHA, ODD, strict=True)},
            r"has factors of \(128, 4\) and \(3, 128\), which do not fit",
        ),
        ({f"{Q}.lokr_w1": UP, f"{Q}.lora_A.weight": DOWN}, "parts of several kinds of LoRA"),
        ({f"{Q}.lokr_t2": UP, f"{Q}.lokr_w1": UP.clone()}, "LoKr of convolutions .*, which cannot be merged"),
        ({f"{Q}.oft_blocks": UP}, "OFT, which cannot be merged here; needed a plain LoRA, a LoHa or a LoKr: merge it"),
        (
            {f"{WIDE}.lora_A.weight": torch.ones(4, 5120), f"{WIDE}.lora_B.weight": torch.ones(5120, 4)},
            "a LoRA for Wan 14B: 2 of its 2 tensors belong to no layer of this model",
        ),
        (
            {"diffusion_model.blocks.0.cross_attn.k_img.lora_A.weight": DOWN, f"{Q}.diff": torch.ones(5120, 5120)},
            "a LoRA for an image-to-video DiT of Wan 14B: 1 of its 2 tensors",
        ),
        (
            {"transformer.blocks.0.attn2.add_k_proj.lora_A.weight": DOWN, f"{Q}.diff_b": torch.ones(128)},
            "a LoRA for an image-to-video DiT of Wan: 1 of its 2 tensors",
        ),
        ({"diffusion_model.vace_blocks.0.ffn.0.lora_A.weight": DOWN}, "a LoRA for a VACE DiT of Wan: "),
        ({f"{Q}.diff": torch.ones(3072, 3072)}, "a LoRA for Wan2.2 5B: "),
        ({"lora_unet_down_blocks_0_attn.lora_down.weight": DOWN}, "a LoRA for Stable Diffusion: "),
        ({"transformer.transformer_blocks.0.attn.lora_A.weight": DOWN}, "a LoRA for another DiT"),
        ({f"{Q}.diff": torch.ones(128, 128), f"{Q}.set_weight": UP}, "a weight that is replaced, not changed"),
        (
            {
                f"{Q}.lora_A.weight": DOWN,
                f"{Q}.lora_B.weight": UP,
                "base_model.model.patch_embedding.weight": torch.ones(128, 32, 1, 2, 2),
            },
            r"holds whole weights \(base_model.model.patch_embedding.weight, \(128, 32, 1, 2, 2\)\), .* save the DiT",
        ),
        ({f"{Q}.alpha": torch.ones(()), f"{Q}.diff_b": torch.ones(3)}, r"changes a weight of \(3,\)"),
        ({f"{Q}.diff": torch.full((128, 128), float("nan"))}, f"{Q}.diff holds NaN"),
        (
            {"diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight": DOWN, f"{Q}.diff_b": torch.ones(128)},
            r"a LoRA for Flux or HunyuanVideo: 1 of its 2 tensors belong to no layer of this model "
            r"\(diffusion_model.double_blocks.0.img_attn.qkv",
        ),
        ({"lora_te_text_model_encoder_layers_0.lora_down.weight": DOWN}, "a text encoder: .* no layer of this model"),
        ({"blocks.0.norm_q.diff_b": torch.ones(4)}, "belong to no layer of this model"),
        ({"blocks.0.self_attn.norm_q.diff_b": torch.ones(128)}, "changes a parameter that this model's .* lacks"),
        ({"head.modulation": torch.ones(1, 2, 128)}, r"no LoRA \(it holds head.modulation\)"),
        (
            {f"{Q}.diff_b": torch.ones(128), "lora_unet_blocks_0_self_attn_q.diff_b": torch.ones(128)},
            "mean the same; save one adapter alone",
        ),
        (
            {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": UP, f"{Q}.alpha": torch.ones(2)},
            r"alpha is \(2,\), needed one number",
        ),
    ],
)
def test_what_cannot_be_merged_is_named(lora: State, message: str, tmp_path: Path) -> None:
    with pytest.raises(VFEError, match=message) as caught:
        merged(dict(random_dit().state_dict()), lora, tmp_path)
    assert "lora.safetensors: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"peft_type": "LOHA"}, "an adapter that is no plain LoRA"),
        ({"lora_alpha": "6"}, "has the alpha '6', needed a number"),
        ({"lora_alpha": math.nan}, "has the alpha nan"),
        ({"alpha_pattern": {"(a+)+$": 3}}, r"alpha_pattern '\(a\+\)\+\$'; needed the plain name of a layer"),
        ([], "adapter config is no mapping"),
    ],
)
def test_an_adapter_config_that_makes_no_sense_is_refused(config: object, message: str, tmp_path: Path) -> None:
    save_file({f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": UP}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(VFEError, match=message):
        merge_loras(dict(random_dit().state_dict()), [LoraFile(tmp_path)])


def test_a_strength_is_a_finite_number() -> None:
    with pytest.raises(ValueError, match="strength is nan"):
        LoraFile(Path("a"), math.nan)
