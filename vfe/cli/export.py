"""`vfe export`: what training exported as a LoRA for ComfyUI or peft, or merged into one .safetensors file."""

from __future__ import annotations

import argparse

import torch

from ..weights.export import ExportOptions, export_file
from .text import say

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def run(args: argparse.Namespace) -> None:
    """Rewrite what training made into `args.output`; VFEError and OSError for what cannot be done."""
    options = ExportOptions(
        form=args.form,
        base=args.base,
        dtype=_DTYPES[args.dtype] if args.dtype else None,
        overwrite=args.overwrite,
    )
    say(f"{args.output}: {export_file(args.trained, args.output, options)}")
