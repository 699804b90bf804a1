"""Packs with stand-in networks: definitions by closed forms, files that are missing, licences that are told."""

from __future__ import annotations

import math
import sys
from importlib.machinery import ModuleSpec
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.scored_clips import CLIP, face_at, moments, score, textured
from vfe.score.choose import Networks
from vfe.score.metric import Figure, ScoredClip
from vfe.score.options import ScoreOptions
from vfe.score.packs.clones import DOVER, FASTER_VQA, CloneMetric, find_clone
from vfe.score.packs.fvd import Fvd, frechet_distance, load_i3d
from vfe.score.packs.identity import FaceConsistency, Ids, Vidd
from vfe.score.packs.perceptual import PerceptualDistance
from vfe.score.packs.pyiqa import LICENCE
from vfe.score.packs.recognition import Looks, OnnxRecogniser
from vfe.score.packs.weight_files import find_weights
from vfe.types import VFEError

POINTS = torch.tensor([[40.0, 40], [60, 40], [50, 52], [42, 62], [58, 62]])


class MeanColour:
    """A recogniser whose embedding is the mean colour: red, green, blue in [-1, 1]."""

    net = "mean colour"

    def embed(self, faces: Tensor) -> Tensor:
        return faces.mean((2, 3))


def plain(red: int, green: int, blue: int) -> Tensor:
    return torch.tensor([red, green, blue], dtype=torch.uint8)[:, None, None].expand(3, 96, 96).contiguous()


def embedded(red: int, green: int, blue: int) -> Tensor:
    return torch.tensor([red, green, blue]) / 127.5 - 1


def test_identity_by_its_definitions() -> None:
    colours, truths = [(200, 90, 90), (90, 200, 90), (200, 200, 10)], [(200, 90, 90)] * 3
    face = face_at(POINTS)
    shown, clean = [plain(*colour) for colour in colours], [plain(*colour) for colour in truths]
    seen = moments(shown, clean, [(face, face)] * 3)
    looks, targets = [embedded(*colour) for colour in colours], [embedded(*colour) for colour in truths]
    cosines = [float(torch.cosine_similarity(a, b, dim=0)) for a, b in zip(looks, targets, strict=True)]
    assert score(Ids(Looks(MeanColour())), seen).value == pytest.approx(np.mean(cosines), abs=1e-4)
    steps = [float((a - b).norm()) for a, b in pairwise(looks)]
    assert score(Vidd(Looks(MeanColour())), seen).value == pytest.approx(np.mean(steps), abs=1e-4)
    to_first = [float(torch.cosine_similarity(looks[0], look, dim=0)) for look in looks[1:]]
    consistency = FaceConsistency(Looks(MeanColour()))
    assert score(consistency, seen).value == pytest.approx(np.mean(to_first), abs=1e-4)
    assert consistency.figure.net == "mean colour"


def test_identity_of_a_clip_whose_face_is_lost() -> None:
    face = face_at(POINTS)
    seen = moments([plain(9, 90, 90)] * 3, faces=[(face, None), (None, None), (face, None)])
    found = score(Vidd(Looks(MeanColour())), seen)
    assert math.isnan(found.value)
    assert found.why == "no face was found on two frames in a row"
    assert score(FaceConsistency(Looks(MeanColour())), seen).value == pytest.approx(1)


class Grey(nn.Module):
    """A distance of images: the difference of their means."""

    def forward(self, shown: Tensor, clean: Tensor) -> Tensor:
        return (shown.mean() - clean.mean()).abs()


def test_networks_see_every_so_manieth_frame() -> None:
    shown = [plain(level, level, level) for level in (51, 0, 102, 0)]
    metric = PerceptualDistance(Figure("dists", "lower"), Grey(), every=2, device="cpu")
    found = score(metric, moments(shown, [plain(0, 0, 0)] * 4))
    assert found.value == pytest.approx((0.2 + 0.4) / 2, rel=1e-5)
    assert [frame for frame, _ in found.curve] == [0, 2]


def test_frechet_distance_of_gaussians() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (40_000, 3)), rng.normal((1, 0, 2), (2, 1, 3), (40_000, 3))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 1) ** 2, rel=0.03)


def test_frechet_distance_is_that_of_the_matrix_root() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(30, 6))
    covs = [np.cov(x, rowvar=False) for x in (a, b)]
    root = np.trace(np.real(sqrtm(covs[0] @ covs[1])))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covs[0]) + np.trace(covs[1]) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_fvd_is_of_all_windows_together() -> None:
    metric = Fvd(lambda window: window.mean((2, 3, 4)))
    for seed in range(2):
        frames = [textured(48, 64, seed)] * 20
        found = score(metric, moments(frames, frames))
        assert math.isnan(found.value)
        assert "all clips together" in found.why
    assert metric.of_set().value == pytest.approx(0, abs=1e-6)
    assert metric.of_set().why == "of 2 windows"


def test_fvd_of_one_window_has_a_reason() -> None:
    metric = Fvd(lambda window: window.mean((2, 3, 4)))
    score(metric, moments([textured(48, 64)] * 16, [textured(48, 64)] * 16))
    assert metric.of_set().why.startswith("1 windows of 16 frames, needed are two")


def test_a_file_that_is_no_network_is_told(tmp_path: Path) -> None:
    file = tmp_path / "i3d_torchscript.pt"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(VFEError, match="is no TorchScript file"):
        load_i3d(file, "cpu")


def test_a_file_that_is_no_onnx_is_told(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    file = tmp_path / "arcface.onnx"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(VFEError, match="OpenCV cannot read this network") as caught:
        OnnxRecogniser(file)
    assert "\n" not in str(caught.value)


def clone_with(folder: Path, script: str) -> Path:
    root = folder / DOVER.folder
    root.mkdir()
    (root / DOVER.script).write_text(script, encoding="utf-8")
    return root


def test_a_clone_says_its_number(tmp_path: Path) -> None:
    line = "Normalized fused overall score (scale in [0,1]):"
    root = clone_with(tmp_path, f"import sys\nassert sys.argv[1] == '-v'\nprint('{line}', 0.4321)")
    assert find_clone(DOVER, tmp_path) == root
    assert find_clone(FASTER_VQA, tmp_path) is None
    assert score(CloneMetric(DOVER, root), []).value == 0.4321


def test_a_clone_that_fails_says_why(tmp_path: Path) -> None:
    metric = CloneMetric(DOVER, clone_with(tmp_path, "raise ImportError('no decord')"))
    assert score(metric, []).why == "evaluate_one_video.py failed: ImportError: no decord"
    metric.begin(ScoredClip(CLIP.path, frames_are_files=True))
    assert metric.scored().why == "it takes a video file, no images"


def stand_in_for_pyiqa(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyiqa")
    module.__spec__ = ModuleSpec("pyiqa", None)
    module.create_metric = lambda name, device: lambda image: image.mean() + len(name)  # type: ignore[attr-defined]  # noqa: ARG005
    monkeypatch.setitem(sys.modules, "pyiqa", module)


def test_pyiqa_measures_and_its_licence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_pyiqa(monkeypatch)
    networks = Networks(ScoreOptions(packs=("pyiqa",)))
    assert networks.notes == [LICENCE]
    assert networks.pyiqa is not None
    found = {
        metric.figure.name: score(metric, moments([plain(255, 255, 255)])).value for metric in networks.pyiqa.metrics(1)
    }
    assert found == {"musiq": 6, "clipiqa": 8, "maniqa": 7, "liqe": 5}


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        ("pyiqa", "pyiqa is not installed: pip install pyiqa; pyiqa is under PolyForm Noncommercial"),
        ("perceptual", "vgg16-397923af.pth"),
        ("identity", "no face recognition found"),
        ("fvd", "i3d_torchscript.pt not found"),
        ("dover", "no clone DOVER with evaluate_one_video.py; DOVER is under S-Lab License"),
        ("fastervqa", "no clone FAST-VQA-and-FasterVQA with vqa.py; FasterVQA is under the MIT"),
    ],
)
def test_a_pack_that_is_not_there_is_told(
    pack: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if pack == "pyiqa":
        monkeypatch.setattr("vfe.score.packs.pyiqa.find_spec", lambda _: None)
    monkeypatch.setattr("vfe.score.packs.recognition.find_facexlib", lambda: None)
    with pytest.raises(VFEError) as caught:
        Networks(ScoreOptions(packs=(pack,), weights=tmp_path))
    assert message in str(caught.value)


def test_weights_are_found_in_the_users_folder_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / ".cache" / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (cache / "some.pth").touch()
    assert find_weights(None, "other.pth", "some.pth") == cache / "some.pth"
    (tmp_path / "some.pth").touch()
    assert find_weights(tmp_path, "some.pth") == tmp_path / "some.pth"


@pytest.mark.parametrize(
    "wrong", [{"packs": ("nope",)}, {"every": 0}, {"frames": 0}, {"weights": Path("no such folder")}]
)
def test_options_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(VFEError):
        ScoreOptions(**wrong)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(VFEError):
        Networks(ScoreOptions(device="nothing"))
