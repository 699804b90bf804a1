"""Clips of all formats as RGBS, and back into their own format, as the properties of each frame say."""

from __future__ import annotations

from functools import partial

import vapoursynth as vs

from ..video.colour import RGB, UNSPECIFIED, guess_matrix, layout_of

KEEPS = "_vfe_keeps"
"""The property of restored frames that says whether they kept most of their pixels."""
_BITS = 16  # of the code values in which changes are measured


def as_rgb(clip: vs.VideoNode) -> vs.VideoNode:
    """Return a clip as RGBS, by the matrix and range of each frame; where no matrix is told, by that of `matrix_of`.

    Interlaced frames are errors when they are asked for.
    """
    return clip.std.ModifyFrame(clip, _told).resize.Bicubic(format=vs.RGBS)


def matrix_of(frame: vs.VideoFrame) -> int:
    """Return the code point of a frame's matrix: what it says, else what `vfe enhance` takes for its size."""
    told = int(frame.props.get("_Matrix", UNSPECIFIED))
    return guess_matrix(layout_of("yuv420p"), told, (frame.width, frame.height), still=False)


def like(restored: vs.VideoNode, clip: vs.VideoNode, rgb: vs.VideoNode) -> vs.VideoNode:
    """Return restored frames, RGBS, in the format of a clip, with the properties of its frames.

    Frames with the property KEEPS are the clip's, changed by as much as `restored` differs from `rgb`, its RGBS.
    """
    base = clip.std.BlankClip(width=restored.width, height=restored.height, keep=True)
    choose = partial(_Conversions(restored, clip, rgb).of)
    return base.std.FrameEval(choose, prop_src=[clip, restored]).std.CopyFrameProps(clip)


def _told(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
    """Return a frame with its matrix told. Raises vs.Error for an interlaced one."""
    if f.props.get("_FieldBased", 0):
        raise vs.Error(
            f"vfe: frame {n} is interlaced, needed are whole frames; deinterlace the clip before, as QTGMC does, or, "
            "if it is not interlaced, tell so by std.SetFieldBased(0)"
        )
    if f.format.color_family == vs.RGB or f.props.get("_Matrix", UNSPECIFIED) not in (RGB, UNSPECIFIED):
        return f
    told = f.copy()
    told.props["_Matrix"] = matrix_of(f)
    return told


class _Conversions:
    """Ways back from RGBS, one for each combination of properties that the frames of a clip have."""

    def __init__(self, restored: vs.VideoNode, clip: vs.VideoNode, rgb: vs.VideoNode) -> None:
        self._restored = restored
        self._clip = clip
        self._rgb = rgb
        self._nodes: dict[tuple[object, ...], vs.VideoNode] = {}

    def of(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoNode:
        """Return the node that has frame `n`, of which `f` has the clip's and the restored one."""
        del n
        given, restored = f
        how = _how(given)
        key = (*sorted(how.items()), bool(restored.props.get(KEEPS, 0)))
        if key not in self._nodes:
            self._nodes[key] = self._changed(how) if key[-1] else _converted(self._restored, self._clip.format, how)
        return self._nodes[key]

    def _changed(self, how: dict[str, int]) -> vs.VideoNode:
        """Return the clip, changed by as much as the restored frames differ from those before."""
        own = self._clip.format
        if own.sample_type == vs.FLOAT:
            after, before = (_converted(node, own, how) for node in (self._restored, self._rgb))
            return vs.core.std.Expr([self._clip, after, before], "x y z - +")
        deep = own.replace(bits_per_sample=_BITS)
        after, before = (_converted(node, deep, how) for node in (self._restored, self._rgb))
        is_full = own.color_family == vs.RGB or how.get("range") == 1
        unit = (2**_BITS - 1) / (2**own.bits_per_sample - 1) if is_full else 2 ** (_BITS - own.bits_per_sample)
        return vs.core.std.Expr([self._clip, after, before], f"x y z - {unit} / +", own.id)


def _how(frame: vs.VideoFrame) -> dict[str, int]:
    """Return the options of resize that give frames like this one: of its matrix, range and places of chroma."""
    how = {}
    if frame.format.color_family != vs.RGB:
        how["matrix"] = matrix_of(frame)
    if "_Range" in frame.props:
        how["range"] = int(frame.props["_Range"])
    elif "_ColorRange" in frame.props:  # what it was called before R73, the other way round
        how["range"] = 1 - int(frame.props["_ColorRange"])
    if "_ChromaLocation" in frame.props and frame.format.color_family == vs.YUV:
        how["chromaloc"] = int(frame.props["_ChromaLocation"])
    return how


def _converted(node: vs.VideoNode, form: vs.VideoFormat, how: dict[str, int]) -> vs.VideoNode:
    return node.resize.Bicubic(format=form.id, **how)
