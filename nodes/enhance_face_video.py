"""The node Enhance Face Video: file to file, in memory that does not grow with the clip."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import folder_paths
from comfy_api.latest import Input, InputImpl, io
from torch import Tensor

from ..vfe.face.paste.align import ALIGNED_SIDE
from ..vfe.options import CRFS, DEFAULT_CRFS, FIDELITIES, REGIONS, Region, RestoreOptions
from ..vfe.pipeline.one_step import OneStepPipeline
from ..vfe.pipeline.windows import ClipStream, WindowConfig
from ..vfe.restore.face_stream import FacePart
from ..vfe.restore.restorer import Restorer, RestoreReport
from ..vfe.types import CheckCancelled, Progress, VideoShape
from .backend.restorer import ComfyRestorer
from .host.images import Reporter
from .host.video_file import video_file
from .remedies import in_node_terms
from .sockets.inputs import DEFAULTS, blend_input, chosen_window, min_face_input, strength_input, window_input
from .sockets.types import CATEGORY, RestorerType

MANY = 1_000_000
"""The number of frames that stands for that of a clip, which is not known before it is read: above any window."""
CODEC_CRF = -1
"""What the input `crf` is where the codec's default is taken, as without --crf. It is not 0, which is lossless."""


class EnhanceFaceVideo(io.ComfyNode):
    """Enhance Face Video restores a VIDEO into a new file, as `vfe enhance` does, with its sound."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_EnhanceFaceVideo",
            display_name="Enhance Face Video",
            category=CATEGORY,
            description="Restores a video from file to file: sound, frame times and colours are kept, and memory does "
            "not grow with its length.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Wan Restorer."),
                io.Video.Input("video", tooltip="The degraded video."),
                *_face_inputs(),
                strength_input(),
                window_input(),
                io.Int.Input(
                    "crf",
                    default=CODEC_CRF,
                    min=CODEC_CRF,
                    max=CRFS.most,
                    tooltip="Quality of the file that is written: 0 is lossless, higher numbers make it smaller. "
                    f"{CODEC_CRF}: visually lossless, {DEFAULT_CRFS['h264']} for H.264 and {DEFAULT_CRFS['h265']} for "
                    "H.265, which deep H.265, AV1 and VP9 become.",
                ),
                io.Float.Input(
                    "fidelity",
                    default=DEFAULTS.fidelity,
                    min=FIDELITIES.least,
                    max=FIDELITIES.most,
                    step=0.05,
                    optional=True,
                    tooltip="Of faces: 1 is the most faithful, 0 the sharpest. Of use to lite only.",
                ),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The restored video, with the sound of the original."),
                io.String.Output(
                    display_name="report", tooltip="What was done: frames, time, faces, and what could not be kept."
                ),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        video: Input.Video,
        region: Region,
        faces: str,
        min_face: int,
        blend: float,
        strength: float,
        window: int,
        crf: int,
        fidelity: float = DEFAULTS.fidelity,
    ) -> io.NodeOutput:
        """Return the restored VIDEO and the report; VFEError for what cannot be read, chosen or held in memory."""
        options = RestoreOptions(
            strength=strength,
            region=region,
            faces=faces,
            min_face=min_face,
            blend=blend,
            crf=None if crf == CODEC_CRF else crf,
            fidelity=fidelity,
        )
        asked = chosen_window(window)
        report = enhance_video(restorer, video, options, asked.config)
        return io.NodeOutput(InputImpl.VideoFromFile(str(report.output)), describe(report, asked.note))


def _face_inputs() -> list[io.Input]:
    """Return the inputs that say what of a frame, and which faces, are restored."""
    return [
        io.Combo.Input(
            "region",
            options=list(REGIONS),
            default=DEFAULTS.region,
            tooltip="What is restored: frame is whole frames, face the faces alone, auto what suits the clip.",
        ),
        io.String.Input(
            "faces",
            default=DEFAULTS.faces,
            tooltip="Which faces: all, largest, numbers as 2,5 or nearest 320,200 (a place in pixels).",
        ),
        min_face_input("Faces smaller than this many pixels are left alone."),
        blend_input("How much of the restored faces is shown over the original ones."),
    ]


def enhance_video(
    restorer: ComfyRestorer, video: Input.Video, options: RestoreOptions, window: WindowConfig | None
) -> RestoreReport:
    """Restore a VIDEO into a new file in ComfyUI's temp folder; VFEError for what cannot be read or restored."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    source = video_file(video, folder)
    width, height = video.get_dimensions()
    pipeline = restorer.enhancer(VideoShape(MANY, height, width), window)
    reporter = Reporter(MANY)
    shown = Restorer(ShownPipeline(pipeline, reporter), face_part_of(restorer))
    return shown.restore_file(source, folder / f"vfe_{secrets.token_hex(8)}.mp4", options, reporter.report)


def face_part_of(restorer: ComfyRestorer) -> FacePart | None:
    """Load the part of a restorer that knows faces, and return it; None for a restorer without."""
    if restorer.faces is None:
        return None
    faces = restorer.faces.enhancer(VideoShape(MANY, ALIGNED_SIDE, ALIGNED_SIDE), None)
    return FacePart(faces, is_aligned=True, sees_original=faces.model.sees_original)


class ShownPipeline:
    """A pipeline that also shows the first frame of each window in the browser, as it came and restored."""

    def __init__(self, pipeline: OneStepPipeline, reporter: Reporter) -> None:
        self.pipeline, self.reporter = pipeline, reporter

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size, in pixels, are restored."""
        return self.pipeline.window_for(height, width)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore a window of frames (3, H, W) in [-1, 1], and show the first."""
        restored = self.pipeline.restore_window(frames, strength, check)
        self.reporter.compare(self.reporter.done, frames[0], restored[0])
        return restored

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Restore frames (3, H, W) in [-1, 1] as `OneStepPipeline.stream` does, and show the first of each window."""

        def report() -> None:
            if on_progress is not None:
                on_progress(clip.given, None)

        clip: ClipStream = ClipStream(self, strength, report)
        for frame in frames:
            yield from clip.push(frame)
        yield from clip.finish()


def describe(report: RestoreReport, window_note: str) -> str:
    """Return what was done for a person, a fact a line; `window_note` is empty where no window was rounded."""
    done = f"{report.frames} frames in {report.seconds:.1f} s, {report.fps:.2f} a second"
    return "\n".join(filter(None, (done, window_note, *report.notes)))
