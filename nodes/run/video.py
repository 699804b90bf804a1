"""A VIDEO restored into a new file."""

from __future__ import annotations

import secrets
from pathlib import Path

import folder_paths
from comfy_api.latest import Input

from ...vfe.options import RestoreOptions
from ...vfe.pipeline.windows import WindowConfig
from ...vfe.restore.restorer import RestoreReport
from ...vfe.types import VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.images import Reporter
from ..host.video_file import video_file
from .shown import MANY, shown_restorer


def enhance_video(
    restorer: ComfyRestorer, video: Input.Video, options: RestoreOptions, window: WindowConfig | None
) -> RestoreReport:
    """Restore a VIDEO into a new file in ComfyUI's temp folder; VFEError for what cannot be read or restored."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    source = video_file(video, folder)
    width, height = options.output_size(*video.get_dimensions())
    reporter = Reporter(MANY)
    shown = shown_restorer(restorer, VideoShape(MANY, height, width), window, reporter)
    return shown.restore_file(source, folder / f"vfe_{secrets.token_hex(8)}.mp4", options, reporter.report)


def describe(report: RestoreReport, *notes: str) -> str:
    """Return what was done for a person, a fact a line; `notes` that are empty are left out."""
    done = f"{report.frames} frames in {report.seconds:.1f} s, {report.fps:.2f} a second"
    return "\n".join(filter(None, (done, *notes, *report.notes)))
