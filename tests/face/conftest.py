"""Fixtures that the tests of faces share."""

from __future__ import annotations

import pytest
import torch

from vfe.face.detect.detector import FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    """The bundled detector, on one thread: small pictures are faster so, and a loaded machine disturbs them less."""
    torch.set_num_threads(1)
    return FaceDetector.load()
