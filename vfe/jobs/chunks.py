"""What one segment leaves behind: the parts that the sink of the output makes of its frames, in a chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..video.chunk import ChunkFormat, ImageChunks, PictureChunks
from ..video.codecs import SinkConfig
from ..video.imagesink import FolderSink
from ..video.info import VideoInfo
from ..video.read import Frame
from ..video.videosink import VideoSink
from ..video.write import plan_sink
from .request import JobRequest


@dataclass(frozen=True)
class Output:
    """How frames become parts of an output, how parts wait in chunks, and what takes them out of these."""

    sink: VideoSink | FolderSink
    chunks: ChunkFormat[Any]

    def write_chunk(self, path: Path, frames: Iterable[Frame]) -> int:
        """Write the parts of frames into a chunk, and return how many. Raises VFEError where the disk is full."""
        return self.chunks.write(path, map(self.sink.part, frames))

    def parts(self, path: Path) -> Iterator[Any]:
        """Yield the parts of a chunk. Raises VFEError for a file that is none."""
        return self.chunks.read(path)


def output_of(request: JobRequest, info: VideoInfo, path: Path) -> Output:
    """Return how the result of a request is written to `path`. Raises VFEError for what no encoder takes."""
    options = request.options
    size = options.output_size(info.width, info.height)
    sink = plan_sink(path, info, size, SinkConfig(codec=options.codec, crf=options.crf))
    if isinstance(sink, FolderSink):
        return Output(sink, ImageChunks())
    return Output(sink, PictureChunks(sink.target, size, request.chunks))
