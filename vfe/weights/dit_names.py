"""Names of Wan DiT parameters: the official ones, and what diffusers calls them.

Official names are those of Wan2.1's own files, which ComfyUI and DiffSynth keep. diffusers' names are those of its
`WanTransformer3DModel`; note that its norm2 is the official norm3.
"""

from __future__ import annotations

import re

DIT_MARK = "head.modulation"
DIFFUSERS_DIT_MARK = "condition_embedder.time_proj.weight"

_OUTSIDE = {
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "proj_out": "head.head",
    "scale_shift_table": "head.modulation",
}
_IN_BLOCK = {
    **{
        f"{theirs}.{layer}": f"{ours}.{layer.removeprefix('to_').replace('out.0', 'o')}"
        for theirs, ours in (("attn1", "self_attn"), ("attn2", "cross_attn"))
        for layer in ("to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k")
    },
    "norm2": "norm3",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
    "scale_shift_table": "modulation",
}
_OUTSIDE_BACK = {ours: theirs for theirs, ours in _OUTSIDE.items()}
_IN_BLOCK_BACK = {ours: theirs for theirs, ours in _IN_BLOCK.items()}


def split_parameter(name: str) -> tuple[str, str]:
    """Split a parameter's name into layer and kind: ("head.head", ".weight") or ("head.modulation", "")."""
    for kind in (".weight", ".bias"):
        if name.endswith(kind):
            return name[: -len(kind)], kind
    return name, ""


def from_diffusers(name: str) -> str:
    """Return the official name of a diffusers parameter; one that is not of a text-to-video DiT stays as it is."""
    layer, kind = split_parameter(name)
    return _translate(layer, _OUTSIDE, _IN_BLOCK) + kind


def layer_in_diffusers(layer: str) -> str:
    """Return what diffusers calls a layer of this official name."""
    return _translate(layer, _OUTSIDE_BACK, _IN_BLOCK_BACK)


def _translate(layer: str, outside: dict[str, str], in_block: dict[str, str]) -> str:
    block = re.fullmatch(r"(blocks\.\d+\.)(.+)", layer)
    return block[1] + in_block.get(block[2], block[2]) if block else outside.get(layer, layer)
