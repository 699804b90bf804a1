"""Frames are looked at as they come, and gathered with the faces on them."""

from __future__ import annotations

import torch
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from torch import Tensor

from ..face.detect.detector import MIN_FRAME_SIDE, FaceDetector
from ..video.pyav_compat import ONE_THREAD
from .follow import FollowConfig, Follower
from .frame import LiveFrame, Picture
from .group import GROUP, FaceOfGroup, LiveGroup

LOOKED_AT = 384
"""Faces are found and followed in frames with no longer side than this: all that the nets make use of."""

AREA = 0x20  # SWS_AREA, of which every pixel counts: a number, as PyAV names it only since 18


class Gatherer:
    """Follows the faces on frames that are pushed, and gives each time the last GROUP frames and the faces on them."""

    def __init__(self, detector: FaceDetector, config: FollowConfig) -> None:
        self._detector, self._config = detector, config
        self._follower = Follower(detector, config, GROUP)
        self._frames: list[LiveFrame] = []
        self._scaler = VideoReformatter()

    def push(self, frame: LiveFrame) -> LiveGroup:
        """Take a frame, and return it after those that came before: GROUP at most."""
        if self._frames and self._frames[0].picture.shape != frame.picture.shape:  # a stream that changed its size
            self._frames, self._follower = [], Follower(self._detector, self._config, GROUP)
        height, width = frame.picture.shape[:2]
        if min(height, width) >= MIN_FRAME_SIDE:
            self._follower.push(self._small(frame.picture))
        self._frames = [*self._frames, frame][-GROUP:]
        scale = torch.tensor([width, height]) / torch.tensor(_looked_at(width, height))
        faces = tuple(
            FaceOfGroup(face.track(self._config.fade, scale), min(len(face.sightings), len(self._frames)))
            for face in self._follower.faces
        )
        return LiveGroup(tuple(self._frames), faces)

    def _small(self, picture: Picture) -> Tensor:
        """Return a picture as it is looked at: (3, H, W) in [-1, 1]."""
        width, height = _looked_at(picture.shape[1], picture.shape[0])
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        small = self._scaler.reformat(frame, width=width, height=height, interpolation=AREA, **ONE_THREAD)  # type: ignore[arg-type]
        return torch.from_numpy(small.to_ndarray()).permute(2, 0, 1).float().mul_(1 / 127.5).sub_(1)


def _looked_at(width: int, height: int) -> tuple[int, int]:
    """Return the (width, height) in which a frame is looked at; small frames as they are."""
    shrink = min(1.0, LOOKED_AT / max(width, height))
    return max(round(width * shrink), MIN_FRAME_SIDE), max(round(height * shrink), MIN_FRAME_SIDE)
