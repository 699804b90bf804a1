"""Videos of several streams: programmes of a broadcast, and a second video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.media import picture


def programme(path: Path, number: int, size: tuple[int, int] | None) -> Path:
    """A transport stream of one programme, a radio one where no size is given."""
    base = 0x100 * number
    options = {
        "mpegts_start_pid": str(base), "mpegts_pmt_start_pid": str(0x1000 + number), "mpegts_service_id": str(number),
    }  # fmt: skip
    with av.open(str(path), "w", format="mpegts", options=options) as container:
        video = None
        if size is not None:
            video = container.add_stream("mpeg2video", rate=25)
            assert isinstance(video, av.VideoStream)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = container.add_stream("mp2", rate=48000)
        assert isinstance(sound, av.AudioStream)
        for index in range(12):
            if video is not None and size is not None:
                container.mux(video.encode(picture(index, size, "yuv420p")))
            wave = (3000 * np.sin(np.arange(1920) * 0.02 * number)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 1920 * index, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        for stream in (video, sound):
            container.mux(stream.encode(None) if stream is not None else [])
    return path


def two_videos(path: Path, second: str = "libx264") -> Path:
    """Two videos; the second has frames that are not in the order in which they are shown."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=25) for codec in ("libx264", second)]
        for number, stream in enumerate(streams):
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 64 - 16 * number, 48, "yuv420p"
        for index in range(8):
            for number, stream in enumerate(streams):
                assert isinstance(stream, av.VideoStream)
                container.mux(stream.encode(picture(index, (64 - 16 * number, 48), "yuv420p")))
        for stream in streams:
            assert isinstance(stream, av.VideoStream)
            container.mux(stream.encode(None))
    return path


def broken_and_whole(path: Path) -> Path:
    """Two videos, of which the packets of the first and larger one hold nothing."""
    whole = two_videos(path.with_name("whole.mp4"))
    with av.open(str(whole)) as source, av.open(str(path), "w") as container:
        streams = {stream.index: container.add_stream_from_template(stream) for stream in source.streams.video}
        for packet in source.demux():
            if packet.dts is None:
                continue
            copy = av.Packet(bytes(len(bytes(packet))) if packet.stream_index == 0 else bytes(packet))
            copy.pts, copy.dts, copy.time_base, copy.is_keyframe = (
                packet.pts,
                packet.dts,
                packet.time_base,
                packet.is_keyframe,
            )
            copy.stream = streams[packet.stream_index]
            container.mux(copy)
    return path
