"""Chunks: what an encoder of the output gets is the same whether frames waited in them or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame

from tests.support.clips import Clip, write_clip, write_image
from vfe.options import CHUNK_CODECS, ChunkCodec
from vfe.types import VFEError
from vfe.video.chunk import ImageChunks, PictureChunks
from vfe.video.colour import BT709, FULL, LIMITED, RGB
from vfe.video.imagesink import FolderSink
from vfe.video.pixels import FrameFormat, FrameWriter
from vfe.video.read import open_source
from vfe.video.videosink import VideoSink
from vfe.video.write import SinkConfig, plan_sink

FORMATS = (
    *(f"yuv{chroma}p{depth}" for chroma in (420, 422, 444) for depth in ("", "10le", "12le", "16le")),
    *("yuva420p", "yuva422p10le", "yuva444p10le", "yuva444p16le"),
    *("gray", "gray10le", "gray16le", "bgr0", "bgra", "gbrp10le", "gbrp12le", "gbrp16le", "gbrap10le", "gbrap16le"),
)
"""Every kind of format that an encoder is given."""


def written(pix_fmt: str, count: int = 3) -> list[VideoFrame]:
    """Pictures of noise of an odd size, as `FrameWriter` makes them."""
    torch.manual_seed(0)
    matrix = RGB if pix_fmt.startswith(("gbr", "bgr")) else BT709
    writer = FrameWriter(FrameFormat(pix_fmt, matrix, FULL if matrix == RGB else LIMITED))
    return [writer.write(torch.rand(3, 33, 47) * 2 - 1, torch.rand(1, 33, 47)) for _ in range(count)]


def rows(picture: VideoFrame) -> Iterator[bytes]:
    """The code values of each plane: without the padding of its rows, and the unused fourth byte of bgr0."""
    for plane in picture.planes:
        packed = 4 if picture.format.name in {"bgr0", "bgra"} else 1 + (picture.format.components[0].bits > 8)
        data = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        values = data[: plane.height, : plane.width * packed].reshape(plane.height, plane.width, packed)
        yield values[..., : 3 if picture.format.name == "bgr0" else packed].tobytes()


@pytest.mark.parametrize("codec", CHUNK_CODECS)
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_pictures_come_back_to_the_bit(pix_fmt: str, codec: ChunkCodec, tmp_path: Path) -> None:
    pictures = written(pix_fmt)
    before = [list(rows(picture)) for picture in pictures]
    target = FrameFormat(pix_fmt, pictures[0].colorspace, pictures[0].color_range)
    chunks = PictureChunks(target, (47, 33), codec)
    assert chunks.write(tmp_path / "chunk", pictures) == 3
    after = list(chunks.read(tmp_path / "chunk"))
    assert [list(rows(picture)) for picture in after] == before
    for picture, old in zip(after, pictures, strict=True):
        assert picture.format.name == pix_fmt
        assert (picture.colorspace, picture.color_range) == (old.colorspace, old.color_range)
        assert picture.pict_type == old.pict_type, "x264 would make a key frame of each"


@pytest.mark.parametrize("codec", ["h264", "h265", "prores", "ffv1"])
def test_a_video_made_of_chunks_has_the_bytes_of_one_pass(codec: str, tmp_path: Path) -> None:
    config = SinkConfig(codec=codec)  # type: ignore[arg-type]
    clip = write_clip(tmp_path / "in.mkv", Clip(frames=9, audio=True, pts=(0, 40, 90, 120, 160, 200, 250, 280, 320)))
    suffix = ".mov" if codec == "prores" else ".mkv"
    with open_source(clip) as source:
        frames, info, size = list(source), source.info, (source.info.width, source.info.height)
    with plan_sink(tmp_path / f"one{suffix}", info, size, config) as one:
        for frame in frames:
            one.write(frame)
    two = plan_sink(tmp_path / f"two{suffix}", info, size, config)
    assert isinstance(two, VideoSink)
    chunks = PictureChunks(two.target, size, "ffv1")
    for index in (1, 0):
        chunks.write(tmp_path / f"{index}.chunk", map(two.part, frames[5 * index : 5 * index + 5]))
    with two:
        pictures = (picture for index in (0, 1) for picture in chunks.read(tmp_path / f"{index}.chunk"))
        for picture, frame in zip(pictures, frames, strict=True):
            two.put(picture, frame)
    assert (tmp_path / f"two{suffix}").read_bytes() == (tmp_path / f"one{suffix}").read_bytes()
    assert two.notes == one.notes


def test_a_folder_made_of_chunks_has_the_images_of_one_pass(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.png", "a.jpg"):
        write_image(tmp_path / "in" / name)
    with open_source(tmp_path / "in") as source:
        frames, info = list(source), source.info
    with plan_sink(tmp_path / "one", info, (64, 48), SinkConfig()) as one:
        for frame in frames:
            one.write(frame)
    two = plan_sink(tmp_path / "two", info, (64, 48), SinkConfig())
    assert isinstance(two, FolderSink)
    assert ImageChunks().write(tmp_path / "chunk", map(two.part, frames)) == 3
    with two:
        for image, frame in zip(ImageChunks().read(tmp_path / "chunk"), frames, strict=True):
            two.put(image, frame)
    images = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert images[0] == images[1]
    assert len(images[0]) == 3


@pytest.mark.parametrize("data", [b"", b"no chunk at all" * 50])
def test_a_file_that_is_no_chunk_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "chunk").write_bytes(data)
    for chunks in (PictureChunks(FrameFormat("yuv420p", BT709, LIMITED), (47, 33), "ffv1"), ImageChunks()):
        with pytest.raises(VFEError, match="chunk"):
            list(chunks.read(tmp_path / "chunk"))


def test_a_chunk_of_another_size_is_refused(tmp_path: Path) -> None:
    PictureChunks(FrameFormat("yuv420p", BT709, LIMITED), (47, 33), "raw").write(tmp_path / "chunk", written("yuv420p"))
    with pytest.raises(VFEError, match="needed are"):
        list(PictureChunks(FrameFormat("yuv420p", BT709, LIMITED), (48, 33), "raw").read(tmp_path / "chunk"))


@pytest.mark.parametrize("codec", CHUNK_CODECS)
def test_equal_parts_give_equal_chunks(codec: ChunkCodec, tmp_path: Path) -> None:
    """Two processes that restore the same segment at once do not spoil what vouches for the other's chunk."""
    for name in ("a", "b"):
        ImageChunks().write(tmp_path / name, [b"image", b"other"])
        target = FrameFormat("yuv420p", BT709, LIMITED)
        PictureChunks(target, (47, 33), codec).write(tmp_path / f"{name}.chunk", written("yuv420p"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.chunk").read_bytes() == (tmp_path / "b.chunk").read_bytes()
