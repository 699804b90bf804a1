"""Which metrics are measured: those that the clips allow, each of the others with the reason why not."""

from __future__ import annotations

from pathlib import Path

from ..device import choose_device
from ..types import VFEError
from .flow import NO_FLOW, has_flow
from .metric import Figure, Metric, Missing
from .metrics.akd5 import Akd5
from .metrics.colour import Colour
from .metrics.detail import Detail
from .metrics.e_warp import EWarp
from .metrics.face_psnr import FacePsnr
from .metrics.flicker import Flicker
from .metrics.niqe import Niqe, own_model, read_model
from .metrics.psnr import Psnr, PsnrOfFrames
from .metrics.ssim import Ssim
from .metrics.tlme5 import Tlme5
from .metrics.warp import Warp
from .options import ScoreOptions
from .packs.clones import DOVER, FASTER_VQA, Clone, CloneMetric, find_clone
from .packs.fvd import Fvd, load_i3d
from .packs.identity import FaceConsistency, Ids, Vidd
from .packs.perceptual import PerceptualNetworks
from .packs.pyiqa import LICENCE, PyiqaNetworks
from .packs.recognition import NONE_FOUND, Looks, load_recogniser
from .packs.weight_files import I3D, NIQE, find_weights

NO_REFERENCE = "it compares with a reference: give --reference"
NO_GUIDE = "it goes by the flow of another clip: give --reference or --input"
NO_NIQE = f"no published parameters found; put {NIQE[0]} or {NIQE[1]} into the folder of --weights"


class Networks:
    """What the packs that were asked for need, loaded once. Raises VFEError for a pack that cannot be used at all."""

    def __init__(self, options: ScoreOptions) -> None:
        self.options = options
        self.device = str(choose_device(options.device))
        self.notes: list[str] = []
        """Licences, for people to read."""
        weights, packs = options.weights, options.packs
        self.niqe_file = find_weights(weights, *NIQE)
        self.niqe = None if self.niqe_file is None else read_model(self.niqe_file)
        self.niqe_own = own_model()
        self.perceptual = PerceptualNetworks(weights) if "perceptual" in packs else None
        self.recogniser = load_recogniser(weights) if "identity" in packs else None
        i3d = find_weights(weights, I3D) if "fvd" in packs else None
        self.i3d = None if i3d is None else load_i3d(i3d, self.device)
        self.pyiqa = PyiqaNetworks(self.device) if "pyiqa" in packs else None
        self._check()

    def _check(self) -> None:
        """Raise VFEError for packs of which nothing is there; note the licences of the others."""
        if self.perceptual is not None and not self.perceptual.loaded:
            raise VFEError(f"--pack perceptual: {next(iter(self.perceptual.missing.values()))}")
        if "identity" in self.options.packs and self.recogniser is None:
            raise VFEError(f"--pack identity: {NONE_FOUND}")
        if "fvd" in self.options.packs and self.i3d is None:
            raise VFEError(f"--pack fvd: {I3D} not found; put it into the folder of --weights")
        for clone in self.clones():
            if find_clone(clone, self.options.weights) is None:
                raise VFEError(
                    f"--pack {clone.figure.name}: the folder of --weights holds no clone {clone.folder} with "
                    f"{clone.script}; {clone.licence}"
                )
            self.notes.append(clone.licence)
        if self.pyiqa is not None:
            self.notes.append(LICENCE)

    def clones(self) -> list[Clone]:
        """Return the clones that were asked for."""
        return [clone for clone in (FASTER_VQA, DOVER) if clone.figure.name in self.options.packs]


def choose_metrics(networks: Networks, has_reference: bool, has_input: bool) -> list[Metric]:
    """Return new metrics for one version of the clips, in the order of the tables."""
    compared: list[Metric] = [Psnr(), PsnrOfFrames(), FacePsnr(), Ssim(), Detail(), Colour(), Flicker()]
    faces: list[Metric] = [Akd5(), Tlme5()]
    options = networks.options
    if networks.perceptual is not None:
        faces += networks.perceptual.metrics(options.every, networks.device)
    alone: list[Metric] = [Niqe("niqe_own", networks.niqe_own)]
    alone.append(Missing(Figure("niqe", "lower"), NO_NIQE) if networks.niqe is None else Niqe("niqe", networks.niqe))
    if networks.recogniser is not None:
        looks = Looks(networks.recogniser)
        faces.append(Ids(looks))
        alone += [Vidd(looks), FaceConsistency(looks)]
    if networks.pyiqa is not None:
        alone += networks.pyiqa.metrics(options.every)
    alone += [CloneMetric(clone, _root(clone, options)) for clone in networks.clones()]
    if networks.i3d is not None:
        faces.append(Fvd(networks.i3d))
    if not has_reference:
        compared, faces = _not_compared(compared), _not_compared(faces)
    return [*compared, *_by_flow(has_reference, has_input), *faces, *alone]


def _not_compared(metrics: list[Metric]) -> list[Metric]:
    """Return what stands in for metrics that need a reference."""
    return [Missing(metric.figure, NO_REFERENCE) for metric in metrics]


def _by_flow(has_reference: bool, has_input: bool) -> list[Metric]:
    """Return the metrics that need optical flow."""
    warp, guided, own = Warp(), EWarp("truth"), EWarp("self")
    if not has_flow():
        return [Missing(metric.figure, NO_FLOW) for metric in (warp, guided, own)]
    return [
        warp if has_reference else Missing(warp.figure, NO_REFERENCE),
        guided if has_reference or has_input else Missing(guided.figure, NO_GUIDE),
        own,
    ]


def _root(clone: Clone, options: ScoreOptions) -> Path:
    root = find_clone(clone, options.weights)
    assert root is not None  # checked when the networks were loaded
    return root
