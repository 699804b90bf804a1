"""One restoration of the timeline that is open in Resolve, from the export to the import."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .choices import Choices
from .conform import Conform
from .cut import placements_of
from .failure import Failure
from .tracks import Tracks


class Run:
    """One restoration of the timeline that is open."""

    def __init__(self, resolve: Any, choices: Choices) -> None:
        """Export the timeline and start. Raises Failure where something is missing."""
        self.choices = choices
        self.project = resolve.GetProjectManager().GetCurrentProject()
        self.timeline: Any = self.project.GetCurrentTimeline() if self.project else None
        if not self.timeline:
            raise Failure("no timeline is open; open one first")
        form = getattr(resolve, "EXPORT_OTIO", None)
        if form is None:
            raise Failure("this Resolve exports no OpenTimelineIO; needed is version 18.5 or newer")
        name = "".join(sign if sign.isalnum() or sign in " -_" else "_" for sign in self.timeline.GetName())
        folder = Path(choices.folder).expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
        cut, self.output = folder / f"{name}.otio", folder / f"{name}.restored.otio"
        if not self.timeline.Export(str(cut), form, resolve.EXPORT_NONE) or not cut.exists():
            raise Failure(f"Resolve does not export the timeline to {cut}")
        self.conform = Conform(choices, cut, self.output)

    def bring_in(self) -> str:
        """Import what was restored; return what to tell the user. Raises Failure where Resolve refuses."""
        if self.choices.as_timeline:
            options = {"timelineName": f"{self.timeline.GetName()} restored", "importSourceClips": True}
            made = self.project.GetMediaPool().ImportTimelineFromFile(str(self.output), options)
            if not made:
                raise Failure(f"Resolve does not import {self.output}; is there a timeline of the same name?")
            return f"the timeline {made.GetName()} is there"
        if self.project.GetCurrentTimeline().GetUniqueId() != self.timeline.GetUniqueId():
            self.project.SetCurrentTimeline(self.timeline)
        placements, others = placements_of(self.output)
        count, left = Tracks(self.project, self.timeline).place(placements)
        told = f"{count} clip{'' if count == 1 else 's'} restored on new tracks"
        if missing := sorted({*others, *left}):
            told += f"; not {', '.join(missing)}, which only a timeline of its own can show"
        return told


def run_in_console(resolve: Any, choices: Choices, say: Callable[[str], None], pause: float = 0.5) -> None:
    """Run without a dialog; Ctrl-C, where there is one, cancels."""
    try:
        run = Run(resolve, choices)
        try:
            while not run.conform.is_done():
                for line in run.conform.lines():
                    say(line)
                time.sleep(pause)
            for line in run.conform.lines():  # what it said last
                say(line)
        except KeyboardInterrupt:
            run.conform.cancel()
            raise Failure("cancelled; what is restored so far is kept") from None
        say(run.bring_in())
    except Failure as failure:
        say(f"VFE: {failure}")
