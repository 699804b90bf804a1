"""MUSIQ, CLIP-IQA, MANIQA and LIQE through pyiqa, where the user has installed it. It is no dependency of this package:
its licence forbids commercial use.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from ...types import VFEError
from ..metric import Figure, Metric, OfSomeFrames
from ..moment import Moment

LICENCE = "pyiqa is under PolyForm Noncommercial 1.0.0 and, in parts, S-Lab License 1.0: not for commercial use"
FIGURES = tuple(
    Figure(name, "higher", net=f"pyiqa's {name}") for name in ("musiq", "clipiqa", "maniqa", "liqe")
)  # fmt: skip
NOT_INSTALLED = f"pyiqa is not installed: pip install pyiqa; {LICENCE}"


class PyiqaMetric(OfSomeFrames):
    """The mean over frames of a network that pyiqa brings or downloads."""

    def __init__(self, figure: Figure, network: Any, every: int, device: str) -> None:  # noqa: ANN401 - of pyiqa
        super().__init__(every)
        self.figure, self._network, self._device = figure, network, device

    @torch.inference_mode()
    def value(self, moment: Moment) -> float:
        """Return what the network says of a frame."""
        return float(self._network(moment.shown.image.to(self._device)))


class PyiqaNetworks:
    """The networks, loaded by pyiqa."""

    def __init__(self, device: str) -> None:
        """Raises VFEError where pyiqa is not installed or cannot load a network."""
        if find_spec("pyiqa") is None:
            raise VFEError(NOT_INSTALLED)
        try:
            pyiqa = import_module("pyiqa")
            self._networks = {figure.name: pyiqa.create_metric(figure.name, device=device) for figure in FIGURES}
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            line = " ".join(str(error).split())
            raise VFEError(f"pyiqa cannot be used ({line[:300]}); mend it, or leave out --pack pyiqa") from error
        self._device = device

    def metrics(self, every: int) -> list[Metric]:
        """Return the metrics."""
        return [PyiqaMetric(figure, self._networks[figure.name], every, self._device) for figure in FIGURES]
