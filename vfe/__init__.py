"""VFE, video face enhancement: one-step restoration of faces in video.

    import vfe
    report = vfe.load("lite").restore_file("clip.mp4", "clip.restored.mp4")

`load`, the names beside it and `vfe.face` are imported when they are first used, so that `import vfe` (and with it
`vfe --help`) does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import face as face
    from .jobs.job import Job as Job
    from .jobs.request import JobRequest as JobRequest
    from .jobs.request import ModelRequest as ModelRequest
    from .options import RestoreOptions as RestoreOptions
    from .restore.picture import restore_picture as restore_picture
    from .restore.restorer import Restorer as Restorer
    from .restore.restorer import RestoreReport as RestoreReport
    from .restore.restorer import load as load
    from .types import VFEError as VFEError

__version__ = "0.2.0"
_PLACES = {
    "Job": "jobs.job",
    "JobRequest": "jobs.request",
    "ModelRequest": "jobs.request",
    "RestoreOptions": "restore.restorer",
    "RestoreReport": "restore.restorer",
    "Restorer": "restore.restorer",
    "VFEError": "types",
    "load": "restore.restorer",
    "restore_picture": "restore.picture",
}
__all__ = [
    "Job",
    "JobRequest",
    "ModelRequest",
    "RestoreOptions",
    "RestoreReport",
    "Restorer",
    "VFEError",
    "__version__",
    "face",
    "load",
    "restore_picture",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "face":
        return import_module(".face", __name__)
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
