"""How many steps the last blocks of a model take: what was asked for, where a file says that it was trained for it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..config import from_mapping
from ..models.dit.head_steps import HeadRoll, HeadSteps
from ..models.dit.model import DiTConfig
from ..models.flow import OneStepFlow
from ..tensor_io.source import TensorSource, printable
from ..types import Remedy, VFEError

ENTRY = "head_steps"
"""Where the facts of its training, in the metadata of a file, say what a model was trained for."""


def read_head_steps(source: TensorSource) -> HeadSteps | None:
    """Return what a lite model, a DiT or a LoRA was trained for; None where nothing is said.

    Raises VFEError where what is said is damaged.
    """
    try:
        training = json.loads(source.metadata.get("training", "{}"))
        said = training.get(ENTRY) if isinstance(training, dict) else None
        return None if said is None else from_mapping(HeadSteps, said, ENTRY)
    except (ValueError, RecursionError) as error:
        raise VFEError(f"{source.path}: its metadata is damaged ({printable(error)}); get the file again") from error


def choose_roll(
    name: object, sources: Sequence[TensorSource], steps: int, dit: DiTConfig, flow: OneStepFlow
) -> HeadRoll | None:
    """Return how the last blocks of the model of a name or path run that was read from `sources`; None for one step.

    Raises VFEError for more steps than it was trained for.
    """
    if steps == 1:
        return None
    found = [said for source in sources if (said := read_head_steps(source)) is not None]
    if dit.sees_original:  # whose latents are two, of which a step moves one
        found = []
    most = max((said.most for said in found if said.blocks <= dit.layers), default=1)
    if steps > most:
        trained = "one step alone" if most == 1 else f"1 to {most} steps"
        fact = f"{name} was trained for {trained}, {steps} are asked for"
        raise VFEError(fact, Remedy.TAKE_FEWER_STEPS, f"--steps takes 1 to {most}")
    return HeadRoll(next(said.blocks for said in found if said.most == most), steps, flow.step)
