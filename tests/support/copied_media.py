"""A file decoded and encoded again without a change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vfe.video.read import Source, open_source
from vfe.video.write import Sink, SinkConfig, open_sink

DEFAULT_SINK = SinkConfig()


def copy(src: Path | str, dst: Path | str, config: SinkConfig = DEFAULT_SINK) -> tuple[Source, Sink]:
    """Decode and encode without a change, by the pixels alone."""
    with open_source(src) as source:
        with open_sink(dst, source.info, (source.info.width, source.info.height), config) as sink:
            for frame in source:
                sink.write(replace(frame, stored=None))
    return source, sink
