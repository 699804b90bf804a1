"""The cameras of this machine, by the means that FFmpeg has on each platform."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import av

from ..types import VFEError

FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
"""FFmpeg's names of what reads cameras, by Python's of the platforms."""
LINUX_CAMERAS = Path("/sys/class/video4linux")
"""Where Linux lists what /dev/video* are."""


@dataclass(frozen=True)
class CameraMode:
    """What is asked of a camera; None leaves it to the camera."""

    size: tuple[int, int] | None = None
    fps: int | None = None


@dataclass(frozen=True)
class Camera:
    """A camera as FFmpeg opens it."""

    device: str
    """Its name for FFmpeg: a path, a number, or video=NAME."""
    title: str
    """Its name for people."""
    format: str
    mode: CameraMode = CameraMode()

    @property
    def options(self) -> dict[str, str]:
        """Return the mode as FFmpeg's options."""
        size = {} if self.mode.size is None else {"video_size": f"{self.mode.size[0]}x{self.mode.size[1]}"}
        return size | ({} if self.mode.fps is None else {"framerate": str(self.mode.fps)})

    def __str__(self) -> str:
        return f"camera {self.title}"


def list_cameras(platform: str = sys.platform) -> list[Camera]:
    """Return the cameras of this machine, in the system's order. Raises VFEError where the platform has no way."""
    form = _format(platform)
    if form == "v4l2":
        return _on_linux()
    from importlib import import_module

    try:
        found = import_module("av.device").enumerate_input_devices(form)
    except ImportError as error:
        raise VFEError(f"PyAV {av.__version__} cannot list cameras; install PyAV 17 or newer") from error
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise VFEError(f"cameras cannot be listed ({error})") from error
    videos = [info for info in found if "video" in (getattr(info, "media_types", None) or ("video",))]
    if form == "dshow":
        return [Camera(f"video={info.name}", info.description or info.name, form) for info in videos]
    return [Camera(f"{number}:none", info.description or info.name, form) for number, info in enumerate(videos)]


def find_camera(wanted: str, mode: CameraMode, platform: str = sys.platform) -> Camera:
    """Return the camera of a number from 0 on, of a part of its name, or of FFmpeg's name for it; "" is the first.

    Raises VFEError where there is none.
    """
    form = _format(platform)
    if wanted.startswith("/dev/") and form == "v4l2":
        return Camera(wanted, wanted, form, mode)
    cameras = list_cameras(platform)
    fitting = cameras if not wanted else [camera for camera in cameras if wanted.lower() in camera.title.lower()]
    if re.fullmatch(r"\d{1,3}", wanted, re.ASCII):
        fitting = cameras[int(wanted) : int(wanted) + 1]
    if not fitting:
        there = ", ".join(f"{number} {camera.title}" for number, camera in enumerate(cameras))
        asked = f"no camera {wanted!r}" if wanted else "no camera"
        raise VFEError(
            f"{asked} on this machine; "
            + (f"there are {there}" if there else "plug one in, or name a file or the address of a stream instead")
        )
    return Camera(fitting[0].device, fitting[0].title, form, mode)


def _format(platform: str) -> str:
    form = FORMATS.get(platform)
    if form is None:
        raise VFEError(f"no way to read cameras on {platform}; name a file or the address of a stream instead")
    return form


def _on_linux() -> list[Camera]:
    """Return the devices that capture: of the several that a camera has, the first one is that for pictures."""
    found = []
    for folder in sorted(LINUX_CAMERAS.glob("video*"), key=lambda path: int(path.name.removeprefix("video") or 0)):
        try:
            title, index = ((folder / name).read_text(errors="replace").strip() for name in ("name", "index"))
        except OSError:
            continue
        if index == "0":
            found.append(Camera(f"/dev/{folder.name}", title, "v4l2"))
    return found
