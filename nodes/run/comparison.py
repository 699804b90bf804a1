"""What Compare Videos shows, kept as a file: both sides in one picture, with their names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor
from torch.nn.functional import pad

from ...vfe.types import VFEError
from ...vfe.video.frame import Frame
from ...vfe.video.info import VideoInfo
from ...vfe.video.joined import in_step, joined, joined_size
from ...vfe.video.layouts import Layout
from ...vfe.video.read import open_source
from ...vfe.video.resize import resize
from ...vfe.video.write import open_sink
from ..host.browser_video import images_info
from ..host.images import to_frames
from ..host.labels import Label, label
from ..host.reporter import MANY, Reporter
from ..remedies import in_node_terms

WHITES = {16: 0.16, 18: 0.5}
"""The value, in [-1, 1], of the white of a page (203 nits) in videos of HDR, by their transfer: PQ and HLG."""

ANY_SIZE = (640, 360)
"""The (width, height) for which names are tried out, before those of the videos are known."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sides, each a file or an IMAGE (T, H, W, C), and how they are shown in one.

    Raises VFEError for names that cannot be written.
    """

    before: Path | Tensor
    after: Path | Tensor
    rate: Fraction
    """The frames a second of an IMAGE."""
    layout: Layout
    names: tuple[str, str]
    """What is written on each side; empty for nothing."""

    def __post_init__(self) -> None:
        for name in self.names:
            label(name, ANY_SIZE)

    @in_node_terms()
    def write(self, folder: Path) -> Path:
        """Write the comparison into a new file in `folder`, with the sound and the times of `after`.

        One frame of each side is in memory at a time. Raises ValueError for what cannot be read or written.
        """
        path = folder / f"vfe_comparison_{secrets.token_hex(8)}.mp4"
        reporter = Reporter(MANY)
        reporter.begin(("Writing the comparison",))
        count = 0
        with ExitStack() as stack:
            left, befores = self._opened(self.before, stack)
            right, afters = self._opened(self.after, stack)
            size = joined_size(self.layout, (right.width, right.height))
            even = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # as 4:2:0 stores even sizes only
            info = replace(right, width=even[0], height=even[1], has_alpha=False)
            draw = _Pair(self, (right.width, right.height), WHITES.get(right.color_transfer, 1.0))
            sink = stack.enter_context(open_sink(path, info, even))
            for before, after in in_step(befores, afters, left.rate):
                pixels = draw.joined(before.pixels, after.pixels, _seconds(after, count, right.rate))
                pixels = pad(pixels[None], (0, even[0] - size[0], 0, even[1] - size[1]), mode="replicate")[0]
                sink.write(replace(after, pixels=pixels, alpha=None, stored=None))
                count += 1
                reporter.report(count, right.frames)
            if not count:
                raise VFEError("there is no frame to compare; connect videos with at least one frame each")
        reporter.say("Done")
        return path

    def _opened(self, side: Path | Tensor, stack: ExitStack) -> tuple[VideoInfo, Iterator[Frame]]:
        """Return what a side is like, and its frames."""
        if isinstance(side, Path):
            source = stack.enter_context(open_source(side))
            return source.info, iter(source)
        return images_info(side, self.rate), map(Frame, to_frames(side))


class _Pair:
    """Draws the frames of both sides into one."""

    def __init__(self, how: Comparison, size: tuple[int, int], white: float) -> None:
        self.layout, self.size, self.white = how.layout, size, white
        self.names: tuple[Label | None, Label | None] = (label(how.names[0], size), label(how.names[1], size))

    def joined(self, before: Tensor, after: Tensor, seconds: float) -> Tensor:
        """Return one picture of two frames (3, H, W); `before` may be of another size."""
        left, right = self.names
        before = resize(before, self.size)
        if left is not None:  # a wipe hides each name with its side
            before = left.drawn(before, white=self.white)
        if right is not None:
            after = right.drawn(after, on_the_right=self.layout == "wipe", white=self.white)
        return joined(self.layout, before, after, seconds, self.white)


def _seconds(frame: Frame, number: int, rate: Fraction) -> float:
    """Return when a frame is shown."""
    if frame.pts is None or frame.time_base is None:
        return float(number / rate)
    return float(frame.pts * frame.time_base)
