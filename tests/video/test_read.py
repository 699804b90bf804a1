"""Every kind of input becomes upright float frames with the colours that players show."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from av.buffer import Buffer

from tests.support.clips import write_image
from tests.support.media import Media, make, picture, times
from tests.support.odd_files import png_chunk
from vfe.types import VFEError
from vfe.video.files import natural_key
from vfe.video.probe import probe
from vfe.video.read import Frame, open_source


def read(path: Path | str) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("a.mp4", Media()),
        ("a.mov", Media(codec="prores_ks", pix_fmt="yuv422p10le")),
        ("a.mkv", Media(codec="ffv1")),
        ("a.webm", Media(codec="libvpx-vp9")),
        ("a.avi", Media(codec="mpeg4")),
        ("a.mpg", Media(codec="mpeg1video")),
        ("a.ts", Media()),
        ("a.gif", Media(codec="gif", pix_fmt="rgb8")),
    ],
)
def test_containers(tmp_path: Path, name: str, media: Media) -> None:
    path = make(tmp_path / name, media)
    info = probe(path)
    assert (info.width, info.height, info.kind, info.rate) == (64, 48, "video", Fraction(25))
    frames = read(path)
    assert len(frames) == 6
    for frame in frames:
        assert frame.pixels.shape == (3, 48, 64)
        assert frame.pixels.dtype == torch.float32
        assert frame.pixels.abs().max() <= 1
        assert frame.pixels.is_contiguous()
        assert frame.pts is not None
        assert frame.alpha is None
    stamps = [frame.pts * frame.time_base for frame in frames if frame.pts is not None and frame.time_base]
    assert np.allclose(np.diff([float(s) for s in stamps]), 0.04, atol=0.0006)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_one_image(tmp_path: Path, suffix: str) -> None:
    encoders = {".png": "png", ".jpg": "mjpeg", ".webp": "libwebp", ".tif": "tiff", ".bmp": "bmp"}
    formats = {".png": "rgb24", ".jpg": "yuvj444p", ".webp": "bgra", ".tif": "rgb24", ".bmp": "bgr24"}
    source = picture(0, (40, 30), "rgba")
    codec = av.CodecContext.create(encoders[suffix], "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 40, 30, formats[suffix], Fraction(1)
    path = tmp_path / f"50%d x{suffix}"  # a name that FFmpeg would take for a pattern
    codec.options = {"lossless": "1"} if suffix == ".webp" else {}
    opaque = source.reformat(format="rgb24").reformat(format=formats[suffix], dst_colorspace=5, dst_color_range=2)
    path.write_bytes(b"".join(bytes(p) for p in [*codec.encode(opaque), *codec.encode(None)]))
    (frame,) = read(path)
    wanted = torch.from_numpy(source.to_ndarray(format="rgb24")).permute(2, 0, 1) / 127.5 - 1
    tolerance = 0.2 if suffix == ".jpg" else 1e-6
    assert (frame.pixels - wanted).abs().max() < tolerance
    assert frame.name == path.name
    assert frame.pts is None
    assert probe(path).kind == "image"
    assert probe(path).frames == 1


def test_folder_and_glob_are_in_natural_order(tmp_path: Path) -> None:
    for name in ("f10.png", "f9.png", "f1.png", "other.bmp.txt", "._f2.png"):
        write_image(tmp_path / name, 16, 16)
    assert [f.name for f in read(tmp_path)] == ["f1.png", "f9.png", "f10.png"]
    assert [f.name for f in read(str(tmp_path / "f1*.png"))] == ["f1.png", "f10.png"]
    info = probe(tmp_path)
    assert (info.kind, info.frames) == ("images", 3)


def test_brackets_in_names_of_folders_are_taken_literally(tmp_path: Path) -> None:
    folder = tmp_path / "[My] frames"
    folder.mkdir()
    for name in ("[a] 1.png", "[a] 2.png", "b.png"):
        write_image(folder / name, 16, 16)
    assert [f.name for f in read(folder)] == ["[a] 1.png", "[a] 2.png", "b.png"]
    assert [f.name for f in read(folder / "*.png")] == ["[a] 1.png", "[a] 2.png", "b.png"]
    assert [f.name for f in read(folder / "[a] 1.png")] == ["[a] 1.png"]  # exists, so it is no pattern
    assert [f.name for f in read(folder / "[ab].png")] == ["b.png"]


def test_natural_key() -> None:
    names = ["b2.png", "a10.png", "a9b.png", "a09.png", "A1.png", "½.png"]
    assert [p.name for p in sorted(map(Path, names), key=natural_key)] == [
        "A1.png", "a09.png", "a9b.png", "a10.png", "b2.png", "½.png",
    ]  # fmt: skip


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", 16, 16)
    write_image(tmp_path / "2.png", 18, 16)
    with pytest.raises(VFEError, match=r"2\.png: is 18x16, the first image is 16x16"):
        read(tmp_path)


@pytest.mark.parametrize(("matrix", "weights"), [(1, (0.2126, 0.0722)), (6, (0.299, 0.114)), (9, (0.2627, 0.0593))])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p", "yuv444p10le", "yuv420p10le"])
def test_colours_are_those_of_the_standard(
    tmp_path: Path, pix_fmt: str, full: bool, matrix: int, weights: tuple[float, float]
) -> None:
    """A flat colour in YUV by the formulas of the standard: RGB is right to half a code value."""
    red, green, blue = 0.8, 0.45, 0.3
    kr, kb = weights
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    bits = 10 if "10" in pix_fmt else 8
    unit, top = 2 ** (bits - 8), 2**bits - 1
    spans = (top, top) if full else (219 * unit, 224 * unit)
    black = 0 if full else 16 * unit
    code = [round(luma * spans[0] + black), *(round(c * spans[1] + 128 * unit) for c in chroma)]
    luma, u, v = (code[0] - black) / spans[0], (code[1] - 128 * unit) / spans[1], (code[2] - 128 * unit) / spans[1]
    red, blue = luma + 2 * (1 - kr) * v, luma + 2 * (1 - kb) * u
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    path = tmp_path / "flat.mkv"
    media = Media(codec="ffv1", pix_fmt=pix_fmt, color_space=matrix, color_range=2 if full else 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 16, pix_fmt
        stream.codec_context.color_range, stream.codec_context.colorspace = media.color_range, matrix
        frame = picture(0, (32, 16), pix_fmt)
        for plane, value in zip(frame.planes, code, strict=True):
            rows = np.full((plane.height, plane.line_size // (1 if bits == 8 else 2)), value)
            plane.update(rows.astype("u1" if bits == 8 else "<u2").tobytes())
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    (got,) = read(path)
    wanted = torch.tensor([red, green, blue]) * 2 - 1
    assert (got.pixels - wanted[:, None, None]).abs().max() < 2 / 255 * (0.52 if bits == 8 else 0.15)


def test_untagged_matrix_is_guessed_by_size(tmp_path: Path) -> None:
    assert probe(make(tmp_path / "sd.mp4", Media(frames=1))).color_space == 6
    assert probe(make(tmp_path / "hd.mp4", Media(frames=1, size=(64, 720)))).color_space == 1


def test_gray(tmp_path: Path) -> None:
    (first, *_) = read(make(tmp_path / "g.mkv", Media(codec="ffv1", pix_fmt="gray")))
    assert torch.equal(first.pixels[0], first.pixels[1])
    assert torch.equal(first.pixels[0], first.pixels[2])
    luma = torch.from_numpy(picture(0, (64, 48), "gray").to_ndarray()).float() / 127.5 - 1
    assert (first.pixels[0] - luma).abs().max() < 1e-6


@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuva420p", 8), ("bgra", 8), ("yuva444p10le", 10)])
def test_alpha(tmp_path: Path, pix_fmt: str, bits: int) -> None:
    path = make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt=pix_fmt))
    assert probe(path).has_alpha
    assert probe(path).bit_depth == bits
    (first, *_) = read(path)
    assert first.alpha is not None
    assert first.alpha.shape == (1, 48, 64)
    source = picture(0, (64, 48), pix_fmt)
    if pix_fmt == "bgra":
        wanted = torch.from_numpy(source.to_ndarray()[..., 3] / 255)
    else:
        plane = source.planes[3]
        row = np.frombuffer(memoryview(plane), "u1" if bits == 8 else "<u2").reshape(48, -1)[:, :64]
        wanted = torch.from_numpy(row / (2**bits - 1))
    assert (first.alpha[0] - wanted).abs().max() < 1e-3


def test_alpha_of_webm(tmp_path: Path) -> None:
    path = make(tmp_path / "a.webm", Media(codec="libvpx-vp9", pix_fmt="yuva420p"))
    assert probe(path).has_alpha
    frames = read(path)
    wanted = np.frombuffer(memoryview(picture(0, (64, 48), "yuva420p").planes[3]), "u1").reshape(48, -1)[:, :64] / 255
    assert len(frames) == 6
    assert frames[0].alpha is not None
    assert (frames[0].alpha[0] - torch.from_numpy(wanted)).abs().mean() < 0.02
    assert [f.pts for f in frames] == [0, 40, 80, 120, 160, 200]


def test_alpha_of_palettes_and_gifs_is_only_what_is_used(tmp_path: Path) -> None:
    assert not probe(make(tmp_path / "a.gif", Media(codec="gif", pix_fmt="rgb8"))).has_alpha


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("hflip", [False, True])
def test_rotation_gives_upright_frames(tmp_path: Path, rotation: int, hflip: bool) -> None:
    """FFmpeg defines a matrix by degrees counterclockwise, then a flip of the shown picture."""
    plain = read(make(tmp_path / "plain.mov", Media(codec="prores_ks", pix_fmt="yuv444p10le")))
    media = Media(codec="prores_ks", pix_fmt="yuv444p10le", rotation=rotation, hflip=hflip)
    path = make(tmp_path / "turned.mov", media)
    wanted = plain[2].pixels
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        side_data = cast("Mapping[str, Buffer]", frame.side_data)
        matrix = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32) if len(side_data) else None
    if matrix is not None:
        wanted = _apply(matrix, wanted)
    got = read(path)[2].pixels
    info = probe(path)
    assert got.shape == wanted.shape == (3, info.height, info.width)
    assert torch.equal(got, wanted)


def _apply(matrix: npt.NDArray[np.int32], pixels: torch.Tensor) -> torch.Tensor:
    """Move every pixel as the matrix of the MP4 standard says."""
    a, b, _, c, d, *_ = (matrix.astype(np.int64) / 65536).round().astype(int)
    height, width = pixels.shape[-2:]
    y, x = np.mgrid[0:height, 0:width]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    out = torch.empty(3, to_y.max() + 1, to_x.max() + 1)
    out[:, torch.from_numpy(to_y), torch.from_numpy(to_x)] = pixels
    return out


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_photo(tmp_path: Path, orientation: int, suffix: str) -> None:
    codec = av.CodecContext.create("png" if suffix == ".png" else "mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.time_base = 40, 24, Fraction(1)
    codec.pix_fmt = "rgba" if suffix == ".png" else "yuvj444p"
    data = b"".join(bytes(p) for p in [*codec.encode(picture(0, (40, 24), codec.pix_fmt)), *codec.encode(None)])
    entry = b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0])
    exif = b"II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    if suffix == ".png":
        turned_data = data[:33] + png_chunk(b"eXIf", exif) + data[33:]  # after the header
    else:
        exif = b"Exif\0\0" + exif
        turned_data = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    (tmp_path / f"plain{suffix}").write_bytes(data)
    (tmp_path / f"turned{suffix}").write_bytes(turned_data)
    plain, turned = read(tmp_path / f"plain{suffix}")[0].pixels, read(tmp_path / f"turned{suffix}")[0].pixels
    # What the EXIF standard calls the place of row 0 and column 0 in the shown picture.
    wanted = {
        1: plain, 2: plain.flip(2), 3: plain.flip(1, 2), 4: plain.flip(1),
        5: plain.transpose(1, 2), 6: plain.rot90(-1, (1, 2)),
        7: plain.flip(1, 2).transpose(1, 2), 8: plain.rot90(1, (1, 2)),
    }[orientation]  # fmt: skip
    assert torch.equal(turned, wanted)
    assert probe(tmp_path / f"turned{suffix}").width == wanted.shape[2]


def test_variable_rate_and_late_start(tmp_path: Path) -> None:
    pts = (500, 540, 560, 700, 710, 1200)
    path = make(tmp_path / "v.mp4", Media(pts=pts, time_base=Fraction(1, 1000)))
    frames = read(path)
    found = [f.pts * f.time_base * 1000 for f in frames if f.pts is not None and f.time_base]
    assert found == [when - 500 for when in pts]
    lengths = [f.duration * f.time_base * 1000 for f in frames if f.duration is not None and f.time_base]
    assert lengths[:-1] == [40, 20, 140, 10, 490]


def test_broadcast_clock_starts_at_zero(tmp_path: Path) -> None:
    pts = tuple(90000 * 3600 + 3600 * i for i in range(6))
    path = make(tmp_path / "b.ts", Media(pts=pts, time_base=Fraction(1, 90000)))
    assert times(path)[0] > 3000
    frames = read(path)
    assert [f.pts for f in frames if f.pts is not None] == [3600 * i for i in range(6)]


def test_iterating_twice_and_leaving_early(tmp_path: Path) -> None:
    with open_source(make(tmp_path / "a.mp4")) as source:
        first = next(iter(source))
        assert torch.equal(first.pixels, next(iter(source)).pixels)
        assert len(list(source)) == 6
    shutil.rmtree(tmp_path)  # on Windows this fails if a file is still open


def test_describe_is_for_people(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Media(audio="aac", subtitles="subrip", aspect=Fraction(16, 11)))
    text = "\n".join(probe(path).describe())
    for part in ("64x48", "h264", "yuv420p", "25.000 frames/s", "pixel aspect 16/11", "aac, 48000 Hz", "subtitles"):
        assert part in text
