"""The public Python API: load a model once, restore files or streams of frames with it.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from torch import Tensor

from ..device import choose_device, choose_dtype, dtypes_for
from ..face.track.remembered import FaceMemory
from ..face.track.tracks import FaceTracks
from ..library.find import find_model
from ..library.folders import search_folders
from ..loading.lite import load_face_pipeline
from ..loading.load import face_model_for, load_pipeline
from ..loading.request import LoadRequest
from ..options import ModelOptions as ModelOptions
from ..options import RestoreOptions as RestoreOptions
from ..pipeline.one_step import WindowConfig
from ..pipeline.windows import ClipPart
from ..types import Notify, Progress, Stretch, TimeSpan, VFEError, no_progress
from ..video.compare import check_apart, open_comparison, side_by_side
from ..video.lost import TimeRange
from ..video.read import Frame, Source
from ..video.write import Sink
from .ends import entered, open_input, open_output
from .face_stream import FacePart
from .passage import Passage
from .region import WHOLE_FRAMES, Pictures, RegionPlan
from .reporting import FileRun, Reporting
from .stretch_reporting import StretchReporting
from .survey import Survey, check_size, take_survey
from .work import FramePipeline, decide_work


class StageSeconds(NamedTuple):
    """Wall-clock seconds of the stages of a run. What an encoder does in threads of its own is not counted.

    Finding faces, with the reading of the file for it, is part of `restore`.
    """

    decode: float
    restore: float
    encode: float


@dataclass(frozen=True)
class RestoreReport:
    """What `Restorer.restore_file` did."""

    output: Path
    frames: int
    seconds: float
    stages: StageSeconds
    notes: tuple[str, ...] = ()
    """One sentence each for damage of the input, for what the output could not keep of it, such as alpha, and for the
    faces that were restored where not all of the frames was."""
    lost: tuple[TimeRange, ...] = ()
    """The times at which frames of the input are missing or have errors, in seconds of the input; the notes name the
    first of them."""

    @property
    def fps(self) -> float:
        """Frames restored per second, from the first frame read to the file in place."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def load(
    name_or_path: str | Path = "lite",
    device: str = "auto",
    dtype: str = "auto",
    window: WindowConfig | None = None,
    options: ModelOptions | None = None,
    notify: Notify | None = None,
    *,
    tell: Notify | None = None,
) -> Restorer:
    """Load a restorer by a model's name ("lite", "vividface") or the path of its weights: lite's, or a Wan2.1 DiT's.

    `device` is auto, cpu, cuda, mps or xpu; `dtype` is auto, fp32, bf16 or fp16; `window` says how many frames are
    restored together; `options` are for Wan models; `notify` gets a line for people on how a Wan model fits the memory;
    `tell` is its name of version 0.2.0.
    With `dtype` auto a Wan model takes the fastest one in which a window of 512x512 fits; lite the fastest, which is
    int8 in its linear layers on CPUs without fast bf16.
    Raises VFEError for an unknown model, a file that is none, one that is missing, or a device that is not there.
    """
    options = options or ModelOptions()
    folders = search_folders(options.folders, options.comfyui)
    path, chosen = find_model(name_or_path, folders), choose_device(device)
    request = LoadRequest(
        path=path,
        device=chosen,
        dtypes=dtypes_for(chosen) if dtype == "auto" else (choose_dtype(dtype, chosen),),
        quantises=dtype == "auto",
        options=options,
        folders=folders,
        window=window,
        name=None if path == Path(name_or_path) else str(name_or_path),
    )
    pipeline = load_pipeline(request, notify or tell or _notify_nobody)
    face_model = face_model_for(path, options, folders)
    name = request.name or path.name
    if face_model is None:
        return Restorer(pipeline, name=name)
    faces = load_face_pipeline(face_model, request)
    part = FacePart(faces, is_aligned=True, sees_original=faces.model.sees_original, name=face_model.stem)
    return Restorer(pipeline, part, name)


class Restorer:
    """A loaded model. It keeps no state between calls: the same input gives the same output."""

    def __init__(self, pipeline: FramePipeline, face_part: FacePart | None = None, name: str = "") -> None:
        """`pipeline` restores whole frames or upright crops of faces, and then `face_part`, if any, the faces in
        them. `name` is that of the model, for reports."""
        self.pipeline = pipeline
        self.face_part = face_part
        self.name = name
        self.turn = Lock()
        """Held by threads that share the restorer, while one of them restores a window."""

    def restore_frames(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """Restore frames, (3, H, W) float32 in [-1, 1] of one size: as many come out as go in, in order.

        Whole frames alone: faces are followed forwards and backwards in time, for which `restore_file` reads twice.
        Reads ahead by one window at most, so a stream of any length fits in memory. `on_progress` is called between
        the stages of a window with the frames done; what it raises stops the work.
        """
        return self.pipeline.stream(frames, strength=strength, on_progress=on_progress)

    def restore_file(
        self,
        src: str | Path,
        dst: str | Path,
        options: RestoreOptions | None = None,
        on_progress: Progress | None = None,
        span: TimeSpan | None = None,
    ) -> RestoreReport:
        """Restore a video, an image, or a folder or glob of images into `dst`; "-" is Y4M on standard input or output.

        Sound, subtitles and frame times are kept. `dst` appears when it is complete: an error, or an exception of
        `on_progress`, leaves what was there before. `on_progress` gets frames written and, where known, their total;
        where faces are looked for, first those in which they were, and then it starts anew. Of a `span` of a video, the
        pictures alone are restored, and their times count from its first frame.
        Raises VFEError for what cannot be read, written or does not fit.
        """
        options = options or RestoreOptions()
        src, dst = Path(src), Path(dst)
        started = time.perf_counter()
        with ExitStack() as stack:
            source = entered(stack, open_input(src, keeps=self.finds_faces(options), span=span))
            size = options.output_size(source.info.width, source.info.height)
            comparison = None
            if options.compare is not None:
                check_apart(options.compare, (dst,))
                beside = open_comparison(options.compare, source.info, size, overwrite=options.overwrite)
                comparison = entered(stack, beside)
            sink = entered(stack, open_output(dst, source.info, size, options))
            reporting = None if options.report is None else Reporting(options.report, source.info, dst, options)
            if reporting is not None:
                reporting.check()
            searching = time.perf_counter()
            plan = self.plan(source.info, source, options, on_progress)
            work = decide_work(self.pipeline, self.face_part, plan, options, size)
            searched = time.perf_counter() - searching
            watcher = None if reporting is None else reporting.watch(plan)
            passage = Passage(work, size, keeps_pixels=comparison is not None, watcher=watcher)
            passage.restore += searched
            run = _FileRun(source, sink, comparison)
            run.go(passage, on_progress)
            closing = time.perf_counter()
            stack.close()  # flushes the encoder and renames: part of the time that a user waits
            run.encode += time.perf_counter() - closing
        stages = StageSeconds(passage.decode, passage.restore, run.encode)
        seconds = time.perf_counter() - started
        notes = (*source.notes, *sink.notes, *work.notes)
        report = RestoreReport(dst, passage.given, seconds, stages, notes, source.lost)
        if reporting is not None:
            reporting.write(report, FileRun(self, plan, work, searched, passage.measure))
        return report

    def finds_faces(self, options: RestoreOptions) -> bool:
        """Return whether anything depends on where faces are, for which the frames are read twice."""
        return options.region != "frame" or (self.face_part is not None and options.fidelity < 1 and options.blend > 0)

    def survey(
        self,
        source: Source,
        options: RestoreOptions | None = None,
        on_progress: Progress | None = None,
        memory: FaceMemory | None = None,
    ) -> Survey:
        """Look through a source once: learn its frames, and where faces are if anything depends on that.

        `on_progress` gets the frames looked at and, where known, their total. `memory` has the answers on faces of an
        earlier pass over the same source, and gets those of this one. Raises VFEError for what cannot be read, and
        where the memory cannot be written.
        """
        options = options or RestoreOptions()

        def look(frames: Iterable[Frame]) -> RegionPlan:
            return self.plan(source.info, frames, options, None, memory)

        return take_survey(source, look, on_progress, memory)

    def restore_stretch(
        self,
        source: Source,
        survey: Survey,
        options: RestoreOptions,
        stretch: Stretch,
        on_progress: Progress | None = None,
        reporting: StretchReporting | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of a stretch as `restore_file` hands them to its output, to the bit.

        `survey` is what `survey` gave for the same source and options. `on_progress` gets the frames of the stretch
        that are restored and their number; `reporting` measures them. Memory is bounded by the window and the margins
        that the stretch needs on both sides. Raises VFEError where the source is not the one of the survey, and
        ValueError for a stretch that reaches beyond it.
        """
        size = options.output_size(source.info.width, source.info.height)
        check_size(survey, size)
        part = ClipPart(stretch, len(survey.frames))
        work = decide_work(self.pipeline, self.face_part, survey.plan, options, size)
        needed = work.restoration.needed(part)
        watcher = None if reporting is None else reporting.watcher
        report, total, passage = on_progress or no_progress, len(stretch), Passage(work, size, part, watcher=watcher)
        if reporting is not None:
            reporting.follow(passage)
        report(0, total)
        with closing(source.frames_from(needed.start, survey.frames)) as frames:
            restored = passage.of(islice(frames, len(needed)), lambda _done, _total: report(passage.given, total))
            for frame, pixels in restored:
                yield replace(frame, pixels=pixels)
                report(passage.given, total)

    def plan(
        self,
        info: Pictures,
        frames: Iterable[Frame],
        options: RestoreOptions,
        on_progress: Progress | None = None,
        memory: FaceMemory | None = None,
    ) -> RegionPlan:
        """Decide what of the frames is restored; faces are looked for where something depends on them.

        Raises VFEError as `restore_file` does.
        """
        if not self.finds_faces(options):
            return WHOLE_FRAMES
        from .find_faces import plan_region

        has_face_part, find = self.face_part is not None and options.fidelity < 1, partial(self.find_faces, memory)
        return plan_region(info, frames, options, on_progress, has_face_part=has_face_part, find=find)

    def find_faces(self, memory: FaceMemory | None, frames: Iterable[Tensor]) -> FaceTracks:
        """Return all faces in frames (3, H, W) in [-1, 1]; who knows them already need not pull the frames."""
        from .find_faces import find_anew

        return find_anew(frames, memory)


class _FileRun:
    """One pass over a file, from a source to a sink."""

    def __init__(self, source: Source, sink: Sink, comparison: Sink | None) -> None:
        self.source = source
        self.sink = sink
        self.comparison = comparison
        self.encode = 0.0
        """Seconds."""

    def go(self, passage: Passage, on_progress: Progress | None) -> None:
        """Pull every frame through; VFEError when there is none."""
        report = on_progress or no_progress
        total = self.source.info.frames
        report(0, total)
        for frame, pixels in passage.of(self.source, lambda _done, _total: report(passage.given, total)):
            self._write(frame, pixels)
            report(passage.given, total)
        if not passage.given:
            raise VFEError(f"{self.source.info.path}: no frame could be decoded")

    def _write(self, frame: Frame, pixels: Tensor) -> None:
        start = time.perf_counter()
        self.sink.write(replace(frame, pixels=pixels))
        if self.comparison:
            self.comparison.write(side_by_side(frame.pixels, replace(frame, pixels=pixels)))
        self.encode += time.perf_counter() - start


def _notify_nobody(line: str) -> None:
    del line
