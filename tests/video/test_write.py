"""What goes in comes out: pixels, depth, chroma, colour tags, times, sizes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from tests.support.clips import write_image
from tests.support.copied_media import DEFAULT_SINK, copy
from tests.support.media import Media, make, planes, times
from vfe.types import VFEError
from vfe.video.probe import probe
from vfe.video.read import Frame, open_source
from vfe.video.write import SinkConfig, open_sink


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p12le", "yuv444p16le", "yuva420p", "yuva444p10le"],
)
def test_lossless_round_trip_is_neutral(tmp_path: Path, pix_fmt: str, matrix: int, full: bool) -> None:
    media = Media(codec="ffv1", pix_fmt=pix_fmt, color_space=matrix, color_range=2 if full else 1, frames=2)
    source = make(tmp_path / "a.mkv", media)
    copy(source, tmp_path / "b.mkv", SinkConfig(codec="ffv1"))
    old, new = probe(source), probe(tmp_path / "b.mkv")
    assert (new.pix_fmt, new.color_space, new.color_range) == (pix_fmt, matrix, media.color_range)
    unit = 2 ** (old.bit_depth - 8)
    for before, after in zip(planes(source), planes(tmp_path / "b.mkv"), strict=True):
        for p, q in zip(before, after, strict=True):
            assert np.abs(p - q).max() <= unit
            assert abs((p - q).mean()) <= 0.1 * unit  # no drift towards dark or a colour


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv420p10le", "yuv444p16le", "yuva420p"])
def test_what_nobody_changed_keeps_its_code_values(tmp_path: Path, pix_fmt: str, full: bool) -> None:
    """Of a frame as it is all of them; of one with a changed corner all that are away from it, and few beside them."""
    media = Media(codec="ffv1", pix_fmt=pix_fmt, color_space=1, color_range=2 if full else 1, frames=2)
    path = make(tmp_path / "a.mkv", media)
    with open_source(path) as source:
        with open_sink(tmp_path / "b.mkv", source.info, (64, 48), SinkConfig(codec="ffv1")) as sink:
            for index, frame in enumerate(source):
                pixels = frame.pixels.clone()
                pixels[:, :10, :10] += 0.2 * index
                sink.write(replace(frame, pixels=pixels))
    (same, corner), (same_after, corner_after) = planes(path), planes(tmp_path / "b.mkv")
    assert all(np.array_equal(a, b) for a, b in zip(same, same_after, strict=True))
    for before, after in zip(corner[:3], corner_after[:3], strict=True):
        assert np.array_equal(before[10:], after[10:])
        assert np.array_equal(before[:, 10:], after[:, 10:])
    assert (corner_after[0][:10, :10] > corner[0][:10, :10]).all()


@pytest.mark.parametrize(
    "pix_fmt", ["bgr0", "bgra", "gbrp10le", "gbrp16le", "gbrap12le", "gray", "gray10le", "gray16le"]
)
def test_lossless_rgb_and_gray_are_exact(tmp_path: Path, pix_fmt: str) -> None:
    source = make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt=pix_fmt, frames=2))
    copy(source, tmp_path / "b.mkv", SinkConfig(codec="ffv1"))
    assert probe(tmp_path / "b.mkv").pix_fmt == pix_fmt
    with open_source(source) as a, open_source(tmp_path / "b.mkv") as b:
        for before, after in zip(a, b, strict=True):
            assert (before.pixels - after.pixels).abs().max() < 1e-6
            assert (before.alpha is None) == (after.alpha is None)
            if before.alpha is not None and after.alpha is not None:
                assert (before.alpha - after.alpha).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("suffix", "codec", "source", "pix_fmt"),
    [
        (".mp4", None, "yuv420p", "yuv420p"),
        (".mp4", "h264", "yuv422p", "yuv422p"),
        (".mkv", "h264", "yuv444p", "yuv444p"),
        (".mov", "h264", "yuv420p10le", "yuv420p10le"),
        (".mp4", "h264", "yuv444p12le", "yuv444p10le"),
        (".mp4", "h265", "yuv420p10le", "yuv420p10le"),
        (".mp4", "h265", "yuv422p12le", "yuv422p12le"),
        (".mp4", "h264", "bgr0", "yuv420p"),
        (".mov", "prores", "yuv420p", "yuv422p10le"),
        (".mov", "prores", "yuv444p", "yuv444p12le"),  # FFmpeg's decoder gives ProRes 4444 as 12 bit
        (".mov", "prores", "yuva444p", "yuva444p12le"),
        (".mkv", "ffv1", "yuv420p", "yuv420p"),
        (".mkv", "ffv1", "yuv420p10le", "yuv420p10le"),
    ],
)
def test_codecs(tmp_path: Path, suffix: str, codec: str | None, source: str, pix_fmt: str) -> None:
    path = make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt=source))
    _, sink = copy(path, tmp_path / f"b{suffix}", SinkConfig(codec=codec))  # type: ignore[arg-type]
    info = probe(tmp_path / f"b{suffix}")
    assert (info.width, info.height, info.frames, info.pix_fmt) == (64, 48, 6, pix_fmt)
    assert info.codec == {"h265": "hevc", None: "h264"}.get(codec, codec)
    assert any("12" in note for note in sink.notes) == (source == "yuv444p12le" and codec == "h264")
    with open_source(path) as a, open_source(tmp_path / f"b{suffix}") as b:
        for before, after in zip(a, b, strict=True):
            assert (before.pixels - after.pixels).abs().mean() < 0.02


def test_h265_in_mp4_has_the_tag_that_players_need(tmp_path: Path) -> None:
    copy(make(tmp_path / "a.mp4"), tmp_path / "b.mp4", SinkConfig(codec="h265"))
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("size", [(253, 147), (16, 16), (64, 47), (63, 48), (1, 1), (2, 2)])
@pytest.mark.parametrize("codec", ["h264", "h265", "ffv1"])
def test_sizes_are_exact(tmp_path: Path, size: tuple[int, int], codec: str) -> None:
    path = make(tmp_path / "a.mkv", Media(size=size, codec="ffv1", frames=2))
    if codec == "h265" and min(size) < 16:
        with pytest.raises(VFEError, match="too small for h265"):
            copy(path, tmp_path / "b.mkv", SinkConfig(codec="h265"))
        return
    _, sink = copy(path, tmp_path / "b.mkv", SinkConfig(codec=codec))  # type: ignore[arg-type]
    info = probe(tmp_path / "b.mkv")
    assert (info.width, info.height) == size
    odd = size[0] % 2 or size[1] % 2
    assert bool(sink.notes) == bool(odd and codec != "ffv1")


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_short_clips(tmp_path: Path, frames: int, codec: str) -> None:
    source = make(tmp_path / "a.mp4", Media(frames=frames))
    for _ in range(3):  # what x265 does wrong differs from run to run
        copy(source, tmp_path / "b.mkv", SinkConfig(codec=codec, overwrite=True))  # type: ignore[arg-type]
        assert times(tmp_path / "b.mkv") == times(source)


def test_h264_puts_no_grain_back(tmp_path: Path) -> None:
    """x264 notes its settings in the stream: it makes no psychovisual decisions."""
    copy(make(tmp_path / "clip.mp4", Media(frames=3)), tmp_path / "copy.mp4")
    assert b" psy=0 " in (tmp_path / "copy.mp4").read_bytes()


def test_crf_changes_the_size_of_the_file(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Media(codec="ffv1", size=(128, 96)))
    sizes = []
    for crf in (0, None, 40):
        copy(source, tmp_path / f"{crf}.mp4", SinkConfig(crf=crf))
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]
    with pytest.raises(VFEError, match="crf 60"):
        SinkConfig(crf=60)
    with pytest.raises(VFEError, match="codec 'vp9' is unknown"):
        SinkConfig(codec="vp9")  # type: ignore[arg-type]


def test_colour_tags_are_kept(tmp_path: Path) -> None:
    media = Media(color_range=2, color_space=9, color_primaries=9, color_transfer=16, pix_fmt="yuv420p10le")
    source = make(tmp_path / "a.mp4", media)
    for name, codec in (("b.mp4", "h264"), ("c.mkv", "h265"), ("d.mov", "h264"), ("e.mkv", "ffv1")):
        copy(source, tmp_path / name, SinkConfig(codec=codec))  # type: ignore[arg-type]
        info = probe(tmp_path / name)
        tags = (info.color_range, info.color_space, info.color_primaries, info.color_transfer)
        assert tags == (2, 9, 9, 16), name


def test_guessed_matrix_is_written_down(tmp_path: Path) -> None:
    """A larger output would make players guess another matrix than the one that was used."""
    info = probe(make(tmp_path / "a.mp4", Media(frames=1)))
    with open_sink(tmp_path / "b.mp4", info, (64, 720), DEFAULT_SINK) as sink:
        sink.write(Frame(torch.zeros(3, 720, 64)))
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 6


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_input_is_written_upright(tmp_path: Path, rotation: int) -> None:
    source = make(tmp_path / "a.mp4", Media(rotation=rotation, aspect=Fraction(4, 3)))
    copy(source, tmp_path / "b.mp4")
    old, new = probe(source), probe(tmp_path / "b.mp4")
    assert new.rotation == 0
    assert (new.width, new.height) == (old.width, old.height)
    assert new.sample_aspect_ratio == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))


def test_pixel_aspect_keeps_the_shape_whatever_the_size(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", Media(aspect=Fraction(16, 11), frames=1)))
    for size, aspect in (((128, 96), Fraction(16, 11)), ((128, 48), Fraction(8, 11)), ((65, 49), Fraction(16, 11))):
        with open_sink(tmp_path / "b.mp4", info, size, SinkConfig(overwrite=True)) as sink:
            sink.write(Frame(torch.zeros(3, size[1], size[0])))
        assert probe(tmp_path / "b.mp4").sample_aspect_ratio == aspect


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "media",
    [
        Media(pts=(0, 40, 60, 200, 210, 500), time_base=Fraction(1, 1000)),
        Media(pts=(500, 540, 560, 700, 710, 1200), time_base=Fraction(1, 1000), audio="aac"),
        Media(rate=Fraction(30000, 1001), frames=8, options={"bf": "3"}),
        Media(rate=Fraction(25), frames=1),
    ],
)
def test_times_are_exact(tmp_path: Path, suffix: str, media: Media) -> None:
    source = make(tmp_path / "a.mp4", media)
    copy(source, tmp_path / f"b{suffix}")
    wanted, got = times(source), times(tmp_path / f"b{suffix}")
    if suffix == ".mkv":  # counts in milliseconds
        wanted = [Fraction(round(t * 1000), 1000) for t in wanted]
    assert got == wanted
    if media.audio and suffix != ".mkv":
        assert times(source, "audio") == times(tmp_path / f"b{suffix}", "audio")


def test_last_frame_keeps_its_duration(tmp_path: Path) -> None:
    info = replace(probe(make(tmp_path / "a.mp4")), time_base=Fraction(1, 1000))
    with open_sink(tmp_path / "b.mp4", info, (64, 48), DEFAULT_SINK) as sink:
        for pts, duration in ((0, 100), (100, 900)):
            sink.write(Frame(torch.zeros(3, 48, 64), pts=pts, duration=duration, time_base=Fraction(1, 1000)))
    assert probe(tmp_path / "b.mp4").duration == pytest.approx(1.0)


def test_times_that_do_not_increase_are_mended_and_noted(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4"))
    with open_sink(tmp_path / "b.mp4", info, (64, 48), DEFAULT_SINK) as sink:
        for pts in (0, 5, 5, 3, None):
            sink.write(Frame(torch.zeros(3, 48, 64), pts=pts))
    assert len(times(tmp_path / "b.mp4")) == 5
    assert "2 frame times" in sink.notes[0]


def test_folder_of_pngs_and_back(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt="yuv444p"))
    copy(source, tmp_path / "frames")
    names = sorted(p.name for p in (tmp_path / "frames").iterdir())
    assert names == [f"{i:06d}.png" for i in range(1, 7)]
    with open_source(source) as a, open_source(tmp_path / "frames") as b:
        for before, after in zip(a, b, strict=True):
            assert (before.pixels - after.pixels).abs().max() < 1e-6
    copy(tmp_path / "frames", tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").frames == 6
    assert probe(tmp_path / "b.mp4").rate == 25


def test_pngs_keep_16_bits_and_alpha(tmp_path: Path) -> None:
    copy(make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt="yuva444p10le", frames=1)), f"{tmp_path / 'x.y'}/")
    info = probe(tmp_path / "x.y" / "000001.png")
    assert info.pix_fmt == "rgba64be"
    assert info.has_alpha
    assert info.bit_depth == 16


def test_pngs_are_named_after_their_images(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b 2.png"):
        write_image(tmp_path / "in" / name)
    (tmp_path / "in" / "c.png").write_bytes((tmp_path / "in" / "a.png").read_bytes())
    (tmp_path / "in" / "a.tif").write_bytes((tmp_path / "in" / "a.png").read_bytes())  # content decides
    copy(tmp_path / "in", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "a.tif.png", "b 2.png", "c.png"] or sorted(
        p.name for p in (tmp_path / "out").iterdir()
    ) == ["a.png", "a.png.png", "b 2.png", "c.png"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("pix_fmt", ["rgb24", "gray", "rgba", "rgb48be", "pal8"])
def test_one_image_to_one_image(tmp_path: Path, suffix: str, pix_fmt: str) -> None:
    source = write_image(tmp_path / "a.png", 33, 17, "rgba" if pix_fmt == "pal8" else pix_fmt)
    _, sink = copy(source, tmp_path / f"b{suffix}")
    with open_source(source) as a, open_source(tmp_path / f"b{suffix}") as b:
        (before,), (after,) = a, b
    tolerance = 0.08 if suffix == ".jpg" else 0.006 if pix_fmt == "rgb48be" else 1e-6
    assert (before.pixels - after.pixels).abs().max() < tolerance
    keeps_alpha, keeps_depth = suffix != ".jpg", suffix in {".png", ".tif"}
    lost = (pix_fmt in {"rgba", "pal8"} and not keeps_alpha) + (pix_fmt == "rgb48be" and not keeps_depth)
    assert len(sink.notes) == lost


def test_one_image_to_video_and_one_frame_to_image(tmp_path: Path) -> None:
    copy(write_image(tmp_path / "a.png"), tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").frames == 1
    copy(tmp_path / "b.mp4", tmp_path / "c.png")
    assert probe(tmp_path / "c.png").kind == "image"


def test_alpha_is_kept_or_noted(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Media(codec="ffv1", pix_fmt="yuva420p"))
    _, sink = copy(source, tmp_path / "b.mp4")
    assert any("alpha is dropped" in note for note in sink.notes)
    for name, codec in (("b.mov", "prores"), ("b.mkv", "ffv1")):
        _, sink = copy(source, tmp_path / name, SinkConfig(codec=codec))  # type: ignore[arg-type]
        assert not sink.notes
        with open_source(source) as a, open_source(tmp_path / name) as b:
            before, after = next(iter(a)).alpha, next(iter(b)).alpha
            assert before is not None
            assert after is not None
            assert (before - after).abs().max() < 0.02


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "ffv1"), (".mov", "ffv1"), (".mp4", "prores")])
def test_codec_that_does_not_fit_the_container(tmp_path: Path, suffix: str, codec: str) -> None:
    info = probe(make(tmp_path / "a.mp4"))
    with pytest.raises(VFEError, match=f"a {suffix} file cannot hold {codec}"):
        open_sink(tmp_path / f"b{suffix}", info, (64, 48), SinkConfig(codec=codec))  # type: ignore[arg-type]


def test_out_of_range_pixels_are_clamped(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4"))
    with open_sink(tmp_path / "b", info, (64, 48), DEFAULT_SINK) as sink:
        sink.write(Frame(torch.full((3, 48, 64), 1.5)))
        sink.write(Frame(torch.full((3, 48, 64), -7.0)))
        sink.write(Frame(torch.full((3, 48, 64), 0.5).to(torch.bfloat16)))
    with open_source(tmp_path / "b") as source:
        assert [round(float(frame.pixels.mean()), 2) for frame in source] == [1.0, -1.0, 0.5]
