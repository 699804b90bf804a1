"""Faces of a clip restored in their frames: every track is a clip of crops, and frames wait until all theirs are back.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..face.paste.aligned import AlignedPatcher
from ..face.paste.paste import FaceConfig, FacePatcher, Patcher
from ..face.paste.steady import REACH, SteadyAround
from ..face.track.tracks import FaceTrack, FaceTracks
from ..pipeline.windows import ClipPart, ClipStream, WindowConfig, WindowPipeline
from ..types import Progress, Stretch, no_progress
from .waiting_frame import WaitingFrame, without_bars


@dataclass(frozen=True)
class FacePart:
    """What restores faces, and how they are cut out for it."""

    pipeline: WindowPipeline
    is_aligned: bool = False
    """Whether eyes, nose and mouth of its crops lie where the template has them; else crops are upright windows."""
    sees_original: bool = False
    """Whether it takes, beside crops of frames that another model restored, those of the frames as they were."""
    name: str = ""
    """The name of the model, or of its file."""

    def patcher(self, track: FaceTrack, config: FaceConfig) -> Patcher:
        """Return what cuts out and pastes back the face of one track."""
        return AlignedPatcher(track, config.paste) if self.is_aligned else FacePatcher(track, config)

    def crops_needed(self, track: FaceTrack, config: FaceConfig, wanted: Stretch) -> Stretch:
        """Return the crops of a track, numbered from its first frame on, that go into wanted frames of the clip."""
        return self.part_of(track, config, wanted).needed(self.window(track, config))

    def part_of(self, track: FaceTrack, config: FaceConfig, wanted: Stretch) -> ClipPart:
        """Return the part of the clip of a track's crops that is restored for wanted frames of the clip."""
        reach = REACH if self.steadies(config) else 0
        return _part_of(track, Stretch(max(0, wanted.start - reach), wanted.stop + reach))

    def steadies(self, config: FaceConfig) -> bool:
        """Whether what is around a face is shown too, and therefore steadied."""
        return self.is_aligned and config.paste.around

    def window(self, track: FaceTrack, config: FaceConfig) -> WindowConfig:
        """Return the windows in which the crops of a track are restored."""
        side = self.patcher(track, config).side
        return self.pipeline.window_for(side, side)

    def frames_needed(self, tracks: FaceTracks, config: FaceConfig, wanted: Stretch) -> Stretch:
        """Return the frames that go into those that are wanted of a clip: they, and the rest of the faces' windows."""
        start, stop = wanted.start, wanted.stop
        for track in _touching(tracks, wanted).tracks:
            crops = self.crops_needed(track, config, wanted)
            start, stop = min(start, track.start + crops.start), max(stop, track.start + crops.stop)
        return Stretch(start, stop)


def restore_faces(
    part: FacePart,
    frames: Iterable[Tensor],
    tracks: FaceTracks,
    config: FaceConfig | None = None,
    *,
    strength: float = 1.0,
    on_progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Restore the faces of a clip: as many frames come out as go in, in order, those without a face to the bit.

    Memory is bounded by the window, not by the clip. `on_progress` is called with frames done and in all between the
    stages of each window; what it raises stops the work. Raises ValueError for frames of another size than the tracks'.
    """
    report = on_progress or no_progress
    stream = FaceStream(part, tracks, config, strength, lambda done: report(done, tracks.frames))
    yield from stream.pull(frames)
    report(stream.given, tracks.frames)


def restore_frames_and_faces(
    frames: Iterable[Tensor], restore: Callable[[Iterable[Tensor]], Iterator[Tensor]], faces: FaceStream, first: int = 0
) -> Iterator[Tensor]:
    """Restore frames by another model, `restore`, and then the faces in what it makes of them.

    `first` is the number in the clip of the first of the frames.
    """

    def noted() -> Iterator[Tensor]:
        for number, frame in enumerate(frames, first):
            faces.note_original(number, frame)
            yield frame

    return faces.pull(restore(noted()))


class FaceStream:
    """Does what `restore_faces` does, for frames that are pushed one by one."""

    def __init__(
        self,
        part: FacePart,
        tracks: FaceTracks,
        config: FaceConfig | None = None,
        strength: float = 1.0,
        report: Callable[[int], None] | None = None,
        wanted: Stretch | None = None,
    ) -> None:
        """`report` is called with the frames given between the stages of windows; what it raises stops the work.

        Where only a stretch is `wanted`, the frames that go into it (`FacePart.frames_needed`) and no others may be
        pushed; those that are wanted come out, to the bit as they come out of the whole clip.
        """
        self.part = part
        self.tracks = tracks if wanted is None else _touching(tracks, wanted)
        self.config = config or FaceConfig()
        self.strength = strength
        self.report = report
        self.wanted = wanted
        self.given = 0
        """The number of frames that came out."""
        self._taken = 0 if wanted is None else part.frames_needed(tracks, self.config, wanted).start
        self._crops = {track.number: self._crops_needed(track) for track in self.tracks.tracks}
        self._waiting: deque[WaitingFrame] = deque()
        self._clips: dict[int, _FaceClip] = {}

    def pull(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Push all frames, and yield what comes out."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.finish()

    def note_original(self, number: int, frame: Tensor) -> None:
        """Take the crops that the part sees of a frame of the clip on its way into another model.

        It is called for all frames in their order, and for each before it is pushed restored.
        """
        if self.part.sees_original and (needing := self._needing(number)):
            seen = without_bars(frame)
            for track, index in needing:
                clip = self._clip_of(track)
                clip.originals.append(clip.patcher.take(seen, index))

    def push(self, frame: Tensor) -> list[Tensor]:
        """Take a frame and return those that it makes ready."""
        if (frame.shape[-1], frame.shape[-2]) != (self.tracks.width, self.tracks.height):
            raise ValueError(
                f"a frame is {frame.shape[-1]}x{frame.shape[-2]}, needed {self.tracks.width}x{self.tracks.height}, "
                "in which its faces were found"
            )
        waiting = WaitingFrame(frame)
        if self.wanted is None or self._taken in self.wanted:
            self._waiting.append(waiting)
        needing = self._needing(self._taken)
        seen = without_bars(frame) if needing else frame
        for track, index in needing:
            clip = self._clip_of(track)
            clip.push(waiting, clip.patcher.take(seen, index), index)
            if index + 1 == self._crops[track.number].stop:
                self._clips.pop(track.number).finish()
        self._taken += 1
        return self._ready()

    def finish(self) -> list[Tensor]:
        """Return the frames that still wait; no frame may follow."""
        while self._clips:
            self._clips.popitem()[1].finish()
        ready = self._ready()
        assert not self._waiting
        return ready

    def _needing(self, number: int) -> list[tuple[FaceTrack, int]]:
        """Return the tracks that need a crop of a frame of the clip, and the index of this frame within each."""
        return [(track, index) for track, index in self.tracks.at(number) if index in self._crops[track.number]]

    def _crops_needed(self, track: FaceTrack) -> Stretch:
        if self.wanted is None:
            return Stretch(0, len(track.boxes))
        return self.part.crops_needed(track, self.config, self.wanted)

    def _clip_of(self, track: FaceTrack) -> _FaceClip:
        if track.number not in self._clips:
            wanted = self.wanted or Stretch(track.start, track.stop)
            part = self.part.part_of(track, self.config, wanted)
            stream = ClipStream(self.part.pipeline, self.strength, self._check, part)
            crops = _RestoredCrops(stream, part.wanted.start, self.part.steadies(self.config))
            patcher = self.part.patcher(track, self.config)
            self._clips[track.number] = _FaceClip(track.number, patcher, crops, _part_of(track, wanted).wanted)
        return self._clips[track.number]

    def _check(self) -> None:
        if self.report is not None:
            self.report(self.given)

    def _ready(self) -> list[Tensor]:
        ready = []
        while self._waiting and not self._waiting[0].missing:
            ready.append(self._waiting.popleft().pasted())
        self.given += len(ready)
        return ready


def _touching(tracks: FaceTracks, wanted: Stretch) -> FaceTracks:
    """Return the tracks that have frames in a stretch."""
    touching = (track for track in tracks.tracks if track.start < wanted.stop and wanted.start < track.stop)
    return replace(tracks, tracks=tuple(touching))


def _part_of(track: FaceTrack, wanted: Stretch) -> ClipPart:
    """Return what is wanted of the clip of a track's crops."""
    frames = len(track.boxes)
    return ClipPart(Stretch(max(0, wanted.start - track.start), min(frames, wanted.stop - track.start)), frames)


class _RestoredCrops:
    """The crops of one track through the restorer, and steadied after it; they come out with their index in the track.

    Beside those that are wanted, some come out that only go into the steadying of others.
    """

    def __init__(self, stream: ClipStream, first: int, steadies: bool) -> None:
        """`first` is the index of the first crop that comes out of the stream."""
        self._stream = stream
        self._first = self._next = first
        self._steady = SteadyAround() if steadies else None
        self._before: deque[Tensor] = deque()  # crops inside the stream that come out of it

    def push(self, index: int, crop: Tensor, original: Tensor | None) -> list[tuple[int, Tensor]]:
        """Take a crop, of the track's frame `index`, and what the part sees beside it."""
        if self._steady is not None and index >= self._first:
            self._before.append(crop)
        return self._numbered(
            self._steadied(self._stream.push(crop if original is None else torch.cat([crop, original])))
        )

    def finish(self) -> list[tuple[int, Tensor]]:
        rest = self._steadied(self._stream.finish())
        return self._numbered(rest if self._steady is None else rest + self._steady.finish())

    def _steadied(self, restored: list[Tensor]) -> list[Tensor]:
        steady = self._steady
        if steady is None:
            return restored
        return [out for crop in restored for out in steady.push(self._before.popleft(), crop)]

    def _numbered(self, restored: list[Tensor]) -> list[tuple[int, Tensor]]:
        first, self._next = self._next, self._next + len(restored)
        return list(enumerate(restored, first))


class _FaceClip:
    """The crops of one track on their way through the restorer."""

    def __init__(self, number: int, patcher: Patcher, crops: _RestoredCrops, wanted: Stretch) -> None:
        self.number = number
        self.patcher = patcher
        self.crops = crops
        self.wanted = wanted
        self.originals: deque[Tensor] = deque()  # crops of frames that are not restored yet
        self.pending: deque[tuple[WaitingFrame, Tensor]] = deque()  # with the crop, of those that are wanted

    def push(self, frame: WaitingFrame, crop: Tensor, index: int) -> None:
        if index in self.wanted:
            frame.missing += 1
            self.pending.append((frame, crop))
        original = self.originals.popleft() if self.originals else None
        self._hand_out(self.crops.push(index, crop, original))

    def finish(self) -> None:
        self._hand_out(self.crops.finish())
        assert not self.pending

    def _hand_out(self, restored: list[tuple[int, Tensor]]) -> None:
        for index, face in restored:
            if index in self.wanted:
                frame, crop = self.pending.popleft()
                frame.patches[self.number] = self.patcher.patch(frame.pixels, index, crop, face)
                frame.missing -= 1
