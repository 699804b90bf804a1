"""How the frames of a source are stored in Y4M: as they are, where it can hold that."""

from __future__ import annotations

from dataclasses import dataclass

from ...types import VFEError
from ..codecs import MARKED_PROGRESSIVE, SinkConfig, chroma_of, colour_of
from ..colour import UNSPECIFIED, guess_matrix, layout_of, matrix_weights
from ..info import FirstField, VideoInfo
from ..pixels import FrameFormat
from .left_out import left_out

_DEPTHS = (8, 9, 10, 12, 14, 16)
_GRAY_DEPTHS = (8, 9, 10, 12, 16)
_OPTIONS = ("colorspace", "color_primaries", "color_trc")  # of the ffmpeg program
# Where FFmpeg's decoders say that chroma lies where the stream says nothing; PyAV does not tell what a stream says.
_LOCATIONS = {"h264": "left", "hevc": "left", "mpeg2video": "left", "mpeg4": "left", "dvvideo": "topleft"}


@dataclass(frozen=True)
class Y4MPlan:
    """Everything that is decided before the first frame; `notes` say what is lost."""

    target: FrameFormat
    chroma_location: str
    first_field: FirstField | None
    notes: tuple[str, ...] = ()


def plan_y4m(info: VideoInfo, size: tuple[int, int], config: SinkConfig) -> Y4MPlan:
    """Choose the pixel format for frames of `size` (width, height) of this source.

    Raises VFEError where a codec was asked for, for there is none, and for a file that can no longer be read.
    """
    if config.codec is not None:
        raise VFEError(f"standard output carries Y4M, no {config.codec}; leave the codec out, or write a file")
    pix_fmt = _pixel_format(info)
    target = FrameFormat(pix_fmt, *colour_of("ffv1", info, layout_of(pix_fmt), size))
    notes = ["crf has no meaning for Y4M and is not used"] if config.crf is not None else []
    if info.has_alpha and not layout_of(pix_fmt).alpha:
        notes.append("alpha is dropped: Y4M holds it in 4:4:4 of 8 bits alone")
    notes += left_out(info)
    notes += info.hdr.notes_on_dynamic()
    if _says_too_little(info, size, target):
        tags = (target.matrix, info.color_primaries, info.color_transfer)
        told = " ".join(f"-{name} {tag}" for name, tag in zip(_OPTIONS, tags, strict=True) if tag != UNSPECIFIED)
        notes.append(f"Y4M does not say how colours are coded: give ffmpeg {told} before -i -")
    if info.hdr.display is not None or info.hdr.light is not None:
        notes.append("mastering display and light levels are left out: Y4M holds none")
    keeps_fields = size == (info.width, info.height)  # scaling mixes the rows of both
    notes += [MARKED_PROGRESSIVE] if info.first_field is not None and not keeps_fields else []
    return Y4MPlan(target, _location(info), info.first_field if keeps_fields else None, tuple(notes))


def _pixel_format(info: VideoInfo) -> str:
    source = info.layout
    if info.has_alpha and (source.family, source.chroma, source.depth) == ("yuv", (0, 0), 8):
        return "yuva444p"
    gray = source.family == "gray"
    depths = _GRAY_DEPTHS if gray else _DEPTHS
    depth = next((depth for depth in depths if depth >= info.bit_depth), depths[-1])
    suffix = "" if depth == 8 else f"{depth}le"
    if gray:
        return f"gray{suffix}"
    if source.family == "yuv" and source.chroma == (2, 0) and depth == 8:
        return "yuv411p"
    return f"yuv{chroma_of('ffv1', source, alpha=False)}p{suffix}"


def _location(info: VideoInfo) -> str:
    if info.chroma_location is not None:
        return info.chroma_location
    return _LOCATIONS.get(info.codec, "center")


def _says_too_little(info: VideoInfo, size: tuple[int, int], target: FrameFormat) -> bool:
    """Return whether a reader would take the colours for others: Y4M says the range alone."""
    said = (info.color_primaries, info.color_transfer) != (UNSPECIFIED, UNSPECIFIED)
    layout = layout_of(target.pix_fmt)
    guessed = guess_matrix(layout, UNSPECIFIED, size, still=False)
    return said or (layout.family == "yuv" and matrix_weights(guessed) != matrix_weights(target.matrix))
