"""A tiny umT5 with random weights under Wan's own names, in every layout that users have, and a plain reference."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

LAYERS, DIM, HEADS, CHANNELS, FFN, VOCABULARY, BUCKETS, FAR = 3, 24, 2, 6, 20, 40, 32, 128
FP8 = torch.float8_e4m3fn

TO_TRANSFORMERS = {
    "norm1": "layer.0.layer_norm",
    "attn": "layer.0.SelfAttention",
    "pos_embedding.embedding": "layer.0.SelfAttention.relative_attention_bias",
    "norm2": "layer.1.layer_norm",
    "ffn.gate.0": "layer.1.DenseReluDense.wi_0",
    "ffn.fc1": "layer.1.DenseReluDense.wi_1",
    "ffn.fc2": "layer.1.DenseReluDense.wo",
}


def official_state(dim: int = DIM, layers: int = LAYERS) -> dict[str, Tensor]:
    """Weights of a trained model's spread, float32: the sizes of the residual stream stay near 1."""
    generator = torch.Generator().manual_seed(0)
    inner = HEADS * CHANNELS
    shapes: dict[str, tuple[int, ...]] = {"token_embedding.weight": (VOCABULARY, dim), "norm.weight": (dim,)}
    for block in range(layers):
        of_block: dict[str, tuple[int, ...]] = {
            "norm1": (dim,),
            **dict.fromkeys(("attn.q", "attn.k", "attn.v"), (inner, dim)),
            "attn.o": (dim, inner),
            "pos_embedding.embedding": (BUCKETS, HEADS),
            "norm2": (dim,),
            **dict.fromkeys(("ffn.gate.0", "ffn.fc1"), (FFN, dim)),
            "ffn.fc2": (dim, FFN),
        }
        shapes |= {f"blocks.{block}.{name}.weight": shape for name, shape in of_block.items()}
    state = {}
    for name, shape in shapes.items():
        is_table = "embedding" in name or len(shape) == 1
        value = torch.randn(shape, generator=generator) * (1.0 if is_table else shape[-1] ** -0.5)
        state[name] = 1 + 0.3 * value if len(shape) == 1 else value
    return state


def in_transformers_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As ComfyUI and transformers call them."""
    renamed = {}
    for name, value in state.items():
        new = name.replace("token_embedding.", "shared.").replace("blocks.", "encoder.block.")
        new = "encoder.final_layer_norm.weight" if name == "norm.weight" else new
        for ours, theirs in TO_TRANSFORMERS.items():
            new = new.replace(f".{ours}.", f".{theirs}.")
        renamed[new] = value
    return renamed


def in_fp8(state: dict[str, Tensor], suffix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(the layers' matrices in fp8 with a scale each, the same weights as float32), as ComfyUI quantises them."""
    stored, meant = dict(state), dict(state)
    for name, value in state.items():
        if "SelfAttention" in name or "DenseReluDense" in name:
            if name.endswith("relative_attention_bias.weight"):
                continue
            scale = value.abs().max() / 448
            stored[name] = (value / scale).to(FP8)
            stored[name.removesuffix(".weight") + suffix] = scale
            meant[name] = stored[name].float() * scale
    return stored, meant


def save(state: dict[str, Tensor], path: Path) -> Path:
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return path


def plain_encode(state: dict[str, Tensor], ids: list[int], rows: int) -> Tensor:
    """Wan's way, written out: pad with token 0 to `rows`, mask the padding in every layer, cut it off at the end."""
    padded = ids + [0] * (rows - len(ids))
    x = state["token_embedding.weight"][padded]
    bucket = torch.tensor([[_bucket(key - query) for key in range(rows)] for query in range(rows)])
    for block in range(len({name.split(".")[1] for name in state if name.startswith("blocks.")})):
        w = {name: state[f"blocks.{block}.{name}.weight"] for name in _block_names(state)}
        normed = _norm(x, w["norm1"])
        heads = []
        for head in range(HEADS):
            part = slice(head * CHANNELS, (head + 1) * CHANNELS)
            q, k, v = (normed @ w[f"attn.{name}"][part].T for name in "qkv")
            scores = q @ k.T + w["pos_embedding.embedding"][bucket, head]
            scores[:, len(ids) :] = torch.finfo(torch.float32).min
            heads.append(scores.softmax(-1) @ v)
        x = x + torch.cat(heads, -1) @ w["attn.o"].T
        normed = _norm(x, w["norm2"])
        x = x + (_gelu(normed @ w["ffn.gate.0"].T) * (normed @ w["ffn.fc1"].T)) @ w["ffn.fc2"].T
    return _norm(x, state["norm.weight"])[: len(ids)]


def _block_names(state: dict[str, Tensor]) -> list[str]:
    return [name.removeprefix("blocks.0.").removesuffix(".weight") for name in state if name.startswith("blocks.0.")]


def _bucket(way: int) -> int:
    half, exact = BUCKETS // 2, BUCKETS // 4
    distance = abs(way)
    if distance >= exact:
        distance = exact + int(math.log(distance / exact) / math.log(FAR / exact) * (half - exact))
    return min(distance, half - 1) + (half if way > 0 else 0)


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * weight


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
