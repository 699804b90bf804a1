"""Two versions of a clip side by side: a video of all frames, or an image of a few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from ..types import Progress, VFEError
from .info import VideoInfo
from .photo.tags import NO_TAGS, PhotoTags
from .read import Frame, open_source
from .resize import resize
from .suffixes import IMAGE_SUFFIXES
from .write import Sink, SinkConfig, open_sink

DIVIDER = 4  # white pixels between the two; even, so that codecs with halved colour take the sum
MAX_ROWS = 4  # moments of a clip that an image shows


def compare_files(
    a: Path, b: Path, output: Path, *, overwrite: bool = False, on_progress: Progress | None = None
) -> tuple[int, Path | None]:
    """Write `a` (left, resized to the size of `b`) and `b` side by side, until the shorter one ends.

    Return the number of frames written, and which of the two goes on after them. `output` is an image of up to four
    moments or else a video, with the sound and the times of `b`. Raises VFEError for what cannot be read or written.
    """
    frames = 0
    with open_source(a) as left, open_source(b) as right:
        check_apart(output, left.info.images or (a,))
        info = right.info
        size = (info.width, info.height)
        with open_comparison(output, info, size, overwrite=overwrite) as sink:
            befores, afters = iter(left), iter(right)
            while (before := next(befores, None)) is not None and (after := next(afters, None)) is not None:
                sink.write(side_by_side(resize(before.pixels, size), after))
                frames += 1
                if on_progress:
                    on_progress(frames, info.frames)
            if not frames:
                raise VFEError(f"no frame to compare in {a} or {b}")
            longer = a if before is not None else b if next(afters, None) is not None else None
    return frames, longer


def open_comparison(path: Path, info: VideoInfo, size: tuple[int, int], *, overwrite: bool) -> Sink:
    """Return a sink for the `side_by_side` frames of clips of `size` (width, height).

    It is a contact sheet where `path` names an image, else a video. `info` is the clip whose sound and times are kept.
    Raises VFEError where `path` cannot be written.
    """
    width, height = size
    joint = 2 * width + DIVIDER
    # The sink keeps the shape of the source; that of the pair is wider by as much as the pair is.
    pair = replace(info, width=round(info.width * joint / width), has_alpha=False)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        still = replace(pair, kind="image", frames=1, bit_depth=8)
        return ContactSheet(open_sink(path, still, (joint, height), SinkConfig(overwrite=overwrite)))
    return open_sink(path, pair, (joint, height), SinkConfig(overwrite=overwrite))


def side_by_side(before: Tensor, after: Frame) -> Frame:
    """Return a frame with `before` (3, H, W) in [-1, 1] to the left of `after`, which has the same size and gives the
    time.
    """
    divider = after.pixels.new_ones(3, after.pixels.shape[1], DIVIDER)
    return replace(after, pixels=torch.cat((before, divider, after.pixels), dim=2), alpha=None)


def check_apart(output: Path, inputs: tuple[Path, ...]) -> None:
    """Raise VFEError where the side-by-side file is one of the inputs."""
    if any(output.resolve() == path.resolve() for path in inputs):
        raise VFEError(f"{output}: is also an input or the output itself; give the side-by-side file another name")


class ContactSheet:
    """A sink of up to MAX_ROWS evenly spaced frames of a clip of unknown length, one below the other in one image."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.path = sink.path
        self.notes = sink.notes
        self._rows: list[Tensor] = []  # (3, H, W) uint8: floats of four large frames would be felt
        self._tags = NO_TAGS
        self._every = 1
        self._seen = 0

    def __enter__(self) -> ContactSheet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._rows:
            with self.sink as sink:
                sink.write(Frame(torch.cat(self._rows, dim=1).float() / 127.5 - 1, tags=self._tags))

    def write(self, frame: Frame) -> None:
        """Keep the frame if it is due. When there are too many rows, every second one goes and fewer come in."""
        self._tags = PhotoTags(frame.tags.icc, coding=frame.tags.coding)
        if self._seen % self._every == 0:
            self._rows.append(((frame.pixels + 1) * 127.5).round().clamp(0, 255).byte())
        if len(self._rows) > MAX_ROWS:
            self._rows = self._rows[::2]
            self._every *= 2
        self._seen += 1
