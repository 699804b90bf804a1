"""Name the files of other models, which nothing here reads, to the user who gave one."""

from __future__ import annotations

from ..tensor_io.source import TensorSource, preview_names

# Where one of these is in the name of a tensor, the file is that. The first one wins.
_SIGNS = (
    ("input_blocks.0.0.weight", "a Stable Diffusion UNet"),
    ("down_blocks.0.resnets.0.conv1.weight", "a UNet or VAE of Stable Diffusion in diffusers' names"),
    ("double_blocks.0.img_attn", "a Flux or HunyuanVideo DiT"),
    ("joint_blocks.0.", "a Stable Diffusion 3 DiT"),
    ("transformer_blocks.0.", "another DiT in diffusers' names (LTX, CogVideoX, Qwen-Image, ...)"),
    ("decoder.up.0.block.0.", "an image VAE"),
    ("decoder.up_blocks.0.", "another VAE in diffusers' names"),
    ("taesd_decoder.", "a TAESD preview decoder"),
    ("visual.transformer.", "a CLIP image encoder"),
    ("textual.", "a CLIP model"),
    ("vision_model.encoder.layers.0.", "a CLIP vision encoder"),
    ("text_model.encoder.layers.0.", "a CLIP text encoder"),
    ("encoder.block.0.layer.0.SelfAttention", "a T5 text encoder"),
    ("model.layers.0.self_attn", "a language model"),
    ("exp_avg", "an optimizer state"),
    ("params_ema.", "a super-resolution network (ESRGAN or the like)"),
    ("body.0.rdb1.", "a super-resolution network (ESRGAN or the like)"),
    ("qweight", "a GPTQ or AWQ quantised model"),
)


def name_foreign(source: TensorSource) -> str:
    """Return what a file is, as far as the names in it tell; else the first few names."""
    for sign, what in _SIGNS:
        if any(sign in name for name in source.names):
            return what
    return f"unknown weights ({preview_names(source.names)}; {source.layout})"
