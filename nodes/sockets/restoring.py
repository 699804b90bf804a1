"""The inputs that the nodes have alike which restore from end to end, and the options that they stand for."""

from __future__ import annotations

from typing import TypedDict

from ...vfe.options import Region, RestoreOptions
from .inputs import CODEC_CRF, DEFAULTS, UNSCALED, chosen_crf, chosen_size


class RestoreInputs(TypedDict, total=False):
    """The values of these inputs. Those from `fidelity` on are missing where an earlier workflow has none."""

    region: Region
    faces: str
    min_face: int
    blend: float
    strength: float
    crf: int
    """Of nodes that write files."""
    fidelity: float
    scale: str
    size: str


def chosen_options(inputs: RestoreInputs) -> RestoreOptions:
    """Return the options that the inputs ask for, as the command has them.

    Raises VFEError for a size that is none, and for values that the command refuses.
    """
    return RestoreOptions(
        strength=inputs["strength"],
        region=inputs["region"],
        faces=inputs["faces"],
        min_face=inputs["min_face"],
        blend=inputs["blend"],
        crf=chosen_crf(inputs.get("crf", CODEC_CRF)),
        fidelity=inputs.get("fidelity", DEFAULTS.fidelity),
        **chosen_size(inputs.get("scale", UNSCALED), inputs.get("size", "")),
    )
