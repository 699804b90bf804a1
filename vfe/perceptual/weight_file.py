"""Reading a network's published weights strictly. Nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..tensor_io.load import check_fits
from ..tensor_io.open import open_tensors
from ..types import VFEError


def read_weights(path: Path, wanted: Mapping[str, tuple[int, ...]], what: str) -> dict[str, Tensor]:
    """The `wanted` tensors {name: shape} of a file in float32; `what` names the file that is meant.

    Other parts of a network (`classifier.*` beside `features.*`) are left out; within a part every name and shape has
    to fit. Raises VFEError, in one line, for a file that is no such one or holds NaN.
    """
    parts = {name.partition(".")[0] for name in wanted}
    try:
        source = open_tensors(path)
        source = source.select({name: name for name in source if name.partition(".")[0] in parts})
        check_fits(path, wanted, source)
        return {name: source.get(name).float().clone() for name in wanted}
    except VFEError as error:
        raise VFEError(f"this file is not {what}: {error}") from error
