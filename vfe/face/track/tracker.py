"""People in a video: faces are detected every few frames, followed between, and told apart.

Frame by frame only what is certain is kept: tracklets, which end where a face is lost, looks like somebody else or is
in the way of another one. At the end of a shot the tracklets of one person are put together (links.py), so that who is
who after an occlusion is decided by what was seen before and after it.

F faces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...types import Progress
from ..detect.boxes import intersection_over_smaller, iou
from ..detect.detector import Face, FaceDetector, given_faces, one_frame
from .appearance import describe, difference
from .eyes import Eyes, NetEyes, Sighting
from .gaps import GapConfig, join
from .links import LinkConfig, chains
from .remembered import FaceMemory, RememberingEyes
from .shots import CutConfig, CutFinder
from .tracklets import Tracklet, centre, side_of
from .tracks import FaceTrack, FaceTracks

ASSOCIATION_IOU = 0.3
"""The IoU from which on a detection is associated with a face that is followed."""
OCCLUSION_OVERLAP = 0.65
"""From this intersection over the smaller of two followed faces on, nobody knows who is who.

Of two detected faces that overlap as much, the worse one is none.
"""
ALONE_OVERLAP = 0.1
"""Up to this intersection over the smaller box a face is seen alone, so that its look can be learned."""
ESTABLISHED_FRAMES = 8
"""After so many frames it is worth while to search for a face that is lost."""
CONFIDENCE_DECAY = 0.75
"""What is left of the confidence in a face each time that the detector does not see it."""
STRANGER_DETECTIONS = 2
"""At so many detections in a row a face looks like somebody else before it is somebody else."""


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """How faces are followed, and which of them are kept. Raises ValueError for values that make no sense."""

    every: int = 4
    """How many frames pass from one detection to the next.

    There is one more at the start of a shot and while a face is lost.
    """
    keep: float = 0.4
    """The score down to which a face is followed."""
    sure: float = 0.5
    """The score down to which it is followed where the detector, when it looks, does not see it."""
    weak: float = 0.35
    """The score from which on a detection counts for a face that was lost, or else comes to nothing."""
    sightings: int = 6
    """On so many frames a face has to be seen; in shorter shots, on all of them."""
    score: float = 0.65
    """The mean score that a face needs."""
    brief: int = 24
    """A face that is seen on fewer frames, and not all through the shot, needs `brief_score` instead."""
    brief_score: float = 0.75
    """The mean score that a face needs which is seen briefly."""
    cut: CutConfig = field(default_factory=CutConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    gap: GapConfig = field(default_factory=GapConfig)

    def __post_init__(self) -> None:
        if self.every < 1 or self.sightings < 1:
            raise ValueError(f"every={self.every}, sightings={self.sightings}: needed are numbers from 1 on")
        scores = (self.keep, self.sure, self.weak, self.score, self.brief_score)
        if not all(0 < score <= 1 for score in scores):
            raise ValueError(f"keep, sure, weak, score, brief_score = {scores}: needed are scores in (0, 1]")


class FaceTracker:
    """Takes the frames of a clip one by one and finds its faces. No frame is kept, but for a few where there may be a
    cut.
    """

    def __init__(
        self, detector: FaceDetector, config: TrackConfig | None = None, memory: FaceMemory | None = None
    ) -> None:
        """`memory` has what the detector's nets answered about the same frames before, if anything."""
        self.config = config or TrackConfig()
        weak = min(self.config.weak, detector.config.score)
        nets = NetEyes(FaceDetector(detector.net, replace(detector.config, score=weak, large_score=weak)))
        self._eyes: Eyes = nets if memory is None else RememberingEyes(nets, memory)
        self._cut_finder = CutFinder(self.config.cut)
        self._size: tuple[int, int] | None = None  # height, width
        self._frame = 0  # index of the next frame to be looked at
        self._shot = 0  # its shot's first frame
        self._cuts: list[int] = []
        self._alive: list[Tracklet] = []
        self._ended: list[Tracklet] = []  # of this shot
        self._search_until = 0  # faces were lost: up to here each frame is searched
        self._tracks: list[FaceTrack] = []
        self._boxes: deque[Tensor | None] = deque()  # given with frames that are not looked at yet

    def push(self, frame: Tensor, boxes: Tensor | None = None) -> None:
        """Take the next frame (3, H, W), and the boxes (F, 4) of the faces on it where another detector has found them
        already.

        Raises ValueError for other shapes, and where the size changes.
        """
        size = (int(one_frame(frame).shape[1]), int(frame.shape[2]))
        if size != (self._size or size):
            raise ValueError(f"got a frame of (height, width) {size} after frames of {self._size}: needed is one size")
        self._size = size
        self._boxes.append(boxes)
        for decided in self._cut_finder.push(frame):
            self._look(decided.frame, decided.cut)

    def finish(self) -> FaceTracks:
        """Return all faces; nothing can be pushed after it. Raises ValueError where there was no frame."""
        for decided in self._cut_finder.finish():
            self._look(decided.frame, decided.cut)
        if self._size is None:
            raise ValueError("got no frame, needed is at least one")
        self._end_shot()
        ordered = sorted(self._tracks, key=lambda track: (track.start, float(track.boxes[0, 0])))
        return FaceTracks(
            width=self._size[1],
            height=self._size[0],
            frames=self._frame,
            cuts=tuple(self._cuts),
            tracks=tuple(replace(track, number=number) for number, track in enumerate(ordered, start=1)),
        )

    def _look(self, frame: Tensor, cut: bool) -> None:
        if cut:
            self._end_shot()
            self._cuts.append(self._frame)
            self._shot = self._frame
        self._follow(frame)
        boxes = self._boxes.popleft()
        if boxes is not None:
            self._associate(frame, [seen.face for seen in self._eyes.follow(self._frame, frame, given_faces(boxes))])
        elif (self._frame - self._shot) % self.config.every == 0 or self._frame < self._search_until:
            self._associate(frame, self._eyes.detect(self._frame, frame))
        self._frame += 1

    def _follow(self, frame: Tensor) -> None:
        """Follow every face to this frame, and end the tracklets of those that are lost or in each other's way."""
        assert self._size is not None  # there is a frame
        sightings = self._eyes.follow(self._frame, frame, [tracklet.expected() for tracklet in self._alive])
        kept = [
            (tracklet, seen)
            for tracklet, seen in zip(self._alive, sightings, strict=True)
            if seen.face.score >= self.config.keep and _plausible(tracklet, seen, self._size)
        ]
        boxes = [seen.face.box for _, seen in kept]
        for (tracklet, seen), near in zip(kept, _overlap_with_others(boxes), strict=True):
            tracklet.alone_at_end = near <= ALONE_OVERLAP
            if near <= OCCLUSION_OVERLAP:
                tracklet.add(seen)
        self._end([tracklet for tracklet in self._alive if tracklet.stop <= self._frame])

    def _associate(self, frame: Tensor, faces: list[Face]) -> None:
        """Associate detected faces with known ones, and start tracklets for the others."""
        known = list(self._alive)
        common = iou(_boxes_of(face.box.cpu() for face in faces), _boxes_of(t.boxes[-1] for t in known))
        match = _assignment(common)
        for index, tracklet in enumerate(known):
            if index in match:
                tracklet.confidence, tracklet.confirmed = faces[match[index]].score, self._frame
            else:
                tracklet.confidence *= CONFIDENCE_DECAY
        new = _without_duplicates(
            [face for face, row in zip(faces, common, strict=True) if not bool((row >= ASSOCIATION_IOU).any())], known
        )
        meetings = self._eyes.meet(self._frame, frame, new)
        nearness = _overlap_with_others([face.box for face in new] + [tracklet.boxes[-1] for tracklet in known])
        for face, met, near in zip(new, meetings, nearness):  # noqa: B905 - of the new ones
            tracklet = Tracklet(self._frame, face.score, met.look, alone=near <= ALONE_OVERLAP)
            tracklet.add(met.sighting)
            self._alive.append(tracklet)
        self._learn(frame, known)
        undetected = [t for index, t in enumerate(known) if index not in match and t.scores[-1] < self.config.sure]
        self._end([tracklet for tracklet in undetected if tracklet in self._alive])

    def _learn(self, frame: Tensor, known: list[Tracklet]) -> None:
        """Learn how known faces look that are seen alone; who looks like somebody else for long is somebody else."""
        near = _overlap_with_others([tracklet.boxes[-1] for tracklet in self._alive])
        alone = [t for t, overlap in zip(self._alive, near, strict=True) if overlap <= ALONE_OVERLAP and t in known]
        for tracklet, look in zip(alone, describe(frame, [tracklet.latest() for tracklet in alone]), strict=True):
            if difference(tracklet.appearance, look) <= self.config.link.stranger:
                tracklet.strangers.clear()
                tracklet.learn(look)
                continue
            tracklet.strangers.append((self._frame, look))
            if len(tracklet.strangers) >= STRANGER_DETECTIONS:
                since, changed = tracklet.strangers[0]
                self._alive.append(tracklet.split(since, tracklet.confidence, changed))
                self._end([tracklet])

    def _end(self, tracklets: list[Tracklet]) -> None:
        for tracklet in tracklets:
            tracklet.trim(self.config.sure)
        self._ended += tracklets
        self._alive = [tracklet for tracklet in self._alive if tracklet not in tracklets]
        if any(len(tracklet.boxes) >= ESTABLISHED_FRAMES for tracklet in tracklets):
            self._search_until = self._frame + self.config.every

    def _end_shot(self) -> None:
        shot = (self._shot, self._frame)
        for chain in chains([*self._ended, *self._alive], self.config.link):
            track = join(chain, shot, self.config.gap)
            if self._is_face(track, shot):
                self._tracks.append(track)
        self._alive, self._ended, self._search_until = [], [], 0

    def _is_face(self, track: FaceTrack, shot: tuple[int, int]) -> bool:
        sightings = int(track.seen.sum())
        frames = shot[1] - shot[0]
        brief = sightings < min(self.config.brief, frames)
        score = float(track.scores[track.seen].mean())
        enough = sightings >= min(self.config.sightings, frames)
        return enough and score >= (self.config.brief_score if brief else self.config.score)


def _plausible(tracklet: Tracklet, seen: Sighting, size: tuple[int, int]) -> bool:
    """Return whether a face may have become this one in a frame's time, and is on the frame of `size`
    (height, width).
    """
    box = seen.face.box
    grown = side_of(box) / tracklet.side
    moved = float((centre(box) - centre(tracklet.boxes[-1])).norm()) / tracklet.side
    x, y = centre(box).tolist()
    return 0.7 < grown < 1.4 and moved < 0.8 and 0 < x < size[1] and 0 < y < size[0]


def _overlap_with_others(boxes: Sequence[Tensor]) -> list[float]:
    """Return for each box the sum of its intersections over the smaller box with all others."""
    stacked = _boxes_of(box.cpu() for box in boxes)
    return intersection_over_smaller(stacked, stacked).fill_diagonal_(0).sum(1).tolist()


def _without_duplicates(faces: list[Face], known: list[Tracklet]) -> list[Face]:
    """Return the faces, best first, that are no part of a known or a better one: a cheek is not a face of its own."""
    kept: list[Face] = []
    taken = [tracklet.boxes[-1] for tracklet in known]
    for face in faces:
        box = face.box.cpu()
        if not bool((intersection_over_smaller(box[None], _boxes_of(taken)) > OCCLUSION_OVERLAP).any()):
            kept.append(face)
            taken.append(box)
    return kept


def _assignment(common: Tensor) -> dict[int, int]:
    """Return for each known face the detected one that is associated with it, from their IoU (detected, known).

    The sum of the IoU is the largest that there is (the Hungarian method); pairs below ASSOCIATION_IOU are none.
    """
    pairs: Iterable[tuple[int, int]]
    if min(common.shape) <= 1:  # nothing to choose between: most clips need not wait for scipy
        pairs = [] if common.numel() == 0 else [divmod(int(common.argmax()), common.shape[1])]
    else:
        from scipy.optimize import linear_sum_assignment

        pairs = zip(*(chosen.tolist() for chosen in linear_sum_assignment(-common.numpy())), strict=True)
    return {column: row for row, column in pairs if float(common[row, column]) >= ASSOCIATION_IOU}


def _boxes_of(boxes: Iterable[Tensor]) -> Tensor:
    """Return boxes as (F, 4), also where there are none."""
    return torch.stack([torch.zeros(4), *boxes])[1:]


def track_faces(
    frames: Iterable[Tensor],
    detector: FaceDetector,
    config: TrackConfig | None = None,
    on_progress: Progress | None = None,
    memory: FaceMemory | None = None,
) -> FaceTracks:
    """Return the faces of a clip of frames (3, H, W) in [-1, 1]. Raises ValueError as `FaceTracker` does.

    `memory` has what was answered about the same frames before; it knows the checksum of each frame that is pulled.
    """
    tracker = FaceTracker(detector, config, memory)
    for done, frame in enumerate(frames, start=1):
        tracker.push(frame)
        if on_progress:
            on_progress(done, None)
    return tracker.finish()
