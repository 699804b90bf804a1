"""The dialog, made of the widgets that Fusion offers to scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .choices import REGIONS, Choices
from .failure import Failure
from .run import Run

WINDOW = "vfe.restore"
INTERVAL = 300
"""Milliseconds between two looks at the process."""
TITLES = {"face": "Faces, nothing else", "auto": "Faces, or whole frames they fill", "frame": "Whole frames"}


class Dialog:
    """Choices, progress, Cancel, and what went wrong."""

    def __init__(self, resolve: Any, ui: Any, dispatcher: Any, choices: Choices) -> None:
        """`ui` is Fusion's UIManager, `dispatcher` what runs its windows."""
        self.resolve, self.choices, self.dispatcher = resolve, choices, dispatcher
        self.run: Run | None = None
        self.window = dispatcher.AddWindow(
            {"ID": WINDOW, "WindowTitle": "Restore faces (VFE, experimental)", "Geometry": [200, 200, 560, 300]},
            [ui.VGroup(self._rows(ui))],
        )
        self.items = self.window.GetItems()
        for region in REGIONS:
            self.items["Region"].AddItem(TITLES[region])
        self.items["Region"].CurrentIndex = REGIONS.index(choices.region) if choices.region in REGIONS else 0
        self.timer = ui.Timer({"ID": "Look", "Interval": INTERVAL, "SingleShot": False})
        dispatcher.On.Timeout = self._guarded(self._look)
        self.window.On.Start.Clicked = self._guarded(self._start)
        self.window.On.Cancel.Clicked = self._guarded(self._cancel)
        self.window.On[WINDOW].Close = self._guarded(self._close)

    def _rows(self, ui: Any) -> list[Any]:
        def row(title: str, widget: Any) -> Any:
            return ui.HGroup({"Weight": 0}, [ui.Label({"Text": title, "Weight": 0.3}), widget])

        choices = self.choices
        return [
            row("Restore", ui.ComboBox({"ID": "Region"})),
            row("Only clips named", ui.LineEdit({"ID": "Only", "Text": choices.only_clips, "PlaceholderText": "A0*"})),
            row("Faces from, pixels", ui.SpinBox({"ID": "Least", "Maximum": 4096, "Value": choices.min_face})),
            row("Results go to", ui.LineEdit({"ID": "Folder", "Text": choices.folder})),
            row("Program vfe", ui.LineEdit({"ID": "Program", "Text": choices.program})),
            ui.CheckBox({"ID": "Apart", "Text": "As a timeline of its own", "Checked": choices.as_timeline}),
            ui.Label({"ID": "Status", "Text": "", "WordWrap": True}),
            ui.HGroup({"Weight": 0}, [ui.Button({"ID": "Start", "Text": "Restore"}),
                                      ui.Button({"ID": "Cancel", "Text": "Cancel", "Enabled": False})]),
        ]  # fmt: skip

    def show(self) -> None:
        """Show it until it is closed."""
        self.window.Show()
        self.dispatcher.RunLoop()
        self.timer.Stop()
        self.window.Hide()

    def _guarded(self, act: Callable[[], None]) -> Callable[[Any], None]:
        """Return what Fusion calls on an event; what went wrong is shown, and a run has ended then."""

        def called(_event: Any = None) -> None:
            try:
                act()
            except Failure as failure:
                self._end(f"VFE: {failure}")

        return called

    def _start(self) -> None:
        items = self.items
        self.choices = Choices(
            program=str(items["Program"].Text).strip() or "vfe",
            folder=str(items["Folder"].Text).strip() or Choices.folder,
            region=REGIONS[int(items["Region"].CurrentIndex)],
            only_clips=str(items["Only"].Text).strip(),
            min_face=int(items["Least"].Value),
            as_timeline=bool(items["Apart"].Checked),
        )
        self.choices.write()
        self.run = Run(self.resolve, self.choices)
        self._say("starting")
        items["Start"].Enabled, items["Cancel"].Enabled = False, True
        self.timer.Start()

    def _look(self) -> None:
        if self.run is None:
            return
        for line in self.run.conform.lines():
            self._say(line)
        if self.run.conform.is_done():
            run, self.run = self.run, None  # whatever comes of it, it is imported once
            self._end(run.bring_in())

    def _cancel(self) -> None:
        if self.run is not None:
            self.run.conform.cancel()
            raise Failure("cancelled; what is restored so far is kept, and not restored again the next time")

    def _close(self) -> None:
        if self.run is not None:
            self.run.conform.cancel()
        self.dispatcher.ExitLoop()

    def _end(self, line: str) -> None:
        self.run = None
        self.timer.Stop()
        self.items["Start"].Enabled, self.items["Cancel"].Enabled = True, False
        self._say(line)

    def _say(self, line: str) -> None:
        self.items["Status"].Text = line
