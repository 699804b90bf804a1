"""The node Enhance Face Video: file to file, in memory that does not grow with the clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import Input, InputImpl, io

from ..vfe.options import ModelOptions
from .remedies import in_node_terms
from .sockets.inputs import (
    chosen_window,
    crf_input,
    face_inputs,
    fidelity_input,
    size_inputs,
    steps_input,
    strength_input,
    window_input,
)
from .sockets.presets import NO_PRESET, preset_input, preset_note, with_chosen_preset
from .sockets.restoring import RestoreInputs, chosen_options
from .sockets.types import CATEGORY, RestorerType, found_by

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .backend.restorer import ComfyRestorer


class EnhanceFaceVideo(io.ComfyNode):
    """Enhance Face Video restores a VIDEO into a new file, as `vfe enhance` does, with its sound."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_EnhanceFaceVideo",
            display_name="Enhance Face Video",
            category=CATEGORY,
            **found_by(
                "restore, restoration, face restore, video restoration, codeformer, gfpgan, keep, "
                "vividface, dvface, deblur, denoise, upscale, old film, webcam"
            ),
            description="Restores a video from file to file: sound, frame times and colours are kept, and memory does "
            "not grow with its length.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.Video.Input("video", tooltip="The degraded video."),
                *face_inputs(),
                strength_input(),
                window_input(),
                crf_input(),
                fidelity_input(),
                *size_inputs(),
                steps_input(),
                preset_input(),
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
        window: int,
        preset: str = NO_PRESET,
        steps: int = ModelOptions.steps,
        **how: Unpack[RestoreInputs],
    ) -> io.NodeOutput:
        """Return the restored VIDEO and the report; VFEError for what cannot be read, chosen or held in memory."""
        from .run.video import describe, enhance_video

        chosen = chosen_options(how)
        options = with_chosen_preset(preset, chosen)
        asked = chosen_window(window)
        with restorer.taking(steps):
            report = enhance_video(restorer, video, options, asked.config)
        notes = (preset_note(preset, chosen, options), asked.note)
        return io.NodeOutput(InputImpl.VideoFromFile(str(report.output)), describe(report, *notes))
