"""Translate parameter names of diffusers' AutoencoderKLWan to the official ones, which WanVAE has."""

from __future__ import annotations

import re

_PARTS = (
    (r"^quant_conv\.", "conv1."),
    (r"^post_quant_conv\.", "conv2."),
    (r"\.conv_in\.", ".conv1."),
    (r"\.norm_out\.", ".head.0."),
    (r"\.conv_out\.", ".head.2."),
    (r"\.mid_block\.attentions\.0\.", ".middle.1."),
    (r"\.down_blocks\.", ".downsamples."),
    (r"\.norm1\.", ".residual.0."),
    (r"\.norm2\.", ".residual.3."),
    (r"\.conv2\.", ".residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
)
_MIDDLE = re.compile(r"\.mid_block\.resnets\.(\d+)\.")
_UP = re.compile(r"\.up_blocks\.(\d+)\.(?:resnets\.(\d+)|upsamplers\.0)\.")
_RESIDUAL_CONV = re.compile(r"(\.(?:resnets|down_blocks)\.\d+)\.conv1\.")


def vae_keys_from_diffusers(name: str, blocks: int = 2) -> str:
    """Return the official name of a parameter that diffusers calls `name`.

    `blocks` is `num_res_blocks`: an up block of diffusers is blocks + 1 residual blocks and an upsampler, which the
    official names count in one row. A name that is no parameter of diffusers' VAE comes back as it is.

    >>> vae_keys_from_diffusers("decoder.up_blocks.1.resnets.0.conv1.weight")
    'decoder.upsamples.4.residual.2.weight'
    """
    name = _RESIDUAL_CONV.sub(r"\1.residual.2.", name)
    name = _MIDDLE.sub(lambda match: f".middle.{2 * int(match[1])}.", name)
    for theirs, official in _PARTS:
        name = re.sub(theirs, official, name)
    layers = blocks + 2
    return _UP.sub(lambda m: f".upsamples.{layers * int(m[1]) + int(m[2] or layers - 1)}.", name)
