"""A clip through a video codec, modern or old: constant quality or a bit rate, and damage on the way.

T frames, h w sides. All encoders and decoders run on one thread: the bytes are a function of the frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from av.video.reformatter import VideoReformatter
from torch import Tensor

from ..types import VFEError
from ..video.colour import FULL
from ..video.pixels import SWSCALE_FLAGS, FrameFormat, FrameWriter
from ..video.x264 import reproducible_options
from .frames import to_frames, to_planes, to_rgb
from .ranges import Range, chance, check_range, check_share, integer, uniform

FRAME_RATE = Fraction(25)
SIDE_MULTIPLE = 4  # H.263+ takes multiples of 4
LEAST_BITS = 1000  # a second: x264 refuses less
BT601_MATRIX = 5  # the number of H.273 for the matrix that JPEG uses
QP_LAMBDA = 118  # FFmpeg's units in a quantiser step
DAMAGED_RANGE = (0.3, 0.9)  # of a packet: its head holds what a decoder cannot do without


@dataclass(frozen=True)
class EncoderKind:
    """How an encoder of FFmpeg is used: the decoder of its stream, and its settings from very good to very bad."""

    decoder: str
    quality: tuple[int, int] = (3, 31)
    """The quantiser, for x264 the constant rate factor."""
    full_range: bool = False
    conceals: bool = False
    """Its decoder goes on after damage."""


ENCODERS = {
    "libx264": EncoderKind("h264", (18, 42)),
    "libvpx": EncoderKind("vp8", (10, 62)),
    "mjpeg": EncoderKind("mjpeg", full_range=True),
    "mpeg1video": EncoderKind("mpeg1video", conceals=True),
    "mpeg2video": EncoderKind("mpeg2video", conceals=True),
    "mpeg4": EncoderKind("mpeg4", conceals=True),
    "h263p": EncoderKind("h263"),
    "flv": EncoderKind("flv"),
    "msmpeg4": EncoderKind("msmpeg4"),
    "wmv2": EncoderKind("wmv2"),
}


@dataclass(frozen=True)
class Codec:
    """One file: `quality` on the encoder's own scale, or `bits` per pixel where given, and a key frame every
    `keyframe`.

    `damage` is the share of packets that lose some bytes.
    """

    encoder: str
    quality: int
    bits: float | None = None
    keyframe: int = 25
    damage: float = 0.0
    preset: str = "veryfast"
    """The preset of x264."""
    rate: Fraction = FRAME_RATE
    """The frames per second that the encoder is told: at fewer it spends more bits on each."""
    bits_per_second: int | None = None
    """A bit rate whatever the size of the frames, instead of `bits`."""

    def __call__(self, planes: Tensor, rng: np.random.Generator) -> Tensor:
        height, width = planes.shape[2:]
        padded = F.pad(planes, (0, -width % SIDE_MULTIPLE, 0, -height % SIDE_MULTIPLE), mode="replicate")
        frames = to_frames(padded).numpy()
        packets, extradata = self._encode(frames)
        if self.damage:
            _damage(packets, self.damage, rng)
        pictures = _decode(packets, ENCODERS[self.encoder].decoder, extradata, frames.shape[1:3])
        assert self.damage or len(pictures) == len(frames)  # one out for each one in
        decoded = np.stack(list(_as_shown(pictures, len(frames))))
        return to_planes(torch.from_numpy(decoded[:, :height, :width]))

    def _encode(self, frames: npt.NDArray[np.uint8]) -> tuple[list[av.Packet], bytes | None]:
        encoder = av.CodecContext.create(self.encoder, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.height, encoder.width = frames.shape[1:3]
        pixels = "yuvj420p" if ENCODERS[self.encoder].full_range else "yuv420p"
        encoder.pix_fmt, encoder.framerate, encoder.time_base = pixels, self.rate, 1 / self.rate
        encoder.gop_size = self.keyframe
        if self.bits is not None:
            encoder.bit_rate = max(LEAST_BITS, round(self.bits * encoder.width * encoder.height * self.rate))
        if self.bits_per_second is not None:
            encoder.bit_rate = self.bits_per_second
        encoder.options = {"threads": "1", **self._options()}
        if self._is_constant and self.encoder not in ("libx264", "libvpx"):
            encoder.qmin = encoder.qmax = self.quality
        packets = []
        for index, picture in enumerate(_pictures(frames, pixels)):
            picture.pts = index
            packets += encoder.encode(picture)
        return [*packets, *encoder.encode(None)], encoder.extradata

    @property
    def _is_constant(self) -> bool:
        """Whether the quality is given, not the rate."""
        return self.bits is None and self.bits_per_second is None

    def _options(self) -> dict[str, str]:
        constant = self._is_constant
        if self.encoder == "libx264":
            rate = {"crf": str(self.quality)} if constant else {}
            return {"preset": self.preset, **rate, **reproducible_options()}
        if self.encoder == "libvpx":  # a speed above zero would be the goal of a clock: other bytes on a busy machine
            rate = {"crf": str(self.quality), "b": "100M", "qmin": str(self.quality), "qmax": "63"} if constant else {}
            return {"deadline": "realtime", "cpu-used": "-6", **rate}
        return {"flags": "+qscale", "global_quality": str(self.quality * QP_LAMBDA)} if constant else {}

    def milder(self, severity: float) -> Codec:
        """Its quality goes along the encoder's own scale, towards the best of `ENCODERS`; a rate is divided by
        `severity`, which at 0 leaves that best quality."""
        quality, damage = milder_quality(self.encoder, self.quality, severity), severity * self.damage
        if severity == 0:
            return replace(self, quality=quality, damage=damage, bits=None, bits_per_second=None)
        bits = None if self.bits is None else self.bits / severity
        per_second = None if self.bits_per_second is None else round(self.bits_per_second / severity)
        return replace(self, quality=quality, damage=damage, bits=bits, bits_per_second=per_second)


@dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Which encoders, and how bad: `severity` from 0 to 1 goes along each one's scale of `ENCODERS`.

    An encoder that this PyAV lacks is an error that names it, never replaced.
    """

    share: float = 1.0
    encoders: tuple[str, ...] = ("libx264", "mpeg4", "mpeg2video")
    severity: Range = (0.0, 0.8)
    rate_share: float = 0.3
    """Share of draws that fix the bit rate instead."""
    bits: Range = (0.05, 0.4)
    """Bits per pixel."""
    keyframe: tuple[int, int] = (10, 50)
    damage_share: float = 0.0
    """Share of draws, among encoders whose decoders conceal errors, in which packets are damaged."""
    damage: Range = (0.02, 0.12)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.encoders) - set(ENCODERS))
        if unknown or not self.encoders:
            raise ValueError(f"encoders are {self.encoders}, needed one or more of {sorted(ENCODERS)}")
        for name in self.encoders:
            _require(name)
        check_range("severity", self.severity, 0.0, 1.0)
        check_range("bits", self.bits, 0.005)
        check_range("keyframe", self.keyframe, 1)
        check_range("damage", self.damage, 0.0, 1.0)
        for name in ("share", "rate_share", "damage_share"):
            check_share(name, getattr(self, name))

    def draw(self, rng: np.random.Generator) -> Codec | None:
        if not chance(self.share, rng):
            return None
        name = self.encoders[int(rng.integers(len(self.encoders)))]
        best, worst = ENCODERS[name].quality
        quality = round(best + (worst - best) * uniform(self.severity, rng))
        bits = float(np.exp(uniform((np.log(self.bits[0]), np.log(self.bits[1])), rng)))
        by_rate, damaged = chance(self.rate_share, rng), chance(self.damage_share, rng) and ENCODERS[name].conceals
        damage = uniform(self.damage, rng)
        return Codec(name, quality, bits if by_rate else None, integer(self.keyframe, rng), damage if damaged else 0.0)


def milder_quality(encoder: str, quality: int, severity: float) -> int:
    """`quality` of an encoder brought to `severity` times its distance from the best of `ENCODERS`, rounded; what is
    better than that stays."""
    best = ENCODERS[encoder].quality[0]
    return min(quality, round(best + severity * (quality - best)))


def _require(encoder: str) -> None:
    """Raise VFEError where this PyAV cannot encode and decode with the encoder."""
    for name, mode in ((encoder, "w"), (ENCODERS[encoder].decoder, "r")):
        try:
            av.Codec(name, mode)  # type: ignore[arg-type]
        except av.codec.codec.UnknownCodecError as error:
            raise VFEError(
                f"this PyAV has no codec {name}: take {encoder} out of `encoders` in the degradation, or install the "
                "wheel of PyPI"
            ) from error


def _pictures(frames: npt.NDArray[np.uint8], pixels: str) -> Iterator[av.VideoFrame]:
    """Frames in 4:2:0 with accurate rounding. To full range, swscale cuts decimals of chroma; our writer does not."""
    if pixels == "yuvj420p":
        writer = FrameWriter(FrameFormat(pixels, BT601_MATRIX, FULL))
        yield from (writer.write(torch.from_numpy(frame).permute(2, 0, 1) / 127.5 - 1, None) for frame in frames)
        return
    scaler = VideoReformatter()
    for frame in frames:
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        yield scaler.reformat(picture, format=pixels, interpolation=SWSCALE_FLAGS, threads=1)


def _decode(
    packets: list[av.Packet], codec: str, extradata: bytes | None, size: tuple[int, int]
) -> dict[int, npt.NDArray[np.uint8]]:
    """The pictures (h, w, 3) uint8 by their time; those that damage has made unreadable are missing."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata, decoder.thread_count = extradata, 1
    decoder.height, decoder.width = size
    pictures = []
    for packet in [*packets, None]:
        with suppress(av.error.InvalidDataError):
            pictures += decoder.decode(packet)
    return {picture.pts: to_rgb(picture) for picture in pictures if picture.pts is not None}


def _as_shown(pictures: dict[int, npt.NDArray[np.uint8]], frames: int) -> Iterator[npt.NDArray[np.uint8]]:
    """A picture for each of the frames; one that is missing repeats the one before, as players do."""
    last = pictures[min(pictures)]
    for index in range(frames):
        last = pictures.get(index, last)
        yield last


def _damage(packets: list[av.Packet], share: float, rng: np.random.Generator) -> None:
    """Overwrite a few bytes of some packets, but not of the first picture."""
    for packet in packets[1:]:
        hit, start, length = rng.random(3)
        if hit < share:
            data = np.frombuffer(memoryview(packet), np.uint8)  # of the packet itself
            first = int(len(data) * (DAMAGED_RANGE[0] + (DAMAGED_RANGE[1] - DAMAGED_RANGE[0]) * start))
            data[first : first + 2 + int(8 * length)] ^= 0xA5
