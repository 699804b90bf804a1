"""Reports of runs that nobody made, with numbers of any size."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch

from vfe.options import RestoreOptions
from vfe.report.colour import ColourShift
from vfe.report.face_net import FaceNetLikeness
from vfe.report.faces import FacePictures, FaceSample
from vfe.report.memory import PeakMemory
from vfe.report.picture import jpeg
from vfe.report.run_report import ModelNames, ReportedClip, ReportedFace, RunReport, Segment, Stages
from vfe.report.watch import Still
from vfe.types import Stretch
from vfe.video.lost import TimeRange


def grey(side: int = 8) -> bytes:
    """A JPEG of so many pixels on each side."""
    return jpeg(torch.zeros(3, side, side))


def reported_face(number: int, start: int, stop: int, samples: int = 3) -> ReportedFace:
    """A face on some frames, measured on a few of them."""
    step = max(1, (stop - start) // max(samples, 1))
    measured = tuple(FaceSample(start + step * at, 2.0 + at, 3.0 + at, 0.01) for at in range(samples))
    pictures = FacePictures(start, grey(), grey()) if samples else None
    unseen, windows = (Stretch(start, start + 1),), (Stretch(start, stop),)
    return ReportedFace(number, start, stop, stop - start - 1, unseen, 64.0, windows, measured, pictures)


def run_report(frames: int = 24, faces: tuple[ReportedFace, ...] | None = (), **changed: object) -> RunReport:
    """A report of a run; `changed` are fields that differ."""
    report = RunReport(
        source=ReportedClip("clip.mp4", 64, 48),
        output=ReportedClip("out.mp4", 64, 48),
        kind="video" if frames > 1 else "image",
        rate=Fraction(25),
        options=RestoreOptions(),
        model=ModelNames("lite", "lite_faces"),
        frames=frames,
        seconds=2.0,
        stages=Stages(0.1, 0.2, 1.2, 0.3, 0.1),
        memory=PeakMemory(600 << 20, None),
        segments=(Segment(0, frames, 2.0),),
        cuts=(),
        windows=(Stretch(0, frames),),
        faces=faces,
        likeness=FaceNetLikeness.scale if faces else None,
        colours=tuple((frame, ColourShift(0.1, -0.2, 0.0)) for frame in range(0, frames, 4)),
        stills=((0, Still(grey(), grey())),),
        lost=(TimeRange(0.1, 0.3),),
        notes=(),
    )
    return replace(report, **changed)  # type: ignore[arg-type]
