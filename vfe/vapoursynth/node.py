"""The clip of restored frames. VapourSynth asks for frames in any order, by several threads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import vapoursynth as vs
from torch import Tensor

from ..options import DTypeName, Region, RestoreOptions
from ..restore.picture import InMemory
from ..restore.random_access import ReadableClip, RestoredFrames
from ..restore.restorer import Restorer, load
from ..types import VFEError
from .colours import KEEPS, as_rgb, like
from .planes import changed, fill, planes_of, tensor_of, whole

if TYPE_CHECKING:
    from typing_extensions import Unpack

CACHE = 1024
"""MiB of restored frames that are kept unless told otherwise: our own choice, 43 frames of 1920x1080."""
SAID_EVERY = 5.0
"""Seconds between two lines on the search for faces."""


class Restoring(TypedDict, total=False):
    """The options of `RestoreOptions` that are not of files."""

    strength: float
    size: tuple[int, int] | None
    scale: float | None
    region: Region
    faces: str
    min_face: int
    blend: float
    tracks: Path | str | None
    fidelity: float


def restore(
    clip: vs.VideoNode,
    model: str | Path | Restorer = "lite",
    *,
    device: str = "auto",
    dtype: DTypeName = "auto",
    cache: int = CACHE,
    **options: Unpack[Restoring],
) -> vs.VideoNode:
    """Return a clip of restored frames, in the format of `clip`, which is of any constant format and size.

    `model`, `device` and `dtype` are those of `vfe.load`; a restorer that was loaded may serve several clips. `cache`
    bounds the MiB of restored frames that are kept. `options` are those of `vfe.RestoreOptions`. Raises vs.Error for a
    clip, a model or an option that is wrong; errors of frames come with the frames.
    """
    _check_clip(clip)
    try:
        chosen = _options_of(dict(options))
        if cache < 0:
            raise VFEError(f"cache is {cache} MiB, needed is 0 or more")
        restorer = model if isinstance(model, Restorer) else load(model, device, dtype, notify=_say)
        rgb = as_rgb(clip)
        frames = RestoredFrames(restorer, _readable(rgb), chosen, cache << 20, _Search())
    except ValueError as error:
        raise vs.Error(f"vfe: {error}") from error
    return like(_restored(rgb, frames), clip, rgb)


def _check_clip(clip: object) -> None:
    if not isinstance(clip, vs.VideoNode):
        raise vs.Error(f"vfe: got {type(clip).__name__}, needed is a clip of video")
    if not clip.width or clip.format is None or clip.format.color_family == vs.UNDEFINED:
        raise vs.Error(
            "vfe: the format or the size of the clip changes from frame to frame, needed is a constant one; convert it "
            "before, as by resize.Bicubic(width=..., height=..., format=...)"
        )


def _options_of(given: dict[str, object]) -> RestoreOptions:
    """Raises VFEError for an option that is none, and ValueError for a wrong value."""
    known = Restoring.__annotations__
    if unknown := sorted(given.keys() - known.keys()):
        raise VFEError(f"there is no option {unknown[0]}, needed is one of {', '.join(known)}")
    if isinstance(given.get("tracks"), str):
        given["tracks"] = Path(str(given["tracks"]))
    return RestoreOptions(**given)  # type: ignore[arg-type]


def _readable(rgb: vs.VideoNode) -> ReadableClip:
    def read(number: int) -> Tensor:
        with rgb.get_frame(number) as frame:
            return tensor_of(planes_of(frame))

    return ReadableClip(InMemory(rgb.width, rgb.height, "the clip", rgb.num_frames), read)


def _restored(rgb: vs.VideoNode, frames: RestoredFrames) -> vs.VideoNode:
    """Return the restored frames as RGBS.

    VapourSynth calls the function for one frame at a time. It may ask for frames within: their thread is replaced while
    it waits.
    """
    width, height = frames.size
    base = rgb.std.BlankClip(width=width, height=height, keep=True)

    def paint(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        canvas, given = f
        pixels, painted = frames.frame(n), canvas.copy()
        keeps = frames.keeps_pixels and frames.size == (rgb.width, rgb.height)
        fill(painted, changed(planes_of(given), pixels) if keeps else whole(pixels))
        painted.props[KEEPS] = int(keeps)
        return painted

    painted = base.std.ModifyFrame([base, rgb], paint)
    return painted.std.CopyFrameProps(rgb.std.CopyFrameProps(painted, props=[KEEPS]))


class _Search:
    """Says now and then how far the search for faces is."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._said >= SAID_EVERY:
            self._said = time.monotonic()
            _say(f"looked for faces in {done} of {total} frames")


def _say(line: str) -> None:
    vs.core.log_message(vs.MESSAGE_TYPE_INFORMATION, f"vfe: {line}")
