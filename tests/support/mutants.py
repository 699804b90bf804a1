"""Small videos in five containers, damaged in the ways of disks, networks and bad tools; the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support.media import Media, make
from vfe.video.boxes import boxes, from_bytes
from vfe.video.ebml import CLUSTER, SEGMENT, TRACK, TRACKS, VIDEO, elements

FRAMES = 12
Parts = Callable[[bytes, int, int], Iterator["Part"]]
"""Cuts what is between two offsets into its parts."""
EQUAL = {"fflags": "+bitexact"}  # else Matroska files get random numbers
PACKET = 188  # bytes of a packet of a transport stream


class Part(NamedTuple):
    """A box, element, chunk, tag or packet: where it begins, where its content begins, and where it ends."""

    start: int
    content: int
    end: int
    has_parts: bool = False


class Mutant(NamedTuple):
    """A damaged file."""

    name: str
    data: bytes


def mutants(folder: Path, count: int, seed: int = 0) -> Iterator[Mutant]:
    """Damaged copies of clips that are made in `folder`: each container in turn, each kind of damage in turn."""
    clips = [make(folder / f"whole{kind.suffix}", replace(kind.media, muxer=EQUAL)) for kind in CONTAINERS]
    families = [list(_families(kind.parts, clip.read_bytes())) for kind, clip in zip(CONTAINERS, clips, strict=True)]
    damages = cycle(damage for damage in DAMAGES for _ in CONTAINERS)
    for number, damage in enumerate(islice(damages, count)):
        which = number % len(CONTAINERS)
        data = damage(Random(f"{seed}.{number}"), clips[which].read_bytes(), families[which])
        yield Mutant(f"{number:03d}_{damage.__name__}{CONTAINERS[which].suffix}", data)


def _families(parts: Parts, data: bytes, start: int = 0, end: int | None = None) -> Iterator[list[Part]]:
    """The parts of a file, those that have one parent together."""
    family = list(parts(data, start, len(data) if end is None else end))
    if family:
        yield family
    for part in family:
        if part.has_parts:
            yield from _families(parts, data, part.content, part.end)


_PARENT_BOXES = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta"})
_PARENT_ELEMENTS = frozenset({SEGMENT, CLUSTER, TRACKS, TRACK, VIDEO})


def boxes_of_mp4(data: bytes, start: int, end: int) -> Iterator[Part]:
    """The boxes between two offsets."""
    for box in boxes(from_bytes(data), start, end):
        yield Part(start, box.start, box.end, box.name in _PARENT_BOXES)
        start = box.end


def elements_of_matroska(data: bytes, start: int, end: int) -> Iterator[Part]:
    """The elements between two offsets."""
    for element in elements(from_bytes(data), start, end):
        yield Part(start, element.start, element.end, element.number in _PARENT_ELEMENTS)
        start = element.end


def chunks_of_avi(data: bytes, start: int, end: int) -> Iterator[Part]:
    """The chunks between two offsets; lists and the file itself hold more after their kind, four letters."""
    while start + 8 <= end:
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        is_list = data[start : start + 4] in (b"RIFF", b"LIST")
        stop = min(end, start + 8 + size + size % 2)
        yield Part(start, start + (12 if is_list else 8), stop, is_list)
        start = stop


def packets_of_ts(_: bytes, start: int, end: int) -> Iterator[Part]:
    """The packets of a transport stream."""
    return (Part(at, at + 4, at + PACKET) for at in range(start, end - PACKET + 1, PACKET))


def tags_of_flv(data: bytes, start: int, end: int) -> Iterator[Part]:
    """The tags after the header, each with its size behind it."""
    start += 13
    while start + 15 <= end:
        stop = start + 15 + int.from_bytes(data[start + 1 : start + 4], "big")
        yield Part(start, start + 11, stop)
        start = stop


class Container(NamedTuple):
    """A kind of file, and how it is cut into parts."""

    suffix: str
    media: Media
    parts: Parts


CONTAINERS = (
    Container(".mp4", Media(frames=FRAMES, audio="aac", metadata={"title": "A film"}), boxes_of_mp4),
    Container(".mkv", Media(frames=FRAMES, codec="libvpx-vp9", audio="libopus"), elements_of_matroska),
    Container(".avi", Media(frames=FRAMES, codec="mpeg4", audio="libmp3lame"), chunks_of_avi),
    Container(".ts", Media(frames=FRAMES, codec="mpeg2video", audio="mp2"), packets_of_ts),
    Container(".flv", Media(frames=FRAMES, audio="aac"), tags_of_flv),
)

Families = list[list[Part]]
Damage = Callable[[Random, bytes, Families], bytes]


def bits_flipped(random: Random, data: bytes, _: Families) -> bytes:
    """Some bits are wrong, anywhere."""
    return _flipped(random, data, len(data))


def head_flipped(random: Random, data: bytes, _: Families) -> bytes:
    """Some bits are wrong where the file says what it is."""
    return _flipped(random, data, 800)


def tail_flipped(random: Random, data: bytes, _: Families) -> bytes:
    """Some bits are wrong at the end, where an index may be."""
    return _flipped(random, data[::-1], 1500)[::-1]


def cut_short(random: Random, data: bytes, _: Families) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data))]


def without_middle(random: Random, data: bytes, _: Families) -> bytes:
    """A piece is missing."""
    start, end = _range(random, data)
    return data[:start] + data[end:]


def blanked(random: Random, data: bytes, _: Families) -> bytes:
    """A piece is zeros, as of a download that lacks it."""
    start, end = _range(random, data)
    return data[:start] + bytes(end - start) + data[end:]


def noise(random: Random, data: bytes, _: Families) -> bytes:
    """A piece is noise."""
    start, end = _range(random, data)
    return data[:start] + random.randbytes(end - start) + data[end:]


def parts_swapped(random: Random, data: bytes, families: Families) -> bytes:
    """Two parts of one parent stand in each other's place."""
    a, b = sorted(random.sample(random.choice([family for family in families if len(family) > 1]), 2))
    return data[: a.start] + data[b.start : b.end] + data[a.end : b.start] + data[a.start : a.end] + data[b.end :]


def part_dropped(random: Random, data: bytes, families: Families) -> bytes:
    """A part is missing."""
    part = random.choice(random.choice(families))
    return data[: part.start] + data[part.end :]


def part_doubled(random: Random, data: bytes, families: Families) -> bytes:
    """A part is there twice."""
    part = random.choice(random.choice(families))
    return data[: part.end] + data[part.start : part.end] + data[part.end :]


def part_resized(random: Random, data: bytes, families: Families) -> bytes:
    """The head of a part, which says what it is and how large, is wrong."""
    part = random.choice(random.choice(families))
    at = random.randrange(part.start, part.content)
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def part_of_another(random: Random, data: bytes, families: Families) -> bytes:
    """A part is overwritten by one from elsewhere in the file."""
    a, b = random.choice(random.choice(families)), random.choice(random.choice(families))
    return data[: a.start] + data[b.start : b.end] + data[a.end :]


def numbers_extreme(random: Random, data: bytes, families: Families) -> bytes:
    """Four bytes of a part, which may be a number, are the smallest or largest there are."""
    part = random.choice(random.choice(families))
    at = random.randrange(part.content, max(part.end - 3, part.content + 1))
    return (
        data[:at]
        + random.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
        + data[at + 4 :]
    )


DAMAGES: tuple[Damage, ...] = (
    bits_flipped,
    head_flipped,
    tail_flipped,
    cut_short,
    without_middle,
    blanked,
    noise,
    parts_swapped,
    part_dropped,
    part_doubled,
    part_resized,
    part_of_another,
    numbers_extreme,
)


def _flipped(random: Random, data: bytes, within: int) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 3, 10, 60))):
        changed[random.randrange(min(within, len(data)))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _range(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data))
    return start, min(len(data), start + random.choice((1, 7, 60, 500, 3000)))
