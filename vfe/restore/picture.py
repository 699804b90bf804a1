"""A picture in memory through a restorer, as `Restorer.restore_file` takes the file of one: faces and all."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..options import RestoreOptions
from ..types import Progress, no_progress
from ..video.frame import Frame
from .passage import Passage
from .restorer import Restorer
from .work import decide_work


@dataclass(frozen=True)
class InMemory:
    """What is known of a picture that comes from no file: what it is called in messages, and its size in pixels."""

    width: int
    height: int
    path: str = "the picture"
    frames: int = 1


@dataclass(frozen=True)
class RestoredPicture:
    """The restored pixels (3, H, W) in [-1, 1], and sentences on the faces in them."""

    pixels: Tensor
    notes: tuple[str, ...]


def restore_picture(
    restorer: Restorer, pixels: Tensor, options: RestoreOptions | None = None, on_progress: Progress | None = None
) -> RestoredPicture:
    """Restore one picture (3, H, W) float32 in [-1, 1], at the size that the options say.

    What the options say of files counts for nothing. `on_progress` is called between the stages of the work; what it
    raises stops it. Raises VFEError for faces that are not there, and for pictures that are too small to find any in
    where nothing else is to be restored.
    """
    options = options or RestoreOptions()
    height, width = pixels.shape[1:]
    size = options.output_size(width, height)
    frame = Frame(pixels)
    plan = restorer.plan(InMemory(width, height), [frame], options)
    work = decide_work(restorer.pipeline, restorer.face_part, plan, options, size)
    (_, restored) = next(Passage(work, size).of([frame], on_progress or no_progress))
    return RestoredPicture(restored, work.notes)
