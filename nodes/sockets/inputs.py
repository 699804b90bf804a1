"""Inputs that several nodes have alike, with the defaults and the ranges of the command."""

from __future__ import annotations

from comfy_api.latest import io

from ...vfe.options import BLENDS, MIN_FACES, STRENGTHS, WINDOWS, RestoreOptions
from ...vfe.pipeline.chosen_window import ChosenWindow, choose_window
from ...vfe.types import VFEError

DEFAULTS = RestoreOptions()
"""What the command does unless it is told otherwise, and so the nodes too."""


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
    return io.Int.Input("min_face", default=DEFAULTS.min_face, min=MIN_FACES.least, max=MIN_FACES.most, tooltip=tooltip)


def blend_input(tooltip: str) -> io.Float.Input:
    """Return the input `blend`, how much of restored faces is shown over the original ones."""
    return io.Float.Input(
        "blend", default=DEFAULTS.blend, min=BLENDS.least, max=BLENDS.most, step=0.05, tooltip=tooltip
    )
