"""Faces of a clip restored in their frames: every track is a clip of crops, and frames wait until all theirs are back.

Frames are (3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..face.paste.aligned import AlignedPatcher
from ..face.paste.paste import FaceConfig, FacePatcher, Patch, Patcher, paste
from ..face.track.tracks import FaceTrack, FaceTracks
from ..pipeline.windows import ClipStream, WindowPipeline
from ..types import Progress, no_progress


@dataclass(frozen=True)
class FacePart:
    """What restores faces, and how they are cut out for it."""

    pipeline: WindowPipeline
    is_aligned: bool = False
    """Whether eyes, nose and mouth of its crops lie where the template has them; else crops are upright windows."""
    sees_original: bool = False
    """Whether it takes, beside crops of frames that another model restored, those of the frames as they were."""

    def patcher(self, track: FaceTrack, config: FaceConfig) -> Patcher:
        """Return what cuts out and pastes back the face of one track."""
        return AlignedPatcher(track, config.paste) if self.is_aligned else FacePatcher(track, config)


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
    for frame in frames:
        yield from stream.push(frame)
    yield from stream.finish()
    report(stream.given, tracks.frames)


def restore_frames_and_faces(
    frames: Iterable[Tensor], restore: Callable[[Iterable[Tensor]], Iterator[Tensor]], faces: FaceStream
) -> Iterator[Tensor]:
    """Restore frames by another model, `restore`, and then the faces in what it makes of them."""

    def noted() -> Iterator[Tensor]:
        for frame in frames:
            faces.note_original(frame)
            yield frame

    for frame in restore(noted()):
        yield from faces.push(frame)
    yield from faces.finish()


class FaceStream:
    """Does what `restore_faces` does, for frames that are pushed one by one."""

    def __init__(
        self,
        part: FacePart,
        tracks: FaceTracks,
        config: FaceConfig | None = None,
        strength: float = 1.0,
        report: Callable[[int], None] | None = None,
    ) -> None:
        """`report` is called with the frames given between the stages of windows; what it raises stops the work."""
        self.part = part
        self.tracks = tracks
        self.config = config or FaceConfig()
        self.strength = strength
        self.report = report
        self.given = 0
        """The number of frames that came out."""
        self._taken = 0
        self._noted = 0
        self._waiting: deque[_Frame] = deque()
        self._clips: dict[int, _FaceClip] = {}

    def note_original(self, frame: Tensor) -> None:
        """Take the crops that the part sees of a frame on its way into another model, before it is pushed restored."""
        if self.part.sees_original:
            for track, index in self.tracks.at(self._noted):
                clip = self._clip_of(track)
                clip.originals.append(clip.patcher.take(frame, index))
        self._noted += 1

    def push(self, frame: Tensor) -> list[Tensor]:
        """Take a frame and return those that it makes ready."""
        if (frame.shape[-1], frame.shape[-2]) != (self.tracks.width, self.tracks.height):
            raise ValueError(
                f"a frame is {frame.shape[-1]}x{frame.shape[-2]}, needed {self.tracks.width}x{self.tracks.height}, "
                "in which its faces were found"
            )
        waiting = _Frame(frame)
        self._waiting.append(waiting)
        for track, index in self.tracks.at(self._taken):
            waiting.missing += 1
            self._clip_of(track).push(waiting, index)
            if index + 1 == len(track.boxes):
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

    def _clip_of(self, track: FaceTrack) -> _FaceClip:
        if track.number not in self._clips:
            stream = ClipStream(self.part.pipeline, self.strength, self._check)
            patcher = self.part.patcher(track, self.config)
            self._clips[track.number] = _FaceClip(track.number, patcher, stream)
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


class _Frame:
    """A frame into which faces are pasted, and the patches that it has so far of those that it needs."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.missing = 0
        self.patches: dict[int, Patch] = {}  # by the track's number

    def pasted(self) -> Tensor:
        return paste(self.pixels, [patch for _, patch in sorted(self.patches.items())])


class _FaceClip:
    """The crops of one track on their way through the restorer."""

    def __init__(self, number: int, patcher: Patcher, stream: ClipStream) -> None:
        self.number = number
        self.patcher = patcher
        self.stream = stream
        self.originals: deque[Tensor] = deque()  # crops of frames that are not restored yet
        self.pending: deque[tuple[_Frame, int, Tensor]] = deque()  # with the index in the track, and the crop

    def push(self, frame: _Frame, index: int) -> None:
        crop = self.patcher.take(frame.pixels, index)
        self.pending.append((frame, index, crop))
        seen = torch.cat([crop, self.originals.popleft()]) if self.originals else crop
        self._hand_out(self.stream.push(seen))

    def finish(self) -> None:
        self._hand_out(self.stream.finish())
        assert not self.pending

    def _hand_out(self, restored: list[Tensor]) -> None:
        for face in restored:
            frame, index, crop = self.pending.popleft()
            frame.patches[self.number] = self.patcher.patch(frame.pixels, index, crop, face)
            frame.missing -= 1
