"""A VIDEO that is written when somebody asks for it: what no link needs costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from comfy_api.latest import Input, InputImpl, Types


class LaterVideo(Input.Video):
    """A VIDEO whose file `write` makes, once."""

    def __init__(self, write: Callable[[], Path]) -> None:
        self._write = write

    @cached_property
    def _video(self) -> InputImpl.VideoFromFile:
        return InputImpl.VideoFromFile(str(self._write()))

    def get_stream_source(self) -> Any:  # noqa: ANN401 - ComfyUI's, which differs between versions
        """Return the file."""
        return self._video.get_stream_source()

    def get_components(self) -> Types.VideoComponents:
        """Return all of it in memory, as ComfyUI's own nodes ask for it."""
        return self._video.get_components()

    def save_to(self, *where: Any, **how: Any) -> None:  # noqa: ANN401
        """Save it, as ComfyUI's Save Video asks for it."""
        self._video.save_to(*where, **how)

    def as_trimmed(self, *when: Any, **how: Any) -> Any:  # noqa: ANN401
        """Return a part of it; only newer ComfyUI asks."""
        return self._video.as_trimmed(*when, **how)

    def get_dimensions(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        width, height = self._video.get_dimensions()
        return width, height

    def get_duration(self) -> float:
        """Return its length in seconds."""
        return float(self._video.get_duration())

    def get_frame_count(self) -> int:
        """Return the number of its frames; only newer ComfyUI asks, as for the rate."""
        return int(self._video.get_frame_count())

    def get_frame_rate(self) -> Fraction:
        """Return its frames a second."""
        return Fraction(self._video.get_frame_rate())

    def get_container_format(self) -> str:
        """Return the name of its container."""
        return str(self._video.get_container_format())
