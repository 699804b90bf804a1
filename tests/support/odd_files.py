"""Small files whose times are odd in the ways of real ones, made with the ffmpeg program."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.ffmpeg_times import ffmpeg

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
TONE = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=1")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "12")
MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-g", "12")
THIRD_GAP = ("-af", "aselect='not(between(t,0.3,0.6))'")
VARIABLE = ("-vf", "select='not(eq(mod(n,7),3))*not(between(n,10,14))'", "-fps_mode", "vfr")


class Odd(NamedTuple):
    """How to make one file."""

    name: str
    make: Callable[[Path, Path], None]
    """Gets where the base clip is and where the file goes."""
    sound: str = "copy"
    """How the reference treats the sound: as we do."""
    slack: float = 0.0
    """Seconds by which the sound may differ: ffmpeg builds its filters anew where sound changes, and loses a rest; and
    of sound that an edit list takes away, we keep what a decoder begins with."""


def remuxed(*options: str, before: tuple[str, ...] = ()) -> Callable[[Path, Path], None]:
    """The packets of the base clip (H.264 with B-frames, AAC) in another container."""
    return lambda base, path: void(ffmpeg(*before, "-i", base, "-c", "copy", *options, path))


def encoded(*options: str, picture: tuple[str, ...] = PICTURE) -> Callable[[Path, Path], None]:
    """A clip of its own."""
    return lambda _, path: void(ffmpeg(*picture, *TONE, *options, path))


def joined(*parts: tuple[str, ...], codecs: tuple[str, ...] = (*H264, "-c:a", "mp2")) -> Callable[[Path, Path], None]:
    """Recordings one behind the other, as `cat` joins them; each with its own options."""

    def make(_: Path, path: Path) -> None:
        data = b""
        for options in parts:
            part = path.with_name(f"part{path.suffix}")
            ffmpeg(*PICTURE, *TONE, *codecs, *options, part)
            data += part.read_bytes()
        path.write_bytes(data)

    return make


def at(seconds: float) -> tuple[str, ...]:
    """Options for a recording whose times begin there."""
    return ("-output_ts_offset", str(seconds))


def cut(make: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """The first 60 % of a file."""

    def make_cut(base: Path, path: Path) -> None:
        make(base, path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])

    return make_cut


def trimmed(_: Path, path: Path) -> None:
    """A clip of one keyframe, the first half of which an edit list takes away."""
    whole = path.with_name("whole.mp4")
    ffmpeg(*PICTURE, *TONE, *H264, "-g", "250", "-c:a", "aac", whole)
    remuxed(before=("-ss", "0.5"))(whole, path)


def void(_: bytes) -> None:
    """Nothing of what ffmpeg prints is wanted."""


TWO_TONES = ("-f", "lavfi", "-i", "sine=f=880:r=44100:d=1", "-map", "0", "-map", "1", "-map", "2")
JOINED = [
    Odd("again_from_0.ts", joined((), ()), "aac"),
    Odd("from_3_to_0.ts", joined(at(3), ()), "aac"),
    Odd("half_a_second_twice.ts", joined(at(0.5), at(1)), "aac"),
    Odd("an_hour_gap.ts", joined((), at(3600)), "aac"),
    Odd("four_parts.ts", joined(at(95000), at(3), at(400), at(1)), "aac"),
    Odd("two_sounds.ts", joined((), at(50), codecs=(*TWO_TONES, *H264, "-c:a", "aac"))),
    Odd("discs.vob", joined(at(30), at(0), codecs=(*MPEG2, "-c:a", "ac3")), "pcm_s16le"),
]
GAPS = [
    Odd("one_second_gap.ts", joined((), at(2)), "aac"),
    Odd("eight_seconds_gap.ts", joined((), at(9)), "aac"),
    Odd("mono_then_stereo.ts", joined(("-ac", "1"), ("-ac", "2", *at(1))), "aac", 0.01),
    Odd("32_then_48_kHz.ts", joined(("-ar", "32000"), ("-ar", "48000", *at(1))), "aac", 0.01),
    Odd("sound_gap.ts", encoded(*THIRD_GAP, *H264, "-c:a", "mp2"), "aac"),
    Odd("sound_gap.mkv", encoded(*THIRD_GAP, *H264, "-c:a", "aac")),
]
LATE = [
    Odd("late.flv", remuxed(*at(3600))),
    Odd("late.mkv", remuxed(*at(100))),
    Odd("late.ts", remuxed(*at(100))),
    Odd("before_the_wrap.ts", remuxed(*at(95443.4))),
    Odd("sound_later.mp4", encoded(*H264, "-c:a", "aac", picture=(*PICTURE, "-itsoffset", "0.7"))),
    Odd("sound_later.flv", encoded(*H264, "-c:a", "aac", picture=(*PICTURE, "-itsoffset", "0.7"))),
    Odd("sound_later.ts", encoded(*MPEG2, "-c:a", "mp2", picture=(*PICTURE, "-itsoffset", "0.7")), "aac"),
    Odd("picture_later.mp4", encoded(*H264, "-c:a", "aac", picture=("-itsoffset", "0.7", *PICTURE))),
    Odd("picture_later.mkv", encoded(*H264, "-c:a", "aac", picture=("-itsoffset", "0.7", *PICTURE))),
]
CONTAINERS = [
    Odd("h264.avi", encoded(*H264, "-c:a", "libmp3lame")),
    Odd("packed.avi", encoded("-c:v", "mpeg4", "-bf", "2", "-vtag", "XVID", "-c:a", "libmp3lame")),
    Odd("pcm.avi", encoded("-c:v", "mpeg4", "-c:a", "pcm_s16le"), "aac"),
    Odd("dropped.avi", encoded(*VARIABLE, "-c:v", "mpeg4", "-c:a", "libmp3lame")),
    Odd("variable.mp4", encoded(*VARIABLE, *H264, "-c:a", "aac")),
    Odd("variable.mkv", encoded(*VARIABLE, *H264, "-c:a", "aac")),
    Odd("trimmed.mp4", remuxed(before=("-ss", "0.5")), "pcm_s16le", 0.08),
    Odd("trimmed_deep.mp4", trimmed, "pcm_s16le", 0.08),
    Odd("trimmed.mkv", remuxed(before=("-ss", "0.5"))),
    Odd("shortened.mp4", remuxed("-t", "0.7")),
    Odd("fragments.mp4", remuxed("-movflags", "frag_keyframe+empty_moov")),
    Odd("negative_offsets.mp4", remuxed("-movflags", "negative_cts_offsets")),
    Odd("no_edits.mp4", remuxed("-use_editlist", "0")),
    Odd("phone.3gp", encoded("-c:v", "mpeg4", "-c:a", "aac", "-ar", "8000", "-ac", "1")),
    Odd("web.webm", encoded("-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"), "aac"),
    Odd("windows.wmv", encoded("-c:v", "wmv2", "-c:a", "wmav2"), "aac"),
    Odd("camera.mxf", encoded(*MPEG2, "-c:a", "pcm_s16le"), "aac"),
    Odd("disc.mpg", encoded("-c:v", "mpeg1video", "-bf", "2", "-c:a", "mp2"), "aac"),
    Odd("ntsc.mp4", encoded(*H264, "-r", "30000/1001", "-c:a", "aac")),
    Odd("ntsc.ts", encoded(*H264, "-r", "60000/1001", "-c:a", "aac")),
    Odd("ntsc.mkv", encoded(*H264, "-r", "24000/1001", "-c:a", "aac")),
    Odd("telecine.ts", encoded("-vf", "telecine", *MPEG2, "-flags", "+ilme+ildct", "-c:a", "mp2"), "aac"),
    Odd("raw.h264", remuxed("-an")),
    Odd("cut.ts", cut(remuxed())),
    Odd("cut.mkv", cut(remuxed())),
    Odd("cut.avi", cut(encoded("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"))),
    Odd("cut.wmv", cut(encoded("-c:v", "wmv2", "-c:a", "wmav2")), "aac"),
]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
