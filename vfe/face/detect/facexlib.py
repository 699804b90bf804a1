"""The heavier choice: facexlib's RetinaFace (ResNet-50) for faces and BiSeNet for their regions.

Nothing is downloaded here: the two files come from `vfe models pull facexlib-retinaface facexlib-bisenet`, which
checks their hashes, and are given by path. facexlib and torchvision must be installed by the user.

F faces, S crop side. Points are xy in pixels of the frame, pixels in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from ...tensor_io.load import CPU, check_fits, load_strictly, shapes_of
from ...tensor_io.open import open_tensors
from ...types import VFEError
from .detector import CloseFace, Face, one_frame
from .upright import crop_matrices, put_back, roll_of, take_crops

PARSED_SIDE = 512
"""The side in pixels of the crops that BiSeNet looks at."""
FACE_CLASSES = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)
"""BiSeNet's classes that are face: skin, brows, eyes, glasses, nose, mouth, lips; not ears, neck, hair."""
HEAD_CLASSES = (*FACE_CLASSES, 7, 8, 9, 17, 18)
"""Those that are head: also ears, earrings, hair and hat; not neck and clothes."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class HeavyConfig:
    """The thresholds of facexlib's detector: the least score, and the IoU from which on two faces are one.

    Raises ValueError where they are not between 0 and 1.
    """

    score: float = 0.8
    iou_threshold: float = 0.4

    def __post_init__(self) -> None:
        if not 0 < self.score <= 1 or not 0 < self.iou_threshold < 1:
            raise ValueError(f"{self}: scores are in (0, 1], overlaps in (0, 1)")


class HeavyFaceDetector:
    """facexlib's nets with the methods of `FaceDetector`. Its boxes are RetinaFace's, from hairline to chin."""

    def __init__(self, detector: Any, parser: nn.Module, config: HeavyConfig | None = None) -> None:  # noqa: ANN401
        self.detector, self.parser, self.config = detector, parser, config or HeavyConfig()

    @classmethod
    def load(
        cls, detector: Path, parser: Path, device: torch.device | str = "cpu", config: HeavyConfig | None = None
    ) -> HeavyFaceDetector:
        """Read the nets from the files `detection_Resnet50_Final.pth` and `parsing_bisenet.pth`.

        Raises VFEError where facexlib is missing or a file is not what its name says.
        """
        try:
            from facexlib.detection.retinaface import RetinaFace
        except ImportError as error:
            raise VFEError(_missing(error)) from error
        target = torch.device(device)
        return cls(
            _filled(RetinaFace(network_name="resnet50", device=target), detector).to(target),
            load_parser(parser, target),
            config,
        )

    @property
    def device(self) -> torch.device:
        """The device that the nets are on."""
        return next(self.parser.parameters()).device

    def detect(self, frame: Tensor) -> list[Face]:
        """Return the faces of a frame (3, H, W), best first. Raises ValueError for other shapes."""
        pixels = (one_frame(frame).float() + 1) * 127.5
        picture = rearrange(pixels.flip(0), "bgr h w -> h w bgr").cpu().numpy()
        with torch.inference_mode():
            rows = self.detector.detect_faces(picture, self.config.score, self.config.iou_threshold)
        found = torch.from_numpy(rows).to(self.device, torch.float32)
        return [Face(row[:4], float(row[4]), row[5:].view(5, 2)) for row in found]

    def detect_batch(self, frames: Tensor) -> list[list[Face]]:
        """Return the faces of each of the frames (B, 3, H, W), which are looked at one after the other."""
        return [self.detect(frame) for frame in frames]

    @torch.inference_mode()
    def follow(self, frame: Tensor, faces: Sequence[Face]) -> list[CloseFace]:
        """Return known faces with their regions on a frame (3, H, W). The faces stay as they are."""
        if not faces:
            return []
        ready = one_frame(frame).to(self.device, torch.float32)
        boxes, landmarks = (torch.stack([part.to(ready) for part in parts]) for parts in _columns(faces))
        matrices = crop_matrices(boxes, roll_of(landmarks))
        crops = take_crops(ready, matrices, PARSED_SIDE)
        masks = parse(self.parser, crops, FACE_CLASSES)
        return [CloseFace(face, mask, matrix) for face, mask, matrix in zip(faces, masks, matrices, strict=True)]

    @torch.inference_mode()
    def mask(self, frame: Tensor, face: Face) -> Tensor:
        """Return the region (H, W), 0 to 1, of a face on a frame (3, H, W), without what covers the face."""
        (close,) = self.follow(frame, [face])
        return put_back(close.mask, close.matrix, *frame.shape[-2:])


def load_parser(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Read BiSeNet alone from the file `parsing_bisenet.pth`.

    Raises VFEError where facexlib is missing or the file is not what its name says.
    """
    try:
        from facexlib.parsing.bisenet import BiSeNet
    except ImportError as error:
        raise VFEError(_missing(error)) from error
    return _filled(BiSeNet(num_class=19), path).to(torch.device(device))


def parse(parser: nn.Module, crops: Tensor, classes: Sequence[int]) -> Tensor:
    """Return how sure BiSeNet is of some classes together on crops (F, 3, S, S): (F, S, S), 0 to 1."""
    mean, std = (crops.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    found: Tensor = parser(((crops + 1) / 2 - mean) / std)[0]
    return found.softmax(1)[:, list(classes)].sum(1)


def _missing(error: ImportError) -> str:
    return f"facexlib cannot be used ({error}): pip install facexlib, or use the bundled net"


def _columns(faces: Sequence[Face]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the boxes and the landmarks of faces."""
    return [face.box for face in faces], [face.landmarks for face in faces]


def _filled(net: nn.Module, path: Path) -> nn.Module:
    """Give a net the weights of a torch file, all of them and no other; VFEError where they are of another net."""
    if not path.exists():
        raise VFEError(f"{path}: no such file; get it with `vfe models pull`")
    try:
        source = open_tensors(path)
        source = source.select({name.removeprefix("module."): name for name in source})
        check_fits(path, shapes_of(net), source)
        return load_strictly(net, source.get, path, device=CPU, dtype=torch.float32)
    except VFEError as error:
        raise VFEError(f"these are not facexlib's weights: {error}") from error
