"""The tables of docs/formats.md: every cell is a run, whose output holds the thing or whose notes name it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from tests.support.copied_media import copy
from tests.support.described_media import DEEP, HDR, PHONE_KEYS, TIMECODE, hdr_clip, metadata_of, tagged
from tests.support.dynamic_hdr import dynamic_clip, hdr10_plus
from tests.support.media import Media, make, times
from tests.support.paths import ROOT
from tests.support.photos import MAKE, image, profile, read_photo_file, thumbnail_block
from tests.support.several_streams import programme, two_videos
from vfe.video.probe import probe

FORMATS = ROOT / "docs/formats.md"


class Case(NamedTuple):
    """How one row is tried: a source in an empty folder, whether an output holds it, and what a note says else."""

    source: Callable[[Path], Path]
    holds: Callable[[Path, Path], bool]
    """Of source and output."""
    note: str = "left out"


def table(first: str) -> dict[tuple[str, str], str]:
    """Row and suffix -> "kept" or "said", of the table whose first column is called so."""
    lines = FORMATS.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    suffixes = [cell.strip(" `") for cell in lines[start].split("|")[2:-1]]
    cells: dict[tuple[str, str], str] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *values = (cell.strip() for cell in line.split("|")[1:-1])
        cells |= {(name, suffix): value for suffix, value in zip(suffixes, values, strict=True)}
    return cells


# --- of a video -----------------------------------------------------------------------------------------------------


def streams(path: Path, kind: str) -> int:
    with av.open(str(path)) as container:
        return sum(stream.type == kind for stream in container.streams)


def same_times(source: Path, output: Path) -> bool:
    gaps = [
        abs(a - b) for kind in ("video", "audio") for a, b in zip(times(source, kind), times(output, kind), strict=True)
    ]
    return max(gaps) <= Fraction(1, 1000)


def chapters(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [chapter["metadata"]["title"] for chapter in container.chapters()]


def with_cover(folder: Path) -> Path:
    image().save(folder / "cover.png")
    make(folder / "plain.mp4")
    with (
        av.open(str(folder / "plain.mp4")) as plain,
        av.open(str(folder / "cover.png")) as art,
        av.open(str(folder / "a.mp4"), "w") as out,
    ):
        targets = [out.add_stream_from_template(c.streams.video[0], opaque=True) for c in (plain, art)]
        targets[1].disposition = Disposition.attached_pic.value
        for container, target in zip((art, plain), reversed(targets), strict=True):
            copy_video(container, out, target)
    return folder / "a.mp4"


def copy_video(source: InputContainer, out: OutputContainer, target: VideoStream) -> None:
    for packet in source.demux(video=0):
        if packet.size:
            packet.stream = target
            out.mux(packet)


def has_cover(path: Path) -> bool:
    with av.open(str(path)) as container:
        return any(s.disposition & Disposition.attached_pic for s in container.streams.video)


def with_attachment(folder: Path) -> Path:
    make(folder / "plain.mkv")
    with av.open(str(folder / "plain.mkv")) as plain, av.open(str(folder / "a.mkv"), "w") as out:
        target = out.add_stream_from_template(plain.streams.video[0], opaque=True)
        out.add_attachment("font.ttf", "application/x-truetype-font", b"a font")
        copy_video(plain, out, target)
    return folder / "a.mkv"


def broadcast(folder: Path) -> Path:
    from tests.support.containers import joined_programmes

    parts = {number: programme(folder / f"{number}.ts", number, (64, 48)) for number in (1, 2)}
    return joined_programmes(folder / "all.ts", parts, {number: 0x1000 + number for number in parts})


def tags_of_file(_: Path, output: Path) -> bool:
    found = metadata_of(output)[0]
    return all(found.get(key.lower()) == value for key, value in PHONE_KEYS.items()) and found["title"] == "Holiday"


def title_of_track(_: Path, output: Path) -> bool:
    found = metadata_of(output)[1]
    return found.get("title", found.get("name")) == "Main view" and found["language"] == "ger"


def colours(source: Path, output: Path) -> bool:
    old, new = probe(source), probe(output)
    kept = ("bit_depth", "color_range", "color_space", "color_primaries", "color_transfer")
    return all(getattr(old, name) == getattr(new, name) for name in kept) and new.bit_depth == 10


OF_A_VIDEO = {
    "frame times, and when sound begins": Case(
        lambda folder: make(folder / "a.mp4", Media(frames=8, audio="aac", audio_delay=0.08)), same_times
    ),
    "sound, as it is or as AAC": Case(
        lambda folder: make(folder / "a.avi", Media(codec="mpeg4", audio="pcm_s16le")),
        lambda _, output: streams(output, "audio") == 1,
    ),
    "subtitles": Case(
        lambda folder: make(folder / "a.mkv", Media(subtitles="subrip")),
        lambda _, output: streams(output, "subtitle") == 1,
    ),
    "chapters": Case(
        lambda folder: make(folder / "a.mkv", Media(chapters=True)),
        lambda _, output: chapters(output) == ["part 0", "part 1"],
    ),
    "title, place and keys of phones": Case(
        lambda folder: tagged(folder / "a.mov", {**PHONE_KEYS, "title": "Holiday"}, {}), tags_of_file
    ),
    "start timecode": Case(
        lambda folder: tagged(folder / "a.mov", {}, {"timecode": TIMECODE}),
        lambda _, output: metadata_of(output)[1].get("timecode") == TIMECODE,
    ),
    "title and language of the track": Case(
        lambda folder: tagged(folder / "a.mkv", {}, {"title": "Main view", "language": "ger"}), title_of_track
    ),
    "colour tags and bit depth": Case(lambda folder: make(folder / "a.mkv", DEEP), colours),
    "mastering display and light levels (HDR10)": Case(
        lambda folder: hdr_clip(folder / "a.mkv"), lambda _, output: probe(output).hdr == HDR
    ),
    "light that changes by the frame (HDR10+, Dolby Vision)": Case(
        lambda folder: dynamic_clip(folder / "a.mkv", replace(DEEP, frames=2), hdr10_plus),
        lambda _, output: bool(probe(output).hdr.dynamic),
        "HDR10+ metadata is left out",
    ),
    "pixel aspect": Case(
        lambda folder: make(folder / "a.mkv", Media(aspect=Fraction(16, 11))),
        lambda _, output: probe(output).sample_aspect_ratio == Fraction(16, 11),
    ),
    "a second video, not restored": Case(
        lambda folder: two_videos(folder / "a.mp4"), lambda _, output: streams(output, "video") == 2
    ),
    "cover art": Case(with_cover, lambda _, output: has_cover(output), "cover art is left out"),
    "attachments": Case(
        with_attachment, lambda _, output: streams(output, "attachment") == 1, "attachment streams are left out"
    ),
    "the other programmes of a broadcast": Case(
        broadcast, lambda _, output: streams(output, "audio") == 2, "holds 2 programmes"
    ),
    "colour profiles and EXIF of images": Case(
        lambda folder: photo(folder / "a.png"), lambda *_: False, "ICC profiles and EXIF data of images are left out"
    ),
}


# --- of an image ----------------------------------------------------------------------------------------------------


def photo(path: Path, space: bytes = b"RGB ") -> Path:
    shown = image().convert({b"RGB ": "RGB", b"GRAY": "L"}[space])
    shown.save(path, icc_profile=profile(space), exif=b"Exif\0\0" + thumbnail_block())
    return path


def transparent(folder: Path) -> Path:
    shown = image().convert("RGBA")
    shown.putalpha(image().convert("L"))
    shown.save(folder / "a.png")
    return folder / "a.png"


def bright(folder: Path) -> Path:
    copy(make(folder / "a.mkv", replace(DEEP, frames=1)), folder / "a.png")
    return folder / "a.png"


def deep(folder: Path) -> Path:
    Image.fromarray(np.asarray(image().convert("L")).astype("uint16") * 250).save(folder / "a.png")
    return folder / "a.png"


OF_AN_IMAGE = {
    "ICC profile of RGB": Case(
        lambda folder: photo(folder / "a.jpg"),
        lambda _, output: read_photo_file(output).icc == profile(),
        "ICC profile and EXIF data are left out",
    ),
    "ICC profile of grey or CMYK": Case(
        lambda folder: photo(folder / "a.jpg", b"GRAY"),
        lambda _, output: read_photo_file(output).icc is not None,
        "the ICC profile is left out: it describes GRAY values",
    ),
    "EXIF, without its thumbnail": Case(
        lambda folder: photo(folder / "a.jpg"),
        lambda _, output: read_photo_file(output).first.get(MAKE) == "Maker of cameras",
        "EXIF data are left out",
    ),
    "transparency": Case(transparent, lambda _, output: probe(output).has_alpha, "alpha is dropped"),
    "that colours are HDR": Case(
        bright, lambda _, output: probe(output).color_transfer == 16, "that the colours are HDR is left out"
    ),
    "16 bits": Case(deep, lambda _, output: probe(output).bit_depth == 16, "bit depth above 8 is dropped"),
}


@pytest.mark.parametrize(("heading", "cases"), [("Of a video", OF_A_VIDEO), ("Of an image", OF_AN_IMAGE)])
def test_every_row_is_tried(heading: str, cases: dict[str, Case]) -> None:
    assert {name for name, _ in table(heading)} == cases.keys()
    assert set(table(heading).values()) == {"kept", "said"}


@pytest.mark.parametrize(
    ("case", "suffix", "promise"),
    [
        pytest.param(cases[name], suffix, promise, id=f"{name}-{suffix}")
        for heading, cases in (("Of a video", OF_A_VIDEO), ("Of an image", OF_AN_IMAGE))
        for (name, suffix), promise in table(heading).items()
        if name in cases
    ],
)
def test_the_table_is_true(tmp_path: Path, case: Case, suffix: str, promise: str) -> None:
    (tmp_path / "in").mkdir()
    source, output = case.source(tmp_path / "in"), tmp_path / f"out{suffix}"
    read, sink = copy(source, output)
    notes = [note for note in (*read.notes, *sink.notes) if case.note in note]
    assert case.holds(source, output) == (promise == "kept")
    assert bool(notes) == (promise == "said")
