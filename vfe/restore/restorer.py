"""The public Python API: load a model once, restore files or streams of frames with it.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..device import choose_device, choose_dtype, dtypes_for
from ..face.paste.paste import FaceConfig, PasteConfig
from ..library.find import find_model
from ..library.folders import search_folders
from ..loading.lite import load_face_pipeline
from ..loading.load import face_model_for, load_pipeline
from ..loading.request import LoadRequest
from ..options import ModelOptions as ModelOptions
from ..options import RestoreOptions as RestoreOptions
from ..pipeline.one_step import WindowConfig
from ..pipeline.windows import WindowPipeline
from ..types import Notify, Progress, VFEError, no_progress
from ..video.compare import check_apart, open_comparison, side_by_side
from ..video.read import Frame, Source
from ..video.resize import resize
from ..video.write import Sink
from .blend import blend_over
from .ends import entered, open_input, open_output
from .face_stream import FacePart, FaceStream, restore_faces, restore_frames_and_faces


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

    @property
    def fps(self) -> float:
        """Frames restored per second, from the first frame read to the file in place."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


class FramePipeline(Protocol):
    """The part of `OneStepPipeline` that files need: as many frames out as in, in order, of the same size."""

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]: ...


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
    face_model = face_model_for(request)
    if face_model is None:
        return Restorer(pipeline)
    faces = load_face_pipeline(face_model, request)
    return Restorer(pipeline, FacePart(faces, is_aligned=True, sees_original=faces.model.sees_original))


class Restorer:
    """A loaded model. It keeps no state between calls: the same input gives the same output."""

    def __init__(self, pipeline: FramePipeline, face_part: FacePart | None = None) -> None:
        """`pipeline` restores whole frames or upright crops of faces, and then `face_part`, if any, the faces in
        them."""
        self.pipeline = pipeline
        self.face_part = face_part

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
    ) -> RestoreReport:
        """Restore a video, an image, or a folder or glob of images into `dst`; "-" is Y4M on standard input or output.

        Sound, subtitles and frame times are kept. `dst` appears when it is complete: an error, or an exception of
        `on_progress`, leaves what was there before. `on_progress` gets frames written and, where known, their total;
        where faces are looked for, first those in which they were, and then it starts anew.
        Raises VFEError for what cannot be read, written or does not fit.
        """
        options = options or RestoreOptions()
        src, dst = Path(src), Path(dst)
        started = time.perf_counter()
        with ExitStack() as stack:
            source = entered(stack, open_input(src, keeps=self.finds_faces(options)))
            size = options.output_size(source.info.width, source.info.height)
            comparison = None
            if options.compare is not None:
                check_apart(options.compare, (dst,))
                beside = open_comparison(options.compare, source.info, size, overwrite=options.overwrite)
                comparison = entered(stack, beside)
            sink = entered(stack, open_output(dst, source.info, size, options))
            searching = time.perf_counter()
            work = self._work(source, options, on_progress)
            run = _FileRun(source, sink, comparison, size, work.is_partial)
            run.restore += time.perf_counter() - searching
            run.go(work.restore, on_progress)
            closing = time.perf_counter()
            stack.close()  # flushes the encoder and renames: part of the time that a user waits
            run.encode += time.perf_counter() - closing
        stages = StageSeconds(run.decode, run.restore, run.encode)
        seconds = time.perf_counter() - started
        return RestoreReport(dst, run.frames, seconds, stages, (*source.notes, *sink.notes, *work.notes))

    def finds_faces(self, options: RestoreOptions) -> bool:
        """Return whether anything depends on where faces are, for which the frames are read twice."""
        return options.region != "frame" or (self.face_part is not None and options.fidelity < 1 and options.blend > 0)

    def _work(self, source: Source, options: RestoreOptions, on_progress: Progress | None) -> _Work:
        """Decide what is done with the frames of a file; faces are looked for where something depends on them."""

        def whole_frames(frames: Iterable[Tensor], report: Progress) -> Iterator[Tensor]:
            return self.restore_frames(frames, strength=options.strength, on_progress=report)

        if not self.finds_faces(options):
            return _Work(whole_frames)
        part = self.face_part if options.fidelity < 1 else None
        from .find_faces import plan_region

        plan = plan_region(source, options, on_progress, has_face_part=part is not None)
        if plan.tracks is None or (plan.whole_frames and not plan.tracks.tracks):
            return _Work(whole_frames, plan.notes)
        tracks, strength = plan.tracks, options.strength
        shown = FaceConfig(paste=PasteConfig(blend=options.blend))

        def refined(
            frames: Iterable[Tensor], restore: _Restoration, config: FaceConfig, report: Progress
        ) -> Iterator[Tensor]:
            if part is None:
                return restore(frames, report)
            refining = strength * (1 - options.fidelity)
            stream = FaceStream(part, tracks, config, refining, lambda done: report(done, tracks.frames))
            return restore_frames_and_faces(frames, lambda frames: restore(frames, report), stream)

        def upright(frames: Iterable[Tensor], report: Progress) -> Iterator[Tensor]:
            return restore_faces(self._faces_by_pipeline(), frames, tracks, strength=strength, on_progress=report)

        def faces(frames: Iterable[Tensor], report: Progress) -> Iterator[Tensor]:
            return blend_over(frames, lambda frames: refined(frames, upright, FaceConfig(), report), options.blend)

        def both(frames: Iterable[Tensor], report: Progress) -> Iterator[Tensor]:
            return refined(frames, whole_frames, shown, report)

        return _Work(both, plan.notes) if plan.whole_frames else _Work(faces, plan.notes, is_partial=True)

    def _faces_by_pipeline(self) -> FacePart:
        """Return a part for faces made of the pipeline itself, which then gets upright crops of them."""
        if not isinstance(self.pipeline, WindowPipeline):
            raise ValueError(
                f"{type(self.pipeline).__name__} cannot restore faces, needed are window_for, restore_window"
            )
        return FacePart(self.pipeline)


_Restoration = Callable[[Iterable[Tensor], Progress], Iterator[Tensor]]


@dataclass(frozen=True)
class _Work:
    """What is done with the frames of a file, and what a person should know of it."""

    restore: _Restoration
    notes: tuple[str, ...] = ()
    is_partial: bool = False
    """Whether most pixels stay: then they are written as they were stored."""


class _FileRun:
    """One pass over a file: what travels beside the pixels, and the seconds of each stage."""

    def __init__(
        self, source: Source, sink: Sink, comparison: Sink | None, size: tuple[int, int], is_partial: bool
    ) -> None:
        self.source = source
        self.sink = sink
        self.comparison = comparison
        self.size = size
        self.is_partial = is_partial
        self.pending: deque[Frame] = deque()  # frames inside the pipeline, at most a window
        self.frames = 0
        self.decode = self.restore = self.encode = 0.0

    def go(self, restore: _Restoration, on_progress: Progress | None) -> None:
        """Pull every frame through; VFEError when there is none."""
        report = on_progress or no_progress
        total = self.source.info.frames
        report(0, total)
        restored = restore(self._pixels(), lambda _done, _total: report(self.frames, total))
        while (pixels := self._next_restored(restored)) is not None:
            self._write(self.pending.popleft(), pixels)
            self.frames += 1
            report(self.frames, total)
        assert not self.pending  # the pipeline returns as many frames as it takes
        if not self.frames:
            raise VFEError(f"{self.source.info.path}: no frame could be decoded")

    def _pixels(self) -> Iterator[Tensor]:
        """Yield the pixels of each frame at output size; the rest of the frame waits in `pending`."""
        frames = iter(self.source)
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            self.decode += time.perf_counter() - start
            if frame is None:
                return
            pixels = resize(frame.pixels, self.size)
            alpha = None if frame.alpha is None else resize(frame.alpha, self.size)
            kept = pixels if self.comparison else torch.empty(0)  # a window of large frames is not held twice
            stored = frame.stored if self.is_partial else None
            self.pending.append(replace(frame, pixels=kept, alpha=alpha, stored=stored))
            yield pixels

    def _next_restored(self, restored: Iterator[Tensor]) -> Tensor | None:
        start, decoded = time.perf_counter(), self.decode
        pixels = next(restored, None)
        # The pipeline pulls frames while it works; their decoding is another stage.
        self.restore += time.perf_counter() - start - (self.decode - decoded)
        return pixels

    def _write(self, frame: Frame, pixels: Tensor) -> None:
        start = time.perf_counter()
        self.sink.write(replace(frame, pixels=pixels))
        if self.comparison:
            self.comparison.write(side_by_side(frame.pixels, replace(frame, pixels=pixels)))
        self.encode += time.perf_counter() - start


def _notify_nobody(line: str) -> None:
    del line
