"""A virtual camera, which every program for calls lists beside real ones."""

from __future__ import annotations

from typing import Any

from ...types import VFEError
from ..frame import ShownFrame
from .threaded import ThreadedOutput

RATE = 30
"""Frames a second that the camera says it has; programs take them as they come."""


class VirtualCameraOutput(ThreadedOutput):
    """Gives what was restored to a virtual camera: v4l2loopback on Linux, that of OBS on macOS and Windows."""

    def __init__(self, name: str = "") -> None:
        """`name` is that of the device; "" takes the first. Raises VFEError where pyvirtualcam is not installed."""
        try:
            import pyvirtualcam
        except ImportError as error:
            raise VFEError("a virtual camera needs pyvirtualcam; install it with `pip install pyvirtualcam`") from error
        self._module: Any = pyvirtualcam
        self._name = name
        self._camera: Any = None
        self._size: tuple[int, ...] = ()
        super().__init__()

    @property
    def where(self) -> str:
        """Where people find it."""
        return f"virtual camera {self._camera.device if self._camera is not None else self._name}".rstrip()

    def _send(self, shown: ShownFrame) -> None:
        height, width = shown.restored.shape[:2]
        if self._camera is None:
            self._open(width, height)
        if (height, width) == self._size:  # a camera keeps the size that it began with
            self._camera.send(shown.restored)

    def _open(self, width: int, height: int) -> None:
        device = {"device": self._name} if self._name else {}
        try:
            self._camera = self._module.Camera(width=width, height=height, fps=RATE, **device)
        except RuntimeError as error:  # pyvirtualcam's only one
            said = " ".join(str(error).split())
            raise VFEError(
                f"no virtual camera can be opened ({said}); needed is v4l2loopback on Linux, OBS on macOS and Windows"
            ) from error
        self._size = (height, width)

    def _end(self) -> None:
        if self._camera is not None:
            self._camera.close()
