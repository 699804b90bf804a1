"""A VIDEO restored into a new file."""

from __future__ import annotations

import secrets
from pathlib import Path

import folder_paths
from comfy_api.latest import Input

from ...vfe.library.download import file_hash
from ...vfe.options import RestoreOptions
from ...vfe.pipeline.windows import WindowConfig
from ...vfe.restore.picture import restore_picture
from ...vfe.restore.restorer import Restorer, RestoreReport
from ...vfe.types import VFEError, VideoShape
from ...vfe.video.read import open_source
from ...vfe.video.resize import resize
from ..backend.restorer import ComfyRestorer
from ..host.phases import length_text
from ..host.reporter import MANY, Reporter
from ..host.video_file import video_file
from .shown import of_one_clip, shown_restorer

FINDING, RESTORING = "Finding faces", "Restoring"
WORTH_A_PREVIEW = 25
"""The frames from which on the first one is restored alone to be shown: shorter clips are done about as soon."""


def enhance_video(
    restorer: ComfyRestorer, video: Input.Video, options: RestoreOptions, window: WindowConfig | None
) -> RestoreReport:
    """Restore a VIDEO into a new file in ComfyUI's temp folder; VFEError for what cannot be read or restored."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    source = video_file(video, folder)
    width, height = options.output_size(*video.get_dimensions())
    reporter = Reporter(MANY)
    reporter.say(f"Loading {restorer.name}")
    shown = shown_restorer(restorer, VideoShape(MANY, height, width), window, reporter)
    show_first_frame(shown, source, options, reporter)
    shown = of_one_clip(shown, file_hash(source, lambda _done, _total: reporter.check()))
    passes = FilePasses(reporter, finds_faces=shown.finds_faces(options))
    report = shown.restore_file(source, folder / f"vfe_{secrets.token_hex(8)}.mp4", options, passes.report)
    reporter.say(f"{report.frames} frames in {length_text(report.seconds)}")
    return report


def show_first_frame(shown: Restorer, path: Path, options: RestoreOptions, reporter: Reporter) -> None:
    """Restore the first frame alone and show it: faces may be looked for in all frames before others are restored.

    Nothing is said of what is wrong with it, for the run itself will.
    """
    try:
        with open_source(path) as source:
            first = next(iter(source), None)
            if first is None or (source.info.frames or MANY) < WORTH_A_PREVIEW:
                return
            reporter.say("Restoring the first frame, to show it")
            restored = restore_picture(shown, first.pixels, options, lambda _done, _total: reporter.check()).pixels
            reporter.compare(0, resize(first.pixels, options.output_size(*first.pixels.shape[:0:-1])), restored)
    except VFEError:
        return


class FilePasses:
    """The progress of `Restorer.restore_file` as phases: where it finds faces first, it starts anew to restore."""

    def __init__(self, reporter: Reporter, *, finds_faces: bool, name: str = "") -> None:
        """`name` is that of the file, to be said with each phase where there are many."""
        self.reporter = reporter
        self.is_finding = finds_faces
        self._last = -1
        self._found: int | None = None
        phases = (FINDING, RESTORING) if finds_faces else (RESTORING,)
        reporter.begin([f"{name}: {phase.lower()}" if name else phase for phase in phases])

    def report(self, done: int, total: int | None) -> None:
        """Show how many frames are done, of a total where it is known, as a `vfe.types.Progress`."""
        if self.is_finding and done <= self._last:
            self.is_finding, self._found = False, self._last + 1
            self.reporter.report(self._found, total or self._found)
            self.reporter.begin_next()
        self._last = done
        total = total or self._found
        if not self.is_finding and total and done >= total:
            self.reporter.report(done, total)
            self.reporter.say("Writing the file")
            return
        self.reporter.report(done, total)


def describe(report: RestoreReport, *notes: str) -> str:
    """Return what was done for a person, a fact a line; `notes` that are empty are left out."""
    done = f"{report.frames} frames in {report.seconds:.1f} s, {report.fps:.2f} a second"
    return "\n".join(filter(None, (done, *notes, *report.notes)))
