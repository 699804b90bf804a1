"""VIDEO as one file on disk, without decoding it into memory."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import av
from comfy_api.latest import Input

from ..images_video import write_lossless


def video_file(video: Input.Video, folder: Path) -> Path:
    """Return a file with just what a VIDEO shows: its own file, or one written into `folder`.

    Newer ComfyUI has videos that are cut in time or in space; their file is the whole one, so the part is written. A
    VIDEO made of images is encoded by ComfyUI, unless it has an odd side.
    """
    path = folder / f"vfe_{secrets.token_hex(8)}.mp4"
    if _has_no_file(video) or _is_part(video):
        if any(side % 2 for side in video.get_dimensions()):
            write_lossless(video.get_components(), path.with_suffix(".mkv"))
            return path.with_suffix(".mkv")
        video.save_to(str(path))
        return path
    source = video.get_stream_source()
    if isinstance(source, str | Path):
        return Path(source)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file)
    return path


def _has_no_file(video: Input.Video) -> bool:
    """Return whether the VIDEO is made of images. What ComfyUI then gives as its stream fails for want of a format."""
    return type(video).get_stream_source is Input.Video.get_stream_source


def _is_part(video: Input.Video) -> bool:
    """Return whether the VIDEO is cut out of its file, in time or in space. ComfyUI 0.8.0 has no such videos yet."""
    window = getattr(video, "get_active_trim_window", None)
    if window is not None and any(window()):
        return True
    return hasattr(video, "as_cropped") and sorted(video.get_dimensions()) != sorted(_stored_size(video))


def _stored_size(video: Input.Video) -> tuple[int, int]:
    """Return width and height in pixels of the frames in the file, as they are stored."""
    with av.open(video.get_stream_source()) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height
