"""What a user sees while a node runs: the bar, the line of text and the picture; and how Cancel ends it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import comfy.model_management
import comfy.utils
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from .phases import Phases, show_text

PREVIEW_SIDE = 512
"""The longest side in pixels of the pictures that a node shows while it runs."""
TEXT_SECONDS = 0.5
"""The least seconds between two lines of text of one phase."""
MANY = 1_000_000
"""The number of frames that stands for that of a clip, which is not known before it is read: above any window."""


class Reporter:
    """Tells the user how far a run is and how it looks; its `check` ends one that the user interrupted.

    The bar goes once from left to right, through all phases: each has an equal share of it.
    """

    def __init__(self, total: int) -> None:
        """`total` is the number of steps, or of those of each phase; MANY where it is not known yet."""
        self.total = max(total, 1)
        self.done = 0
        self.phases: Phases | None = None
        self._bar = comfy.utils.ProgressBar(self.total)
        self._told = ""
        self._told_at = 0.0

    def check(self) -> None:
        """Raise ComfyUI's exception when the user has pressed Cancel."""
        comfy.model_management.throw_exception_if_processing_interrupted()

    def report(self, done: int, total: int | None = None) -> None:
        """Show how many steps of the phase are done, as a `vfe.types.Progress`; raises what `check` does."""
        self.check()
        self.total = total or self.total
        self._note(done)
        self._show()

    def go_on(self) -> None:
        """Show that as much is done as before; raises what `check` does."""
        self.report(self.done)

    def begin(self, phases: Sequence[str], unit: str = "frames") -> None:
        """Begin the first of some phases, such as "Finding faces", and say from now on where the run is."""
        self.phases = Phases(phases, unit, time.monotonic())
        self.done, self._told_at = 0, 0.0
        self._show()

    def begin_next(self) -> None:
        """Go on to the next phase, of as many steps."""
        assert self.phases is not None
        self.phases.begin_next(time.monotonic())
        self.done, self._told_at = 0, 0.0
        self._show()

    def say(self, text: str) -> None:
        """Show a line of text, until there is something else to say."""
        self._told, self._told_at = text, 0.0
        show_text(text)

    def compare(self, done: int, before: Tensor, after: Tensor) -> None:
        """Show a picture too: the left half of a frame (3, H, W) as it came, the right half restored."""
        self._note(done)
        self._show(_side_by_side(before, after))

    def picture(self, frame: Tensor) -> None:
        """Show a frame (3, H, W) in [-1, 1]."""
        self._show(_picture(frame.cpu().float()))

    def _note(self, done: int) -> None:
        self.done = done
        if self.phases is not None:
            self.phases.pace.report(done, time.monotonic())

    def _show(self, picture: Image.Image | None = None) -> None:
        self._bar.update_absolute(*self._on_bar(), None if picture is None else ("JPEG", picture, PREVIEW_SIDE))
        if self.phases is not None:
            self._tell(self.phases)

    def _on_bar(self) -> tuple[int, int]:
        """Return where the bar is, and its length, in steps; each phase has an equal part of it."""
        phases = self.phases
        before, all_phases = (0, 1) if phases is None else (phases.index, len(phases.names))
        if self.total == MANY:
            return self.done, MANY
        return (before * self.total + min(self.done, self.total)) // all_phases, self.total

    def _tell(self, phases: Phases) -> None:
        """Show the line of the phase, where it is another one, now and then."""
        now = time.monotonic()
        if now - self._told_at < TEXT_SECONDS:
            return
        text = phases.text(self.done, None if self.total == MANY else self.total, now)
        if text != self._told:
            self._told, self._told_at = text, now
            show_text(text)


def _side_by_side(before: Tensor, after: Tensor) -> Image.Image:
    """Return one picture of two frames of a size, divided by a white line."""
    middle = before.shape[-1] // 2
    frame = torch.cat([before[..., :middle].cpu().float(), after[..., middle:].cpu().float()], dim=-1)
    frame[..., max(middle - 1, 0) : middle + 1] = 1.0
    return _picture(frame)


def _picture(frame: Tensor) -> Image.Image:
    pixels = rearrange((frame / 2 + 0.5).clamp(0, 1) * 255, "c h w -> h w c").round().to(torch.uint8)
    return Image.fromarray(pixels.numpy())
