"""`vfe live`: a camera or a stream in, restored faces out, until it ends or Ctrl-C.

What is wrong with the command line, the input or the outputs is said before torch is imported, which takes seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..library.find import find_model
from ..library.folders import search_folders
from ..live.cameras import Camera, CameraMode, find_camera, list_cameras
from ..live.meter import Meter
from ..live.outputs.address import Address
from ..options import ModelOptions
from .live_options import CAMERA
from .parser import WrongUsage
from .progress import LOG_SECONDS, RECORD_SECONDS, RewrittenLine
from .text import say

if TYPE_CHECKING:
    from ..live.outputs.output import Output

LINE_SECONDS = 0.5
"""The seconds between two lines on a terminal."""
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
"""How the address of a stream begins; a drive of Windows has one letter."""


def run(args: argparse.Namespace) -> None:
    """List cameras, or restore until the input ends; VFEError for what cannot be done, WrongUsage for nonsense."""
    if args.list:
        _list()
        return
    where = _where(args)
    find_model(args.model, search_folders(args.models, args.comfyui))
    _live(args, where)


def _list() -> None:
    cameras = list_cameras()
    for number, camera in enumerate(cameras):
        say(f"{number}  {camera.title}  ({camera.device})")
    if not cameras:
        say("no camera on this machine")


def _where(args: argparse.Namespace) -> Camera | Path | str:
    """Return the input of the command line. Raises WrongUsage for options that are of no use to it."""
    word, colon, wanted = args.input.partition(":")
    is_camera = word == CAMERA
    if not is_camera and (args.size or args.fps):
        raise WrongUsage(f"--size and --fps are of cameras; {args.input} comes as it is")
    is_file = not is_camera and not URL.match(args.input)
    if args.loop and not is_file:
        raise WrongUsage(f"--loop is of files; {args.input} is none")
    if is_camera:
        return find_camera(wanted if colon else "", CameraMode(args.size, args.fps))
    return Path(args.input) if is_file else str(args.input)


def _live(args: argparse.Namespace, where: Camera | Path | str) -> None:
    from ..live.follow import FollowConfig
    from ..live.open import LiveRequest, open_outputs, open_session
    from ..live.restore import LiveOptions
    from ..live.session import close_all
    from ..live.source import LiveInput, LiveSource
    from ..restore.restorer import load

    request = LiveRequest(
        input=LiveInput(where, args.loop),
        outputs=tuple(args.output or [Address("http")]),
        options=LiveOptions(strength=args.strength, fidelity=args.fidelity, min_face=args.min_face),
        follow=FollowConfig(most=args.most_faces),
    )
    meter = Meter()
    outputs = open_outputs(request.outputs, meter)
    try:
        source = LiveSource(request.input)  # before the model, which takes seconds to load
        options = ModelOptions(face_model=args.face_model, folders=tuple(args.models), comfyui=args.comfyui)
        restorer = load(args.model, args.device, args.dtype, options=options)
        session = open_session(restorer, request, source, outputs, meter)
        _say_where(outputs)
        shown = _Shown(meter, outputs, args.progress == "json", sys.stderr)
        try:
            session.run(shown.tell, shown.every)
        finally:
            shown.line.clear()
    finally:
        close_all(outputs)
    figures = meter.figures()
    say(f"{figures.frames_out} of {figures.frames_in} frames in {figures.seconds:.0f} s")


def _say_where(outputs: list[Output]) -> None:
    for output in outputs:
        say(f"live: {output.where}  (Ctrl-C ends it)")
        if getattr(output, "is_open_to_others", False):
            say("note: everybody who reaches this address sees the stream; there is no password")


class _Shown:
    """Says how a run goes: on a terminal in one line, in a log now and then, for programs as JSON."""

    def __init__(self, meter: Meter, outputs: list[Output], is_json: bool, stream: TextIO) -> None:
        self.meter, self.outputs, self.stream = meter, outputs, stream
        self.line = RewrittenLine(stream)
        self.tell: Callable[[], None] = self._record if is_json else self._line
        self.every = RECORD_SECONDS if is_json else LINE_SECONDS if self.line.is_on_terminal else LOG_SECONDS

    def _line(self) -> None:
        text = self.meter.figures().as_line()
        if self.line.is_on_terminal:
            self.line.rewrite(text)
        else:
            say(text, self.stream)

    def _record(self) -> None:
        from ..live.open import figures_of

        say(json.dumps({"stage": "live", **figures_of(self.meter, self.outputs)}), self.stream)
