"""The whole file is carried, not its first stream or frame: programmes, videos, covers, cropping, interlacing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.support.clips import read_pixels, write_image
from tests.support.containers import joined_programmes, with_aperture, with_cropping
from tests.support.copied_media import copy
from tests.support.media import Media, make
from tests.support.several_streams import programme, two_videos
from vfe.video.probe import probe
from vfe.video.programmes import read_programmes
from vfe.video.read import open_source


def kinds(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


# --- programmes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def programmes(tmp_path: Path) -> Path:
    """Three programmes, of which the second has the largest picture and the third none."""
    parts = {
        number: programme(tmp_path / f"{number}.ts", number, size)
        for number, size in ((1, (64, 48)), (2, (128, 96)), (3, None))
    }
    return joined_programmes(tmp_path / "all.ts", parts, {number: 0x1000 + number for number in parts})


def test_one_programme_is_restored_with_its_sound(tmp_path: Path, programmes: Path) -> None:
    assert [found.number for found in read_programmes(programmes)] == [1, 2, 3]
    _, sink = copy(programmes, tmp_path / "b.mkv")
    notes = [note for note in sink.notes if "programmes" in note]
    number = int(notes[0].split("number ")[1][0])
    assert len(notes) == 1
    assert number in (1, 2)
    assert "3 (mp2)" in notes[0]
    assert kinds(tmp_path / "b.mkv") == ["video", "audio"]
    with av.open(str(programmes)) as old, av.open(str(tmp_path / "b.mkv")) as new:
        own = next(s for s in old.streams.audio if s.id // 0x100 == number)
        assert b"".join(map(bytes, old.demux(own))) == b"".join(map(bytes, new.demux(audio=0)))


@pytest.mark.parametrize(("size", "before"), [(192, 4), (204, 0)])
def test_programmes_in_other_packets(tmp_path: Path, programmes: Path, size: int, before: int) -> None:
    """Blu-ray puts a time before each packet, DVB a sum behind it."""
    data = programmes.read_bytes()
    wrapped = (bytes(before) + data[at : at + 188] + bytes(size - before - 188) for at in range(0, len(data), 188))
    (tmp_path / "wrapped.ts").write_bytes(b"".join(wrapped))
    assert read_programmes(tmp_path / "wrapped.ts") == read_programmes(programmes)


def test_a_single_programme_needs_no_note(tmp_path: Path) -> None:
    _, sink = copy(programme(tmp_path / "a.ts", 1, (64, 48)), tmp_path / "b.mkv")
    assert not sink.notes
    assert read_programmes(make(tmp_path / "a.mp4")) == ()


# --- further videos and covers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_second_video_is_copied(tmp_path: Path, suffix: str) -> None:
    source, out = two_videos(tmp_path / "a.mp4"), tmp_path / f"b{suffix}"
    _, sink = copy(source, out)
    assert sink.notes == ["video stream 1 (h264) is copied as it is, not restored"]
    with av.open(str(source)) as old, av.open(str(out)) as new:
        shown = [[f.to_ndarray() for f in c.decode(video=1)] for c in (old, new)]
        assert len(shown[0]) == 8
        assert all(np.array_equal(a, b) for a, b in zip(*shown, strict=True))
        assert [bool(s.disposition & Disposition.default) for s in new.streams.video] == [True, False]
    with av.open(str(source)) as old, av.open(str(out)) as new:
        stamps = [[f.pts * f.time_base for f in c.decode(video=1) if f.pts is not None] for c in (old, new)]
        assert max(abs(a - b) for a, b in zip(*stamps, strict=True)) <= Fraction(1, 1000)
    assert probe(out).width == 64  # the restored one is what is shown


def test_a_second_video_that_does_not_fit_is_noted(tmp_path: Path) -> None:
    _, sink = copy(two_videos(tmp_path / "a.mkv", "ffv1"), tmp_path / "b.mov")
    assert sink.notes == ["video stream 1 (ffv1) is left out: .mov cannot hold it"]


def test_cover_art(tmp_path: Path) -> None:
    cover = write_image(tmp_path / "cover.png")
    source = tmp_path / "a.mp4"
    make(tmp_path / "plain.mp4")
    with av.open(str(tmp_path / "plain.mp4")) as plain, av.open(str(cover)) as image, av.open(str(source), "w") as out:
        video = out.add_stream_from_template(plain.streams.video[0], opaque=True)
        art = out.add_stream_from_template(image.streams.video[0], opaque=True)
        art.disposition = Disposition.attached_pic.value
        for container, target in ((image, art), (plain, video)):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = target
                    out.mux(packet)
    _, sink = copy(source, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert not sink.notes
        assert container.streams.video[1].disposition & Disposition.attached_pic
        assert bytes(next(container.demux(container.streams.video[1]))) == cover.read_bytes()
    for suffix in (".mkv", ".mov"):
        _, sink = copy(source, tmp_path / f"b{suffix}")
        assert sink.notes == [f"cover art is left out: {suffix} cannot hold it"]


# --- cropping -------------------------------------------------------------------------------------------------------


def test_matroska_cropping(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Media(size=(128, 96), aspect=Fraction(2)))
    whole = read_pixels(source)
    with_cropping(source, (16, 8, 12, 4))
    info = probe(source)
    assert (info.width, info.height, info.sample_aspect_ratio) == (100, 84, Fraction(2))
    copy(source, tmp_path / "b.mkv")
    assert (probe(tmp_path / "b.mkv").width, probe(tmp_path / "b.mkv").sample_aspect_ratio) == (100, Fraction(2))
    with open_source(source) as opened:
        shown = ((next(iter(opened)).pixels + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert shown.shape == (84, 100, 3)
    assert np.abs(shown - whole[0, 8:92, 16:116]).mean() < 2


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize(
    ("shown", "aspect"), [(None, 1), ((100, 84), 1), ((200, 84), 2)], ids=["size of all", "size of the part", "wide"]
)
def test_clean_aperture(tmp_path: Path, rotation: int, shown: tuple[int, int] | None, aspect: int) -> None:
    """Cut out before it is turned; FFmpeg compares the size of the track with that of the whole picture."""
    source = make(tmp_path / "a.mp4", Media(size=(128, 96), rotation=rotation))
    whole = read_pixels(source)
    with_aperture(source, (100, 84), (2, -2), shown)
    info = probe(source)
    turned = rotation == 90
    assert (info.width, info.height) == ((84, 100) if turned else (100, 84))
    assert info.sample_aspect_ratio == (Fraction(1, aspect) if turned else aspect)
    with open_source(source) as opened:
        found = ((next(iter(opened)).pixels + 1) * 127.5).round().permute(1, 2, 0).numpy()
    part = whole[0, 4:88, 16:116]
    turns = info.rotation // 90
    assert np.abs(found - np.rot90(part, -turns)).mean() < 3


def test_an_aperture_that_is_no_part_is_ignored(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Media(size=(128, 96)))
    with_aperture(source, (300, 84), (0, 0))
    assert (probe(source).width, probe(source).height) == (128, 96)


# --- interlacing ----------------------------------------------------------------------------------------------------


def test_interlacing_that_begins_later_is_noted(tmp_path: Path) -> None:
    for part, flags in enumerate(({}, {"flags": "+ildct+ilme"})):
        make(tmp_path / f"{part}.ts", Media(codec="mpeg2video", options=flags))
    (tmp_path / "all.ts").write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    assert not probe(tmp_path / "all.ts").interlaced
    source, _ = copy(tmp_path / "all.ts", tmp_path / "b.mp4")
    assert any("frames are interlaced; they are written as they are" in note for note in source.notes)
