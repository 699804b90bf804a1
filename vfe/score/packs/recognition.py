"""What tells people apart: an embedding of the main face, by facexlib's ArcFace or an ONNX file of the user.

N faces, K numbers of an embedding.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...face.paste.align import ALIGNED_SIDE, similarities, take_aligned
from ...report.facexlib import FacexlibLikeness, arcface_crops
from ...report.facexlib import find_weights as find_facexlib
from ...types import VFEError
from ..faces import SeenFace
from ..picture import Picture

SFACE = "face_recognition_sface"
"""How the names of OpenCV's SFace begin; it takes levels of 0 to 255, others [-1, 1]."""
NONE_FOUND = (
    "no face recognition found: put an ONNX file with arcface or sface in its name into the folder of --weights, "
    "or install facexlib with its weights"
)


class Recogniser(Protocol):
    """A network of face recognition."""

    net: str

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings (N, K) of aligned crops (N, 3, S, S) in [-1, 1]."""


class FacexlibRecogniser:
    """ArcFace of facexlib (IR-SE50)."""

    net = "facexlib's ArcFace (IR-SE50)"

    def __init__(self, net: FacexlibLikeness) -> None:
        self._net = net

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings."""
        return self._net.embed(faces)


class OnnxRecogniser:
    """A network of 112x112 crops, RGB, in an ONNX file, run by OpenCV."""

    def __init__(self, path: Path) -> None:
        """Raises VFEError where OpenCV is missing or cannot read the file."""
        try:
            cv2 = import_module("cv2")
        except ImportError as error:
            raise VFEError(f"{path.name} needs OpenCV: pip install opencv-python-headless") from error
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            line = " ".join(str(error).split())
            raise VFEError(f"{path}: OpenCV cannot read this network ({line[:200]}); needed is an ONNX file") from error
        self.net = path.name
        self._in_levels = path.name.lower().startswith(SFACE)

    def embed(self, faces: Tensor) -> Tensor:
        """Return the embeddings."""
        crops = arcface_crops(faces)
        crops = (crops + 1) * 127.5 if self._in_levels else crops
        self._net.setInput(np.ascontiguousarray(crops.numpy()))
        return torch.from_numpy(self._net.forward().copy())


def load_recogniser(weights: Path | None) -> Recogniser | None:
    """Load the network that is there; None where there is none. Raises VFEError where its file is damaged."""
    files = [] if weights is None else sorted(weights.glob("*.onnx"))
    named = [file for file in files if any(word in file.name.lower() for word in ("arcface", "sface", "w600k"))]
    if named:
        return OnnxRecogniser(named[0])
    found = find_facexlib()
    if found is not None:
        with suppress(ImportError):
            return FacexlibRecogniser(FacexlibLikeness.load(found))
    return None


class Looks:
    """Embeddings of faces on frames, each computed once however many metrics ask for it."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.net = recogniser.net
        self._recogniser = recogniser
        self._last: deque[tuple[Picture, Tensor]] = deque(maxlen=4)

    def of(self, picture: Picture, face: SeenFace) -> Tensor:
        """Return the embedding (K,) of a face on a frame."""
        for known, look in self._last:
            if known is picture:
                return look
        crop = take_aligned(picture.pixels, similarities(face.landmarks[None])[0], ALIGNED_SIDE)
        look = self._recogniser.embed(crop[None])[0]
        self._last.append((picture, look))
        return look
