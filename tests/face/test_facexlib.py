"""facexlib's nets as the heavier choice: imported when asked for, strictly loaded, used as facexlib itself does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from tests.support.paths import ROOT
from vfe.face.detect.detector import Face
from vfe.face.detect.facexlib import FACE_CLASSES, PARSED_SIDE, HeavyConfig, HeavyFaceDetector
from vfe.face.detect.upright import crop_matrices, take_crops
from vfe.types import VFEError


def frame() -> Tensor:
    picture = torch.from_numpy(skimage.data.astronaut()[40:200, 140:300]).permute(2, 0, 1)
    return picture.float() / 127.5 - 1


def facexlib_nets() -> tuple[Any, Any]:
    """RetinaFace and BiSeNet with random weights."""
    retinaface = pytest.importorskip("facexlib.detection.retinaface")
    bisenet = pytest.importorskip("facexlib.parsing.bisenet")
    torch.manual_seed(0)
    return retinaface.RetinaFace(network_name="resnet50", device=torch.device("cpu")), bisenet.BiSeNet(19).eval()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Their weights, laid out as in the published files."""
    folder = tmp_path_factory.mktemp("heavy")
    detector, parser = facexlib_nets()
    torch.save({f"module.{k}": v for k, v in detector.state_dict().items()}, folder / "detection_Resnet50_Final.pth")
    torch.save(parser.state_dict(), folder / "parsing_bisenet.pth")
    return folder / "detection_Resnet50_Final.pth", folder / "parsing_bisenet.pth"


@pytest.mark.slow
def test_it_is_imported_only_when_it_is_asked_for() -> None:
    modules = "vfe.face.detect.facexlib, vfe.face.detect.detector"
    code = f"import sys, {modules}; sys.exit('facexlib' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_without_facexlib_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("facexlib", "facexlib.detection", "facexlib.detection.retinaface"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(VFEError, match="pip install facexlib"):
        HeavyFaceDetector.load(Path("a.pth"), Path("b.pth"))


@pytest.mark.parametrize("values", [{"score": 0.0}, {"iou_threshold": 1.0}])
def test_impossible_thresholds_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="in"):
        HeavyConfig(**values)


def test_faces_are_those_that_facexlib_finds(files: tuple[Path, Path]) -> None:
    """Random weights give scores near a half: many boxes, the same ones in the same order."""
    heavy = HeavyFaceDetector.load(*files, config=HeavyConfig(score=0.5))
    detector, _ = facexlib_nets()
    with torch.no_grad():
        bgr = np.ascontiguousarray(skimage.data.astronaut()[40:200, 140:300, ::-1])
        wanted = torch.from_numpy(detector.detect_faces(bgr, 0.5, 0.4)).float()
    faces = heavy.detect(frame())
    assert len(faces) == len(wanted) > 0
    torch.testing.assert_close(torch.stack([face.box for face in faces]), wanted[:, :4], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(
        torch.stack([face.landmarks.flatten() for face in faces]), wanted[:, 5:15], rtol=1e-3, atol=1e-2
    )


def test_regions_are_bisenets_classes_of_the_upright_crop(files: tuple[Path, Path]) -> None:
    heavy = HeavyFaceDetector.load(*files)
    landmarks = torch.tensor([[60.0, 60], [95, 62], [78, 80], [64, 97], [92, 98]])
    face = Face(torch.tensor([40.0, 25, 115, 120]), 0.9, landmarks)
    (close,) = heavy.follow(frame(), [face])
    matrices = crop_matrices(face.box[None], torch.atan2(*(torch.tensor([v]) for v in roll_parts(landmarks))))
    crop = (take_crops(frame(), matrices, PARSED_SIDE) + 1) / 2
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    _, parser = facexlib_nets()
    with torch.no_grad():
        classes = parser((crop - mean[:, None, None]) / std[:, None, None])[0].softmax(1)
    torch.testing.assert_close(close.mask, classes[0, list(FACE_CLASSES)].sum(0), rtol=1e-3, atol=1e-4)
    assert close.face is face
    assert heavy.mask(frame(), face).shape == (160, 160)


def roll_parts(landmarks: Tensor) -> tuple[float, float]:
    eyes = landmarks[1] - landmarks[0]
    down = landmarks[3:].mean(0) - landmarks[:2].mean(0)
    return float(eyes[1] - down[0]), float(eyes[0] + down[1])


def test_other_files_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    detector, parser = files
    with pytest.raises(VFEError, match="no such file"):
        HeavyFaceDetector.load(tmp_path / "none.pth", parser)
    with pytest.raises(VFEError, match="not facexlib's weights"):
        HeavyFaceDetector.load(parser, parser)
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(VFEError, match="not facexlib's weights"):
        HeavyFaceDetector.load(detector, tmp_path / "junk.pth")
