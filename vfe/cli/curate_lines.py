"""What `vfe curate` says: a line for each source and clip, and a table at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..curation.manifest import Outcome
from ..curation.run import Event, Found, NotDone, Same, Scored, Under
from .progress import LOG_SECONDS, REDRAW_SECONDS, RewrittenLine, progress_text
from .text import one_line_name, say


class CurateLines:
    """Writes what happens."""

    def __init__(self, out: TextIO, err: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """`out` gets the lines and the table, `err` the progress."""
        self._out, self._err, self._clock = out, err, clock
        self._line = RewrittenLine(err)
        self._began: dict[str, float] = {}
        self._shown = clock()
        self.not_done = 0
        self.to_do = self.done = 0

    def tell(self, event: Event) -> None:
        """Write what happened."""
        name = one_line_name(Path(event.source.name))
        if isinstance(event, Under):
            self._show(name, event)
        elif isinstance(event, Found):
            self.to_do += event.to_do
            self._say(f"{name}: {_found(event)}")
            for note in event.looked.notes:
                self.note(note)
        elif isinstance(event, Scored):
            self.done += 1
            first, stop = event.line.frames
            self._say(f"[{self.done}/{self.to_do}] {name} {first}-{stop - 1}: {event.line.total:.1f}")
        elif isinstance(event, Same):
            self._say(f"{name}: passed over, it is the same as {event.other}")
        else:
            self.not_done += 1
            self._say(f"{name}{_place(event)}: failed: {event.reason}")

    def unread(self, name: str, reason: str) -> None:
        """Write what cannot be read before anything is done."""
        self.not_done += 1
        self._say(f"{name}: failed: {reason}")

    def note(self, text: str) -> None:
        """Write something that a person should know."""
        self._say(f"  note: {text}")

    def table(self, outcome: Outcome, keep_above: float) -> None:
        """Write how many clips came to which end, and why stretches were left out."""
        self._line.clear()
        rows = [(f"kept (above {keep_above:g})", len(outcome.kept)), ("dropped", len(outcome.dropped))]
        rows += [("left out", len(outcome.left_out))]
        rows += [(f"  {reason}", count) for reason, count in _reasons(outcome)]
        rows += [("not scored", outcome.unscored)] * bool(outcome.unscored)
        rows += [("gone (run it again)", outcome.gone)] * bool(outcome.gone)
        rows += [("failed", self.not_done)] * bool(self.not_done)
        width, digits = max(len(name) for name, _ in rows), max(len(str(count)) for _, count in rows)
        for name, count in rows:
            say(f"{name:{width}}  {count:{digits}}", self._out)

    def clear(self) -> None:
        """Take the progress off the terminal."""
        self._line.clear()

    def _show(self, name: str, event: Under) -> None:
        now = self._clock()
        began = self._began.setdefault(name, now)
        rewrites = self._line.is_on_terminal
        if now - self._shown < (REDRAW_SECONDS if rewrites else LOG_SECONDS):
            return
        self._shown = now
        text = f"{name}: looked through {progress_text(*event.progress, now - began)}"
        if rewrites:
            self._line.rewrite(text)
        else:
            say(text, self._err)

    def _say(self, text: str) -> None:
        self._line.clear()
        say(" ".join(text.split("\n")), self._out)


def _found(event: Found) -> str:
    """Return such as `97 frames, 1 clip, 1 left out (too small)`."""
    looked = event.looked
    clips, frames = len(looked.candidates), looked.frames
    text = f"{frames} frame{'s' * (frames != 1)}, {clips} clip{'s' * (clips != 1)}"
    text += f" ({clips - event.to_do} done before)" if event.to_do < clips else ""
    if looked.left_out:
        reasons = "; ".join(dict.fromkeys(stretch.reason for stretch in looked.left_out))
        text += f", {len(looked.left_out)} left out ({reasons})"
    return text + ("" if clips or looked.left_out else ", no face stays for long enough")


def _place(event: NotDone) -> str:
    return "" if event.frames is None else f" {event.frames[0]}-{event.frames[1] - 1}"


def _reasons(outcome: Outcome) -> list[tuple[str, int]]:
    """Return the kinds of reasons, which are what stands before a colon, the most frequent first."""
    return Counter(stretch.reason.partition(":")[0] for _, stretch in outcome.left_out).most_common()
