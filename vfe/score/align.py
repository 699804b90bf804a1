"""Frames of several clips in step: the same size, the same number of frames, upright.

Sources turn frames upright and cut them as they are shown before they come here, so that rotation and cropping that
files only note do not matter. Frames are compared by their number, not by their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ..types import VFEError
from ..video.info import VideoInfo
from ..video.read import Source, open_source
from ..video.resize import resize
from .pairs import Pair
from .picture import Picture

FIXED_RATE = 0.01
"""The part by which mean frame rates may differ without a word."""


class Together(NamedTuple):
    """The frames of one moment."""

    result: Picture
    reference: Picture | None
    source: Picture | None


class AlignedClips:
    """The clips of a pair, opened; a context manager. Raises VFEError where they do not fit."""

    def __init__(self, pair: Pair, frames: int | None) -> None:
        self.pair, self.most = pair, frames
        self.notes: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> AlignedClips:
        with ExitStack() as stack:
            paths = (self.pair.result, self.pair.reference, self.pair.source)
            self._sources = [None if path is None else stack.enter_context(open_source(path)) for path in paths]
            self._check()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def info(self) -> VideoInfo:
        """What the result says of itself."""
        assert self._sources[0] is not None
        return self._sources[0].info

    def _check(self) -> None:
        """Compare sizes and rates; counts of frames are claims until all are read."""
        result, reference, source = (None if s is None else s.info for s in self._sources)
        assert result is not None
        if reference is not None and (result.width, result.height) != (reference.width, reference.height):
            raise VFEError(
                f"{result.path}: is {result.width}x{result.height}, but the reference is "
                f"{reference.width}x{reference.height}; needed is one size, and scaling is yours to choose: "
                f"vfe enhance --size {reference.width}x{reference.height}"
            )
        for other, option in ((reference, "reference"), (source, "input")):
            if other is not None and "video" == result.kind == other.kind:
                self._compare_rates(result, other, option)

    def _compare_rates(self, result: VideoInfo, other: VideoInfo, option: str) -> None:
        if abs(float(result.rate / other.rate) - 1) > FIXED_RATE:
            self.notes.append(
                f"{self.pair.name}: the result has {float(result.rate):.4g} frames a second, the {option} "
                f"{float(other.rate):.4g}; frames are compared by number"
            )

    def __iter__(self) -> Iterator[Together]:
        """Yield the moments. Raises VFEError, at the end, where one clip has more frames than the result."""
        size = (self.info.width, self.info.height)
        readers = [None if source is None else iter(source) for source in self._sources]
        number = 0
        while self.most is None or number < self.most:
            frames = [None if reader is None else next(reader, None) for reader in readers]
            ended = [source for source, frame in zip(self._sources, frames, strict=True) if source and frame is None]
            if ended:
                self._check_ends(number, ended)
                return
            result, reference, source = (
                None if frame is None else Picture.of(resize(frame.pixels, size)) for frame in frames
            )
            assert result is not None
            yield Together(result, reference, source)
            number += 1

    def _check_ends(self, number: int, ended: list[Source]) -> None:
        going_on = [source for source in self._sources if source is not None and source not in ended]
        if going_on:
            short, long = ended[0].info.path, going_on[0].info.path
            raise VFEError(
                f"{short}: has {number} frames, and {long} has more; needed is the same number: "
                f"compare what both have with --frames {max(number, 1)}, or restore the whole clip"
            )
        if not number:
            raise VFEError(f"{self.pair.result}: has no frame; needed is one at least")


def label_file(folder: Path | None, name: str) -> Path | None:
    """Return the label file of a clip. Raises VFEError where the folder has none."""
    if folder is None:
        return None
    path = folder / f"{Path(name).name}.npz"
    if not path.is_file():
        raise VFEError(f"{path}: there is no such file; --labels needs one for each clip")
    return path
