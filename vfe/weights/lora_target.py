"""Which model a LoRA was made for, as far as names and shapes in it tell, for the user who gave it to another."""

from __future__ import annotations

from ..tensor_io.source import TensorSource
from .lora_keys import parse_key

WAN_WIDTHS = {1536: "Wan 1.3B", 3072: "Wan2.2 5B", 5120: "Wan 14B"}
"""The widths of Wan's DiTs, and what people call them."""

# Parts of names that only LoRAs of these models have; the first that is found counts.
_Signs = tuple[tuple[tuple[str, ...], str], ...]
_SIGNS: _Signs = (
    (("vace_blocks", "vace_patch"), "a VACE DiT of"),
    (("img_emb", "k_img", "v_img", "add_k_proj", "add_v_proj", "image_embedder"), "an image-to-video DiT of"),
    (("face_adapter", "motion_encoder"), "an Animate DiT of"),
)
_OTHERS: _Signs = (
    (("double_blocks", "single_blocks", "single_transformer_blocks"), "Flux or HunyuanVideo"),
    (("transformer_blocks",), "another DiT (LTX, Qwen-Image, CogVideoX, ...)"),
    (("joint_blocks",), "Stable Diffusion 3"),
    (("down_blocks", "up_blocks", "input_blocks", "output_blocks", "middle_block"), "Stable Diffusion"),
    (("lora_te", "text_encoder", "text_model"), "a text encoder"),
)


def lora_target(source: TensorSource) -> str | None:
    """Return what a LoRA is for, such as "Wan 14B" or "an image-to-video DiT of Wan 14B"; None where nothing tells."""
    for signs, what in _OTHERS:
        if any(sign in name for name in source.names for sign in signs):
            return what
    size = _wan_size(source)
    for signs, what in _SIGNS:
        if any(sign in name for name in source.names for sign in signs):
            return f"{what} {size or 'Wan'}"
    return size


def _wan_size(source: TensorSource) -> str | None:
    """Return the size of Wan's DiT whose self-attention, of D x D, the LoRA changes; None where it changes none."""
    for name in source.names:
        key, shape = parse_key(name), source.shape(name)
        if key is None or not shape or not any(attention in key.base for attention in ("self_attn", "attn1")):
            continue
        width = {"down": shape[-1], "up": shape[0], "diff": shape[0]}.get(key.part)
        if width in WAN_WIDTHS:
            return WAN_WIDTHS[width]
    return None
