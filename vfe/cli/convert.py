"""`vfe convert`: any Wan DiT, VividFace checkpoint or Wan VAE as one .safetensors file."""

from __future__ import annotations

import argparse

import torch

from ..models.flow import OneStepFlow
from ..types import VFEError
from ..weights.convert import ConvertOptions, convert_file
from .text import say


def run(args: argparse.Namespace) -> None:
    """Rewrite the weights of `args.input` into `args.output`; VFEError and OSError for what cannot be done."""
    options = ConvertOptions(
        dtype=_dtype(args.dtype),
        loras=tuple(args.lora),
        flow=_flow(args.rule, args.timestep),
        overwrite=args.overwrite,
    )
    say(f"{args.output}: {convert_file(args.input, args.output, options)}")


def _dtype(name: str | None) -> torch.dtype | None:
    """Return the number format of this name; None, that of the input, where none is named."""
    return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[name] if name else None


def _flow(rule: str | None, timestep: float | None) -> OneStepFlow | None:
    """Return the step that is noted in the output; None where it is no restorer. VFEError for one that is none."""
    if rule is None and timestep is not None:
        raise VFEError("--timestep says where a restorer's step starts; add --rule vividface or dvface")
    try:
        return None if rule is None else OneStepFlow(rule, OneStepFlow.timestep if timestep is None else timestep)  # type: ignore[arg-type]
    except ValueError as error:
        raise VFEError(str(error)) from error
