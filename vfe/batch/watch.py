"""Clips that appear in a folder while it is watched. One is taken when it has stopped growing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .clips import Clip, Found, find_clips
from .stamp import Stamp, stamp_of

LOOK_SECONDS = 1.0
"""The seconds between two looks into the folder."""
SETTLED_SECONDS = 5.0
"""The seconds for which a file must stay as it is: what is being copied or recorded changes more often. Our own choice.
The clock is this machine's: that of a network drive may differ."""


class Watch:
    """What is in a folder or a glob, and what comes later. A file that changes comes again."""

    have_ended = False
    pause = LOOK_SECONDS

    def __init__(
        self, source: Path, output: Path, clock: Callable[[], float] = time.monotonic, *, pictures: bool = False
    ) -> None:
        """With `pictures`, no image is a frame."""
        self._source, self._output, self._clock, self._pictures = source, output, clock, pictures
        self._looked: float | None = None
        self._since: dict[Path, tuple[Stamp, float]] = {}
        self._taken: dict[Path, Stamp] = {}

    def next(self) -> Found | None:
        """Return the clips that have stayed as they are for long enough, unless the last look was just now."""
        now = self._clock()
        if self._looked is not None and now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        found = find_clips(self._source, self._output, watch=True, pictures=self._pictures)
        if found is None:  # the folder is gone for now, as a drive that was taken out
            return None
        return found._replace(clips=tuple(clip for clip in found.clips if self._is_settled(clip, now)))

    def _is_settled(self, clip: Clip, now: float) -> bool:
        """Return whether a clip can be taken, and was not in this state before."""
        try:
            stamp = stamp_of(clip.path)
        except OSError:
            return False
        if stamp is None or self._taken.get(clip.path) == stamp:
            return False
        was, since = self._since.get(clip.path, (None, now))
        if stamp != was:
            self._since[clip.path] = stamp, now
            return False
        if now - since < SETTLED_SECONDS:
            return False
        self._taken[clip.path] = stamp
        return True
