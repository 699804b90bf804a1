"""Restore Faces does to frames in memory what `vfe enhance` does to those of a file."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import vfe
from tests.support.comfy_pack import Loose, frames_of, images_of, run, smooth_clip
from tests.support.two_faces import two_faces
from vfe.face.detect.detector import FaceDetector
from vfe.face.paste.paste import FaceConfig, PasteConfig
from vfe.face.track.tracker import track_faces
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.restore.face_stream import FacePart, FaceStream, restore_faces, restore_frames_and_faces

FRAMES = 6
REFINING = 0.8
"""How far the part for faces goes at the fidelity that the nodes start with."""


@pytest.fixture(scope="module")
def images() -> Tensor:
    return images_of(two_faces(FRAMES))


@pytest.fixture(scope="module")
def tracks(images: Tensor) -> Loose:
    return run("FaceMask", images=images)[1]


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


def restored(restorer: Loose, images: Tensor, tracks: Loose, **options: Loose) -> Tensor:
    result: Tensor = run("RestoreFaces", restorer=restorer, images=images, tracks=tracks, **options)[0]
    return result


@pytest.mark.parametrize("hair_and_neck", [False, True])
def test_chain_equals_whole_frames_of_vfe(
    images: Tensor, tracks: Loose, restorer: Loose, hair_and_neck: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what stands still, which a chain does not average over time."""
    monkeypatch.setattr("vfe.pipeline.keeping.keep_still_", lambda *_: None)
    (latent,) = run("OneStepEnhance", restorer=restorer, images=images, window=9, overlap=1)
    (whole,) = run("VAEDecodeTiled", latent=latent, restorer=restorer)
    result = restored(restorer, whole, tracks, originals=images, hair_and_neck=hair_and_neck)
    model = vfe.load("lite", "cpu", "fp32", WindowConfig(9, 1))
    assert isinstance(model.pipeline, OneStepPipeline)
    assert model.face_part is not None
    frames = frames_of(images).unbind(0)
    config = FaceConfig(paste=PasteConfig(around=hair_and_neck))
    faces = FaceStream(model.face_part, track_faces(frames, FaceDetector.load()), config, REFINING)
    own = restore_frames_and_faces(frames, model.pipeline.stream, faces)
    assert (result - images_of(torch.stack(list(own)))).abs().max() <= 1 / 255
    assert (result - whole).abs().max() > 0.02  # it does something


def test_originals_are_seen(images: Tensor, tracks: Loose, restorer: Loose) -> None:
    blurred = (images + images.roll(3, 2) + images.roll(-3, 2)) / 3
    assert not torch.equal(restored(restorer, images, tracks), restored(restorer, images, tracks, originals=blurred))


def test_only_faces_change(images: Tensor, tracks: Loose, restorer: Loose) -> None:
    changed = (restored(restorer, images, tracks) != images).any(-1)
    mask = torch.stack(list(tracks.masks()))
    assert changed.any()
    assert (changed & (mask == 0)).float().mean() < 0.02  # aligned crops are turned a little, masks are not
    assert (restored(restorer, images, tracks, blend=0.0) - images).abs().max() < 1e-6
    assert (restored(restorer, images, tracks, fidelity=1.0) - images).abs().max() <= 1 / 255


def test_a_restorer_without_that_part(images: Tensor, tracks: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its faces are restored in upright crops, as by `--region face`."""
    (alone,) = run("LoadWanRestorer", dtype="fp32")
    monkeypatch.setattr(alone, "faces", None)
    frames = frames_of(images).unbind(0)
    pipeline = vfe.load("lite", "cpu", "fp32").pipeline
    assert isinstance(pipeline, OneStepPipeline)
    own = restore_faces(FacePart(pipeline), frames, track_faces(frames, FaceDetector.load()))
    result = restored(alone, images, tracks, fidelity=0.5)
    assert (result - images_of(torch.stack(list(own)))).abs().max() <= 1 / 255


def test_without_faces_nothing_changes(restorer: Loose) -> None:
    clip = images_of(smooth_clip(3, 80, 120))
    nobody = run("FaceMask", images=clip)[1]
    assert torch.equal(restored(restorer, clip, nobody), clip)


def test_other_frames_get_a_sentence(images: Tensor, tracks: Loose, restorer: Loose) -> None:
    with pytest.raises(ValueError, match="connect the same IMAGE"):
        restored(restorer, images[1:], tracks)
    with pytest.raises(ValueError, match="originals are 5 frames"):
        restored(restorer, images, tracks, originals=images[1:])
