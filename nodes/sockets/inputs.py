"""Inputs that several nodes have alike, with the defaults and the ranges of the command."""

from __future__ import annotations

from typing import TypedDict

from comfy_api.latest import io

from ...vfe.options import (
    BLENDS,
    CRFS,
    DEFAULT_CRFS,
    FIDELITIES,
    MIN_FACES,
    REGIONS,
    STEPS,
    STRENGTHS,
    WINDOWS,
    ModelOptions,
    RestoreOptions,
    parse_size,
)
from ...vfe.pipeline.chosen_window import ChosenWindow, choose_window
from ...vfe.types import VFEError
from .types import ADVANCED

DEFAULTS = RestoreOptions()
"""What the command does unless it is told otherwise, and so the nodes too."""
CODEC_CRF = -1
"""What the input `crf` is where the codec's default is taken, as without --crf. It is not 0, which is lossless."""
UNSCALED = "x1"
SCALES = {UNSCALED: None, "x2": 2.0, "x4": 4.0}
"""What the input `scale` offers, as the command's factors; None where it is not given."""


def strength_input() -> io.Float.Input:
    """Return the input `strength` of the nodes that run the one step."""
    return io.Float.Input(
        "strength",
        default=DEFAULTS.strength,
        min=STRENGTHS.least,
        max=STRENGTHS.most,
        step=0.05,
        tooltip="How far to go: 1 is the full restoration, 0 none but for what the codec loses.",
    )


def window_input() -> io.Int.Input:
    """Return the input `window`, the frames that are restored together; 0 stands for the command's not giving it."""
    return io.Int.Input(
        "window",
        default=0,
        min=0,
        max=WINDOWS.most,
        step=4,
        tooltip="Frames restored together; 0: as suits the restorer and the memory. "
        "Other numbers are raised to the next 4n+1, such as 25.",
        **ADVANCED,
    )


def chosen_window(window: int, overlap: int = 0, least: int = WINDOWS.least) -> ChosenWindow:
    """Return the windows that the inputs `window` and `overlap` ask for, as the command has them; 0 is not given.

    `least` is the fewest frames that the windows may have. Raises VFEError for numbers that do not fit.
    """
    try:
        return choose_window(window or None, overlap or None, least)
    except ValueError as error:
        raise VFEError(str(error)) from error


def min_face_input(tooltip: str) -> io.Int.Input:
    """Return the input `min_face`, the size in pixels below which faces are not restored."""
    return io.Int.Input(
        "min_face",
        default=DEFAULTS.min_face,
        min=MIN_FACES.least,
        max=MIN_FACES.most,
        tooltip=tooltip,
        **ADVANCED,
    )


def blend_input(tooltip: str) -> io.Float.Input:
    """Return the input `blend`, how much of restored faces is shown over the original ones."""
    return io.Float.Input(
        "blend",
        default=DEFAULTS.blend,
        min=BLENDS.least,
        max=BLENDS.most,
        step=0.05,
        tooltip=tooltip,
        **ADVANCED,
    )


def face_inputs() -> list[io.Input]:
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


def crf_input() -> io.Int.Input:
    """Return the input `crf`, the quality of the files that are written."""
    return io.Int.Input(
        "crf",
        default=CODEC_CRF,
        min=CODEC_CRF,
        max=CRFS.most,
        tooltip="Quality of the file that is written: 0 is lossless, higher numbers make it smaller. "
        f"{CODEC_CRF}: visually lossless, {DEFAULT_CRFS['h264']} for H.264 and {DEFAULT_CRFS['h265']} for "
        "H.265, which deep H.265, AV1 and VP9 become.",
        **ADVANCED,
    )


def chosen_crf(crf: int) -> int | None:
    """Return what the input `crf` asks for; None where the codec's default is taken."""
    return None if crf == CODEC_CRF else crf


def fidelity_input() -> io.Float.Input:
    """Return the input `fidelity`, how faithful faces are; it is optional, as earlier workflows have none."""
    return io.Float.Input(
        "fidelity",
        default=DEFAULTS.fidelity,
        min=FIDELITIES.least,
        max=FIDELITIES.most,
        step=0.05,
        optional=True,
        tooltip="Of faces: 1 is the most faithful, 0 the sharpest. Of use to lite only.",
    )


def steps_input() -> io.Int.Input:
    """Return the input `steps` of the model's last blocks; it is optional, as earlier workflows have none."""
    return io.Int.Input(
        "steps",
        default=ModelOptions.steps,
        min=STEPS.least,
        max=STEPS.most,
        optional=True,
        tooltip="Steps of the restorer's last blocks: more are better and slower. For restorers that were trained for "
        "several; all others take 1.",
        **ADVANCED,
    )


class ChosenSize(TypedDict):
    """The fields of `RestoreOptions` that say how large the output is."""

    scale: float | None
    size: tuple[int, int] | None


def size_inputs() -> list[io.Input]:
    """Return the inputs `scale` and `size`; they are optional, as earlier workflows have none."""
    return [
        io.Combo.Input(
            "scale",
            options=list(SCALES),
            default=UNSCALED,
            optional=True,
            tooltip="How much larger the output is. The input is enlarged first: faces are restored at that size.",
        ),
        io.String.Input(
            "size",
            default="",
            optional=True,
            tooltip="Width and height of the output, such as 1280x720; empty: those of the input, or by scale.",
            **ADVANCED,
        ),
    ]


def chosen_size(scale: str, size: str) -> ChosenSize:
    """Return what the inputs `scale` and `size` ask for. Raises VFEError for a size that is none, or for both."""
    if not size.strip():
        return {"scale": SCALES[scale], "size": None}
    if scale != UNSCALED:
        raise VFEError(
            f"scale is {scale} and size is {size.strip()}; needed is one of them: empty size, or scale {UNSCALED}"
        )
    try:
        return {"scale": None, "size": parse_size(size)}
    except ValueError as error:
        raise VFEError(str(error)) from error
