"""`vfe faces`: who is in a video, as a numbered contact sheet, and where each face is on each frame, as JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ..face.detect.detector import FaceDetector
from ..face.draw.sheet import SheetMaker
from ..face.track.tracker import track_faces
from ..face.track.tracks import FaceTracks
from ..files.aside import written_aside
from ..types import VFEError
from ..video.info import VideoInfo
from ..video.read import Frame, Source, open_source
from ..video.suffixes import IMAGE_SUFFIXES
from ..video.write import SinkConfig, open_sink
from .progress import ProgressLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """Write the contact sheet and the JSON of the input's faces; VFEError and OSError for what cannot be done."""
    _check_outputs(args)
    with open_source(args.input) as source:
        open_sink(args.output, _still(source), (1, 1), SinkConfig(overwrite=args.overwrite))  # a bad path fails first
        progress = ProgressLine(sys.stderr)
        try:
            tracks = track_faces(
                _pixels(source), FaceDetector.load(), on_progress=lambda done, _: progress(done, source.info.frames)
            )
        finally:
            progress.clear()
        sheet = _sheet(source, tracks)
        size = (sheet.shape[2], sheet.shape[1])
        with open_sink(args.output, _still(source), size, SinkConfig(overwrite=args.overwrite)) as sink:
            sink.write(Frame(sheet))
        if args.json is not None:
            with written_aside(args.json) as aside:
                aside.write_text(tracks.to_json(), encoding="utf-8")
    for line in (*(f"note: {note}" for note in source.notes), *summary(tracks)):
        say(line)
    say(f"{args.output}" + (f", {args.json}" if args.json is not None else ""))


def summary(tracks: FaceTracks) -> list[str]:
    """Return a line for the clip and one for each face."""
    count, shots = len(tracks.tracks), len(tracks.shots)
    found = f"{count or 'no'} face{'' if count == 1 else 's'}"
    lines = [f"{found} on {tracks.frames} frame{_s(tracks.frames)}, {shots} shot{_s(shots)}"]
    for track in tracks.tracks:
        hidden = len(track.seen) - int(track.seen.sum())
        unseen = f", out of sight on {hidden}" if hidden else ""
        lines.append(f"  {track.number}: frames {track.start}-{track.stop - 1}{unseen}, {round(track.side)} px")
    return lines


def _s(count: int) -> str:
    """Return the ending of a noun of which there are so many."""
    return "" if count == 1 else "s"


def _check_outputs(args: argparse.Namespace) -> None:
    """Raise VFEError for outputs that are no image, are the same file or exist."""
    if args.output.suffix.lower() not in IMAGE_SUFFIXES:
        raise VFEError(f"{args.output}: the contact sheet is an image; give it a name that ends in .png")
    if args.json is None:
        return
    if args.json.resolve() in (args.output.resolve(), args.input.resolve()):
        raise VFEError(f"{args.json}: is also the input or the contact sheet; give the JSON another name")
    if args.json.is_dir() or not args.json.resolve().parent.is_dir():
        raise VFEError(f"{args.json}: is a folder, or in one that does not exist; give the name of a file")
    if args.json.exists() and not args.overwrite:
        raise VFEError(f"{args.json}: exists; give another name, or --overwrite")


def _still(source: Source) -> VideoInfo:
    """Return the source's facts as if it were one picture: what is written is one."""
    return replace(source.info, kind="image", frames=1, bit_depth=8, has_alpha=False)


def _pixels(source: Source) -> Iterator[Tensor]:
    """Return the frames (3, H, W) in [-1, 1] of a source."""
    return (frame.pixels for frame in source)


def _sheet(source: Source, tracks: FaceTracks) -> Tensor:
    """Return the contact sheet (3, H, W); the clip is read again, up to the last picture that is needed."""
    maker = SheetMaker(tracks)
    frames = _pixels(source)
    while not maker.complete and (frame := next(frames, None)) is not None:
        maker.push(frame)
    return maker.sheet()
