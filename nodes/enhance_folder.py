"""The node Enhance Folder: every clip of a folder, file to file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from comfy_api.latest import io

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
from .sockets.presets import NO_PRESET, given_options, preset_input
from .sockets.restoring import RestoreInputs, chosen_options
from .sockets.types import CATEGORY, RestorerType, found_by

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .backend.restorer import ComfyRestorer


class EnhanceFolder(io.ComfyNode):
    """Enhance Folder restores the clips and photos of a folder into another, as `vfe enhance FOLDER` does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_EnhanceFolder",
            display_name="Enhance Folder",
            category=CATEGORY,
            **found_by("batch, folder, directory, many videos, restore all, restoration, face restore, upscale"),
            description="Restores every video and photo of a folder, file to file. One that fails stops no other, and "
            "what is done is skipped when it runs again.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.String.Input(
                    "folder",
                    default="",
                    tooltip="A folder in ComfyUI's input folder, with all below it; links are followed. Empty: the "
                    "input folder itself.",
                ),
                io.String.Input(
                    "output",
                    default="restored",
                    tooltip="A folder in ComfyUI's output folder, which is made. Results lie there as the clips do.",
                ),
                io.Boolean.Input(
                    "overwrite",
                    default=False,
                    tooltip="Whether results of other clips or options, which have the same names, are replaced.",
                ),
                *face_inputs(),
                strength_input(),
                window_input(),
                crf_input(),
                fidelity_input(),
                *size_inputs(),
                preset_input(),
                steps_input(),  # last: earlier workflows tell values by their places
            ],
            outputs=[
                io.String.Output(display_name="summary", tooltip="What became of each clip, a line for each."),
                io.String.Output(
                    display_name="files",
                    is_output_list=True,
                    tooltip="The results that are there, those of earlier runs too.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: object) -> int:
        """Return another number each time: ComfyUI runs the node again, which looks what is new in the folder."""
        del inputs
        return time.time_ns()

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        folder: str,
        output: str,
        overwrite: bool,
        window: int,
        preset: str = NO_PRESET,
        steps: int = ModelOptions.steps,
        **how: Unpack[RestoreInputs],
    ) -> io.NodeOutput:
        """Return the summary and the results; VFEError where there are no clips, or where each of them failed."""
        from .host.user_folders import input_folder, output_folder
        from .run.folder import FolderRequest, enhance_folder

        chosen = chosen_options(how)
        given, asked = given_options(preset, chosen), chosen_window(window)
        folders = input_folder(folder), output_folder(output)
        request = FolderRequest(*folders, given, asked.config, overwrite=overwrite, steps=steps)
        with restorer.taking(steps):
            report = enhance_folder(restorer, request)
        text = "\n".join(filter(None, (report.text(), asked.note)))
        return io.NodeOutput(text, [str(path) for path in report.files], ui={"text": (text,)})
