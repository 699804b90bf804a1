"""How far a run is, in words: its phase, what of it is done, and about how long it takes yet."""

from __future__ import annotations

import sys
from collections.abc import Sequence

MINUTE, HOUR = 60, 3600


class Pace:
    """How fast a phase goes.

    Frames come out in bursts, a window of them at once, so that right after the first of a burst the pace seems far
    slower than it is. Where the same number was reported twice, the next window has begun: the pace is taken then.
    """

    def __init__(self, now: float) -> None:
        """`now` is the time in seconds at which the phase begins, of any clock."""
        self.began = self._changed = now
        self._done = -1
        self._is_even = True
        self._taken = (0, now)

    def report(self, done: int, now: float) -> None:
        """Note how much was done by now, in the steps of the phase."""
        if done == self._done:
            self._is_even, self._taken = False, (done, self._changed)
        elif self._is_even:
            self._taken = (done, now)
        if done != self._done:
            self._done, self._changed = done, now

    def seconds_left(self, total: int, now: float) -> float | None:
        """Return the seconds until `total` steps are done; None while nothing is known of the pace."""
        done, when = self._taken
        if not 0 < done < total or when <= self.began:
            return None
        return max(0.0, (total - done) * (when - self.began) / done - (now - when))


class Phases:
    """The phases of one run, in order, and the words for where it is."""

    def __init__(self, names: Sequence[str], unit: str, now: float) -> None:
        """`names` are such as "Finding faces"; `unit` is what is counted, such as "frames"."""
        self.names, self.unit = names, unit
        self.index = 0
        self.pace = Pace(now)

    def begin_next(self, now: float) -> None:
        """Go on to the next phase; the last one stays."""
        self.index = min(self.index + 1, len(self.names) - 1)
        self.pace = Pace(now)

    def text(self, done: int, total: int | None, now: float) -> str:
        """Return a line such as "Restoring: 40 of 300 frames, about 2 min left"; `total` is None where unknown."""
        words = self.names[self.index]
        if total is None:
            return f"{words}: {done} {self.unit}" if done else words
        if total > 1:
            words += f": {min(done, total)} of {total} {self.unit}"
        left = self.pace.seconds_left(total, now)
        if left is None:
            return words
        rest = self.names[self.index + 1 :]
        return f"{words}, about {length_text(left)} " + (f"until {rest[0].lower()}" if rest else "left")


def length_text(seconds: float) -> str:
    """Return about how long that is, for people.

    >>> [length_text(seconds) for seconds in (0.2, 59.7, 150, 4000)]
    ['1 s', '60 s', '3 min', '1 h 7 min']
    """
    if seconds < MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < HOUR:
        return f"{-(-seconds // MINUTE):.0f} min"
    return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"


def show_text(text: str) -> None:
    """Show a line on the node that runs; nothing where there is no page that asked for the run."""
    server = sys.modules.get("server")  # by name: programs that load nodes by themselves have none
    running = getattr(getattr(server, "PromptServer", None), "instance", None)
    if running is not None and running.client_id is not None and running.last_node_id is not None:
        running.send_progress_text(text, running.last_node_id, running.client_id)
