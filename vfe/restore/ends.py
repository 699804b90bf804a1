"""The two ends of a run: where frames come from and where they go, files or pipes."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

from ..options import RestoreOptions
from ..types import TimeSpan
from ..video.info import VideoInfo
from ..video.pipe.sink import PipedSink
from ..video.pipe.source import open_piped_source
from ..video.pipe.streams import PIPE
from ..video.read import Source, open_source
from ..video.span import open_span
from ..video.write import Sink, SinkConfig, open_sink

End = TypeVar("End", bound=AbstractContextManager[Any])


def entered(stack: ExitStack, end: End) -> End:
    """Enter an end, and leave it with the stack, which knows of it before.

    `ExitStack.enter_context` hears of it afterwards: a file that was begun in between would stay where Ctrl-C came.
    """
    stack.push(end)
    end.__enter__()
    return end


def open_input(src: Path, *, keeps: bool, span: TimeSpan | None = None) -> Source:
    """Open a file, a folder, a glob or standard input; `keeps` says whether the frames are read more than once.

    Raises VFEError for what cannot be read, and for a span of anything but a video file.
    """
    if span is not None:
        return open_span(src, span)
    return open_piped_source(keeps=keeps) if src == PIPE else open_source(src)


def open_output(dst: Path, info: VideoInfo, size: tuple[int, int], options: RestoreOptions) -> Sink:
    """Check an output for frames of `size` (width, height), of the source that `info` describes.

    Raises VFEError where it cannot be written.
    """
    config = SinkConfig(codec=options.codec, crf=options.crf, overwrite=options.overwrite)
    return PipedSink(info, size, config) if dst == PIPE else open_sink(dst, info, size, config)
