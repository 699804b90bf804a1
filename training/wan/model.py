"""The one-step restorer of a user's Wan files, trainable: z_hq = z_lq - s v(z_lq, t*, c) (VividFace, eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vfe.models.dit.model import WanDiT
from vfe.models.flow import OneStepFlow
from vfe.tensor_io.open import open_tensors
from vfe.types import VFEError
from vfe.weights.prompt import read_prompt_embedding
from vfe.weights.save import Origin, save_dit, save_lora
from vfe.weights.wan_dit import is_dit, load_dit, read_flow

from ..one_step import OneStepDiT
from ..run.recompute import checkpoint_blocks
from ..run.recorded import NOT_RECORDED
from .lora import LoraConfig, add_lora, base_state, changes_of


@dataclass(frozen=True, kw_only=True)
class WanTrainConfig:
    """The files that a run starts from, and what of the DiT it trains."""

    dit: str = field(metadata=NOT_RECORDED)
    """Wan2.1-T2V-1.3B, or a restorer made of it, in any layout that `vfe info` knows."""
    vae: str = field(metadata=NOT_RECORDED)
    context: str = field(metadata=NOT_RECORDED)
    """The file of the embedded empty prompt, as `vfe embed-prompt` writes it. The files of runs call it so."""
    flow: OneStepFlow = field(default_factory=OneStepFlow)
    lora: LoraConfig | None = None
    """None trains every weight of the DiT."""


def load_trainable(config: WanTrainConfig, checkpointing: bool = False) -> OneStepDiT:
    """Load the model from the files of the config, in float32 on the CPU.

    `checkpointing` of the DiT's blocks saves the memory of their activations.
    Raises VFEError for a file that is not what it should be, or does not fit the others.
    """
    for path in (config.dit, config.lora.init if config.lora else None):
        noted = read_flow(open_tensors(Path(path), is_dit)) if path else None
        if noted not in (None, config.flow):
            raise VFEError(f"{path} was trained by {noted}, model.flow is {config.flow}: they need to be the same")
    dit = load_dit(Path(config.dit))
    if config.lora is None:
        dit.requires_grad_(True)
    else:
        add_lora(dit, config.lora)
    if checkpointing:
        checkpoint_blocks(dit.blocks)
    return OneStepDiT(dit.train(), read_prompt_embedding(Path(config.context), dit.config.text_dim), config.flow)


def export_trained(path: Path, dit: WanDiT, config: WanTrainConfig, facts: dict[str, Any]) -> Origin:
    """Write what was trained, with `facts` as metadata: a LoRA that `vfe enhance --lora` and ComfyUI load, or the DiT.

    Returns what the metadata says of where it comes from.
    """
    origin = Origin(base=Path(config.dit).name, flow=config.flow, training=facts)
    changes = changes_of(dit)
    if changes:
        save_lora(path, changes, origin.note())
    else:
        save_dit(path, base_state(dit), dit.config.heads, origin)
    return origin
