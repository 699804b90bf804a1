"""Which encoder and pixel format an output gets: as much of depth, chroma and alpha as the codec holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..options import CRFS, DEFAULT_CRFS, CodecName
from ..types import VFEError
from .colour import BT601_525, BT709, FULL, LIMITED, RGB, PixelLayout, guess_matrix, layout_of
from .hdr import Hdr
from .info import VideoInfo
from .pixels import FrameFormat
from .small import check_h265, ffv1_options, h265_parameters, h265_takes
from .x264 import reproducible_parameters


@dataclass(frozen=True)
class _Codec:
    encoder: str
    depths: tuple[int, ...]
    suffixes: tuple[str, ...]
    alpha: bool


_CODECS: dict[CodecName, _Codec] = {
    "h264": _Codec("libx264", (8, 10), (".mp4", ".m4v", ".mkv", ".mov"), False),
    "h265": _Codec("libx265", (8, 10, 12), (".mp4", ".m4v", ".mkv", ".mov"), False),
    "prores": _Codec("prores_ks", (10,), (".mov", ".mkv"), True),
    "ffv1": _Codec("ffv1", (8, 10, 12, 16), (".mkv",), True),
}
_CHROMA_NAMES = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (2, 2): "420", (2, 0): "422"}
_PLAYED_DEEP = frozenset({"hevc", "av1", "vp9"})
_HDR_PARAMETERS = {"h264": ("mastering-display", "cll"), "h265": ("master-display", "max-cll")}
_FAITHFUL = "psy=0"
"""Of x264, which else spends bits on what looks like grain: what was cleaned flickers more with it, in larger files.
x265 hardly differs by it."""
MARKED_PROGRESSIVE = "interlaced frames are marked as progressive"
_PRORES_HQ, _PRORES_4444 = "3", "4"  # by number: FFmpeg 7.1, which PyAV 14 brings, knows no names


@dataclass(frozen=True)
class SinkConfig:
    """How a video is written. Raises VFEError for values that no encoder takes."""

    codec: CodecName | None = None
    """None means H.264, or H.265 where the source is H.265, AV1 or VP9 of more than 8 bits."""
    crf: int | None = None
    """The quality of H.264 and H.265 from 0, lossless, to 51; None takes the one of `DEFAULT_CRFS`, which is
    visually lossless."""
    overwrite: bool = False
    """Whether an output that exists is replaced."""

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in _CODECS:
            raise VFEError(f"codec {self.codec!r} is unknown; needed is one of {', '.join(_CODECS)}")
        if self.crf is not None and self.crf not in CRFS:
            raise VFEError(f"crf {self.crf} is out of range; needed is 0 (lossless) to {CRFS.most} (worst)")


@dataclass(frozen=True)
class EncoderPlan:
    """Everything that is decided about the encoder before the first frame; `notes` say what is lost by it."""

    encoder: str
    target: FrameFormat
    options: dict[str, str]
    tag: str | None = None
    notes: list[str] = field(default_factory=list)


def plan_encoder(info: VideoInfo, size: tuple[int, int], suffix: str, config: SinkConfig) -> EncoderPlan:
    """Choose encoder, pixel format and colour for frames of `size` (width, height) of this source.

    Raises VFEError where the container cannot hold the codec, or the codec such frames.
    """
    name = config.codec or _default_codec(info, size)
    codec = _CODECS[name]
    if suffix not in codec.suffixes:
        raise VFEError(f"a {suffix} file cannot hold {name}; needed is {' or '.join(codec.suffixes)}, or another codec")
    if name == "h265":
        check_h265(size)
    notes: list[str] = []
    pix_fmt = _pixel_format(name, info, size, notes)
    crf = DEFAULT_CRFS.get(name) if config.crf is None else config.crf
    if config.crf is not None and name not in DEFAULT_CRFS:
        notes.append(f"crf has no meaning for {name} and is not used")
    options = _options(name, crf, layout_of(pix_fmt), size, info.hdr)
    if info.chroma_location is not None and layout_of(pix_fmt).chroma == (1, 1):
        options["chroma_sample_location"] = info.chroma_location
    notes += _lost_hdr(name, info.hdr)
    notes += [MARKED_PROGRESSIVE] if info.first_field is not None else []
    if name == "ffv1" and info.sample_aspect_ratio != 1:
        aspect = f"{info.sample_aspect_ratio.numerator}:{info.sample_aspect_ratio.denominator}"
        notes.append(f"the pixel aspect {aspect} is written into the pictures alone, which not all players look at")
    target = FrameFormat(pix_fmt, *colour_of(name, info, layout_of(pix_fmt), size))
    # QuickTime and Safari play H.265 in MP4 only under this tag.
    tag = "hvc1" if name == "h265" and suffix != ".mkv" else None
    return EncoderPlan(codec.encoder, target, options, tag, notes)


def _pixel_format(name: CodecName, info: VideoInfo, size: tuple[int, int], notes: list[str]) -> str:
    source, codec = info.layout, _CODECS[name]
    depth = next((d for d in codec.depths if d >= info.bit_depth), codec.depths[-1])
    if depth < info.bit_depth:
        notes.append(f"{name} holds at most {depth} bits, the source has {info.bit_depth}")
    alpha = info.has_alpha and codec.alpha
    if info.has_alpha and not alpha:
        notes.append(f"alpha is dropped: {name} has none; write PNGs, ProRes or FFV1 to keep it")
    suffix = "" if depth == 8 else f"{depth}le"
    if name == "ffv1" and source.family == "rgb":
        return ("bgra" if alpha else "bgr0") if depth == 8 else f"gbr{'a' if alpha else ''}p{suffix}"
    if name == "ffv1" and source.family == "gray" and not alpha:
        return f"gray{suffix}"
    chroma = chroma_of(name, source, alpha)
    width, height = size
    if name in {"h264", "h265"} and ((width % 2 and chroma != "444") or (height % 2 and chroma == "420")):
        notes.append(f"{width}x{height} is odd: chroma is stored 4:4:4 to keep the exact size, which some players lack")
        chroma = "444"
    return f"yuv{'a' if alpha else ''}{chroma}p{suffix}"


def chroma_of(name: CodecName, source: PixelLayout, alpha: bool) -> str:
    """Return which chroma a codec stores for a source: that of YUV as far as it can, else 4:4:4 or what plays."""
    if name == "prores":
        whole = source.family == "rgb" or (source.family == "yuv" and source.chroma == (0, 0))
        return "444" if alpha or whole else "422"
    if source.family == "yuv":
        return _CHROMA_NAMES.get(source.chroma, "444")
    # H.264 4:4:4 plays in few players, so RGB and grey become 4:2:0; FFV1 is for archives.
    return "444" if name == "ffv1" else "420"


def _default_codec(info: VideoInfo, size: tuple[int, int]) -> CodecName:
    """Return H.264, which plays everywhere, or H.265 where H.264 would be deeper than 8 bits, which plays almost
    nowhere.
    """
    return "h265" if info.codec in _PLAYED_DEEP and info.bit_depth > 8 and h265_takes(size) else "h264"


def _lost_hdr(name: CodecName, hdr: Hdr) -> list[str]:
    notes = hdr.notes_on_dynamic()
    if name not in _HDR_PARAMETERS and (hdr.display is not None or hdr.light is not None):
        notes.append(f"mastering display and light levels are left out: {name} holds none; write H.265 or H.264")
    return notes


def _options(name: CodecName, crf: int | None, layout: PixelLayout, size: tuple[int, int], hdr: Hdr) -> dict[str, str]:
    light = hdr.encoder_parameters(_HDR_PARAMETERS[name]) if name in _HDR_PARAMETERS else ""
    if name == "h264":
        parameters = ":".join(part for part in (_FAITHFUL, reproducible_parameters(), light) if part)
        return {"crf": str(crf), "preset": "medium", "x264-params": parameters}
    if name == "h265":
        parameters = ":".join(filter(None, ("log-level=none", h265_parameters(size[0]), light)))
        return {"crf": str(crf), "preset": "medium", "x265-params": parameters}
    if name == "prores":
        return {"profile": _PRORES_4444 if layout.chroma == (0, 0) else _PRORES_HQ, "vendor": "apl0"}
    return ffv1_options(size)


def colour_of(name: CodecName, info: VideoInfo, layout: PixelLayout, size: tuple[int, int]) -> tuple[int, int]:
    """Return (matrix, range) of the output as code points: the source's where the output can say so."""
    if layout.family == "rgb":
        return RGB, FULL
    if info.color_space != RGB and info.layout.family != "rgb":
        still_gray = info.layout.family == "gray" and info.kind != "video"
        # ProRes is limited by definition.
        return info.color_space, LIMITED if name == "prores" or still_gray else info.color_range
    matrix = guess_matrix(layout, RGB, size, still=False)
    return (BT709 if matrix == BT709 else BT601_525), LIMITED
