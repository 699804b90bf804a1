"""An output is opened: a video, a folder of PNGs or one image."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..options import CodecName
from .codecs import SinkConfig, plan_encoder
from .imagesink import FolderSink, ImageSink
from .info import VideoInfo
from .read import Frame
from .target import check_file, check_frames_folder, check_size, output_kind
from .videosink import VideoSink

__all__ = ["CodecName", "Sink", "SinkConfig", "open_sink"]


class Sink(Protocol):
    """An output being written.

    Leaving the `with` block normally finishes the output and gives it its name; leaving it by an exception removes
    what was written, so that a file that was there before is untouched.
    """

    path: Path
    notes: list[str]
    """What was not kept of the source, one sentence each; complete after the block."""

    def __enter__(self) -> Sink: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, frame: Frame) -> None:
        """Write the next frame; its pixels are (3, H, W) in [-1, 1]. Raises VFEError where the disk is full."""
        ...


def open_sink(path: str | Path, info: VideoInfo, size: tuple[int, int], config: SinkConfig = SinkConfig()) -> Sink:  # noqa: B008
    """Check the output and decide how to write it; nothing is written before the `with` block.

    `info` is that of the source, whose sound, subtitles, metadata, times and colour are kept; `size` is (width, height)
    of the frames to come. Raises VFEError where the output cannot be written or would harm what is there.
    """
    check_output(path, info, overwrite=config.overwrite)
    if output_kind(path, info) == "image":
        check_size(size)
        return ImageSink(Path(path), info)
    return plan_sink(path, info, size, config)


def plan_sink(path: str | Path, info: VideoInfo, size: tuple[int, int], config: SinkConfig) -> VideoSink | FolderSink:
    """Decide how frames of `size` are written as a video or into a folder, wherever that is to lie.

    Raises VFEError for what no encoder takes.
    """
    check_size(size)
    kind, path = output_kind(path, info), Path(path)
    if kind == "folder":
        return FolderSink(path, info)
    return VideoSink(path, info, size, plan_encoder(info, size, path.suffix.lower(), config))


def check_output(path: str | Path, info: VideoInfo, *, overwrite: bool) -> None:
    """Raise VFEError where the output cannot be written or would harm what is there."""
    sources = info.images or (info.path,)
    if output_kind(path, info) == "folder":
        check_frames_folder(Path(path), sources, overwrite)
    else:
        check_file(Path(path), sources, overwrite)
