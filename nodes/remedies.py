"""What to do about errors of `vfe`, said in terms of nodes and their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..vfe.types import Remedy, VFEError

LOADER = "Load Face Restorer"
"""The name on the page of the node that loads restorers."""
IN_NODES: Mapping[Remedy, str] = {
    Remedy.SEE_FACES: "the overlay of Face Mask shows their numbers",
    Remedy.RESTORE_WHOLE_FRAMES: "set region of Enhance Face Video to frame",
    Remedy.SHRINK_FRAMES: "close other programs, or make the frames smaller before they come to this node",
    Remedy.GET_VAE: f"put wan_2.1_vae.safetensors into ComfyUI's folder models/vae and choose it as vae of {LOADER}",
    Remedy.GET_PROMPT_EMBEDDING: f"put one into ComfyUI's folder models/vfe and choose it as context of {LOADER}, or "
    "connect CLIP Text Encode to its conditioning, as in the template for VividFace",
    Remedy.CHOOSE_VAE: f"choose one as vae of {LOADER}",
    Remedy.CHOOSE_PROMPT_EMBEDDING: f"choose a file with one prompt embedding as context of {LOADER}",
    Remedy.CHOOSE_ADAPTER: f"choose a DVFace adapter, or none, as adapter of {LOADER}",
    Remedy.TAKE_FEWER_STEPS: "set steps to what it was trained for",
    Remedy.REPLACE_OUTPUT: "run the node again, which takes another name",
}
"""What a user of the nodes can do, for each way out of an error that the command has an option for."""


@contextmanager
def in_node_terms() -> Iterator[None]:
    """Run what a node does, and raise in place of a VFEError a ValueError that names nodes, not options of the command.

    ComfyUI shows the full name of an error's type: that of a class of this pack is a path of modules, which says
    nothing to the person who reads it; those of Python itself are one word.
    """
    try:
        yield
    except VFEError as error:
        raise ValueError(advised(error)) from error


def advised(error: VFEError) -> str:
    """Return what an error says, with advice in terms of nodes where it has advice."""
    return str(error) if error.remedy is None else f"{error.fact}; {IN_NODES[error.remedy]}"
