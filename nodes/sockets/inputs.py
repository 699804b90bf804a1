"""Inputs that several nodes have alike."""

from __future__ import annotations

from comfy_api.latest import io


def strength_input() -> io.Float.Input:
    """Of the one step."""
    return io.Float.Input(
        "strength",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.05,
        tooltip="How far to go: 1 is the full restoration, 0 none but for what the codec loses.",
    )


def window_input() -> io.Int.Input:
    """Frames of a window, as `window_config` takes them."""
    return io.Int.Input(
        "window",
        default=0,
        min=0,
        max=1025,
        step=4,
        tooltip="Frames restored together; 0: as suits the restorer and the memory. "
        "Other numbers are raised to the next 4n+1.",
    )
