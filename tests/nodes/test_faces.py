"""Face Mask, Face Crop and Face Paste find faces, cut them out, and paste back only what changed."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import pytest
import torch
from torch import Tensor

import vfe
from tests.support.comfy_pack import NODES, Loose, frames_of, images_of, run, smooth_clip
from tests.support.two_faces import two_faces
from vfe.face.detect.detector import FaceDetector
from vfe.face.track.tracker import track_faces
from vfe.pipeline.one_step import OneStepPipeline, WindowConfig
from vfe.restore.face_stream import FacePart, restore_faces

FRAMES = 10


@pytest.fixture(scope="module")
def images() -> Tensor:
    return images_of(two_faces(FRAMES))


@pytest.fixture(scope="module")
def masked(images: Tensor) -> tuple[Loose, ...]:
    return run("FaceMask", images=images)


@pytest.fixture(scope="module")
def crops(images: Tensor, masked: tuple[Loose, ...]) -> list[Tensor]:
    return run("FaceCrop", images=images, tracks=masked[1])[0]


def paste(images: Tensor, crops: list[Tensor], tracks: Loose, **options: Loose) -> Tensor:
    """As the executor gives a node that takes lists."""
    chosen = {"blend": 1.0, "match_colours": True, **options}
    lists = {name: [value] for name, value in chosen.items()}
    return run("FacePaste", images=[images], crops=crops, tracks=[tracks], **lists)[0]


def test_finds_both_faces(images: Tensor, masked: tuple[Loose, ...]) -> None:
    mask, faces, overlay, report, _ = masked
    assert mask.shape == images.shape[:3]
    assert mask.min() == 0
    assert mask.max() > 0.9
    assert [(track.start, track.stop) for track in faces.tracks.tracks] == [(0, FRAMES)] * 2
    assert overlay.shape == images.shape
    assert not torch.equal(overlay, images)
    assert report.splitlines()[0] == f"2 of 2 faces chosen, 1 shot, {FRAMES} frames"
    assert "face 2" in report


def test_unrestored_crops_give_the_frames(images: Tensor, masked: tuple[Loose, ...], crops: list[Tensor]) -> None:
    assert [crop.shape[0] for crop in crops] == [FRAMES, FRAMES]
    assert all(c.shape[1] == c.shape[2] for c in crops)
    assert (paste(images, crops, masked[1]) - images).abs().max() <= 1 / 255


def test_only_the_masks_change(images: Tensor, masked: tuple[Loose, ...], crops: list[Tensor]) -> None:
    result = paste(images, [crop * 0.5 for crop in crops], masked[1], match_colours=False)
    changed = (result != images).any(-1)
    assert changed.any()
    assert not (changed & (masked[0] == 0)).any()
    assert torch.equal(paste(images, [crop * 0.5 for crop in crops], masked[1], blend=0.0), images)


def test_chain_equals_vfe(images: Tensor, masked: tuple[Loose, ...], crops: list[Tensor]) -> None:
    """Crop, enhance, decode and paste as nodes against the stream that `vfe enhance --region face` runs."""
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    restored = []
    for crop in crops:
        (latent,) = run("OneStepEnhance", restorer=restorer, images=crop, window=9, overlap=1)
        restored.append(run("VAEDecodeTiled", latent=latent, restorer=restorer)[0])
    result = paste(images, restored, masked[1])
    frames = frames_of(images).unbind(0)
    pipeline = vfe.load("lite", "cpu", "fp32", WindowConfig(9, 1)).pipeline
    assert isinstance(pipeline, OneStepPipeline)
    own = restore_faces(FacePart(pipeline), frames, track_faces(frames, FaceDetector.load()))
    assert (result - images_of(torch.stack(list(own)))).abs().max() <= 1 / 255
    assert (result - images).abs().max() > 0.05  # it does something


def test_detections_of_other_nodes_are_followed(images: Tensor, masked: tuple[Loose, ...]) -> None:
    right = masked[1].tracks.tracks[1]
    boxes = [[dict(zip(("x", "y", "width", "height"), _corner_and_size(box), strict=True))] for box in right.boxes]
    (_, faces, *_) = run("FaceMask", images=images, detections=boxes)
    (track,) = faces.tracks.tracks
    assert (track.boxes - right.boxes).abs().max() < 4


@pytest.mark.parametrize("frames", [1, 6])
def test_a_clip_without_faces_comes_out_as_it_was(frames: int) -> None:
    clip = images_of(smooth_clip(frames, 80, 120))
    mask, nobody, overlay, report, sheet = run("FaceMask", images=clip)
    assert mask.shape == clip.shape[:3]
    assert not mask.any()
    assert (overlay - clip).abs().max() < 1e-6
    assert report == f"0 of 0 faces chosen, 1 shot, {frames} frame{'' if frames == 1 else 's'}"
    assert len(sheet) == 1
    (crops,) = run("FaceCrop", images=clip, tracks=nobody)
    assert len(crops) == 1
    assert crops[0].shape == (1, 64, 64, 3)
    assert not crops[0].any()
    (restorer,) = run("LoadWanRestorer", dtype="fp32")
    (latent,) = run("OneStepEnhance", restorer=restorer, images=crops[0])
    (restored,) = run("VAEDecodeTiled", latent=latent, restorer=restorer)
    for given in ([restored], crops, []):
        assert torch.equal(paste(clip, given, nobody), clip)
    with pytest.raises(ValueError, match="connect the same IMAGE"):
        paste(clip[:, 1:], crops, nobody)


def test_a_clip_without_the_chosen_faces_comes_out_as_it_was(images: Tensor) -> None:
    (_, small, _, report, _) = run("FaceMask", images=images, min_face=500)
    assert report.startswith("0 of 2 faces chosen")
    (crops,) = run("FaceCrop", images=images, tracks=small)
    assert torch.equal(paste(images, crops, small), images)


def _corner_and_size(box: Tensor) -> list[float]:
    left, top, right, bottom = box.tolist()
    return [left, top, right - left, bottom - top]


def test_selection_and_sentences(images: Tensor, masked: tuple[Loose, ...], crops: list[Tensor]) -> None:
    (_, faces, _, report, _) = run("FaceMask", images=images, faces="nearest 330,100")
    assert [track.number for track in faces.tracks.tracks] == [2]
    assert "not chosen" in report
    with pytest.raises(ValueError, match="connect the same IMAGE"):
        run("FaceCrop", images=images[1:], tracks=faces)
    with pytest.raises(ValueError, match="connect what Face Crop gave"):
        paste(images, crops[:1], masked[1])
    with pytest.raises(ValueError, match=r"there is no face 7.*; the overlay of Face Mask shows their numbers"):
        run("FaceMask", images=images, faces="7")
    with pytest.raises(ValueError, match="needed is a box with x, y, width, height"):
        run("FaceMask", images=images, detections=[[{"x": 1}]])


def test_each_shot_has_a_sheet_and_what_the_picker_shows(images: Tensor) -> None:
    """Two shots, of two faces and of one; the picker's pictures lie in the temp folder."""
    alone = torch.full_like(images[:6], 0.1)
    alone[:, 30:150, 20:140] = images[:6, 30:150, 20:140]
    clip = torch.cat([images[:6], alone])
    kind = NODES["VFE_FaceMask"]
    values = {"images": clip, "min_face": 0, "feather": 0.08, "margin": 1.75, "crop_size": 0}
    result = kind.execute(**values, faces="2,3", names="2 Ann\n3: \u674e")
    sheet, shown = result.args[4], result.ui["vfe_faces"][0]["shots"]
    assert [[face["number"] for face in shot["faces"]] for shot in shown] == [[1, 2], [3]]
    assert [(shot["start"], shot["stop"]) for shot in shown] == [(0, 6), (6, 12)]
    faces = [face for shot in shown for face in shot["faces"]]
    assert [face["chosen"] for face in faces] == [False, True, True]
    assert [face["name"] for face in faces] == ["", "Ann", "\u674e"]
    assert all(face["fits"] for face in faces)
    folder = Path(folder_paths.get_temp_directory())
    assert all((folder / face["picture"]["filename"]).read_bytes()[:2] == b"\xff\xd8" for face in faces)
    assert len({face["picture"]["filename"] for face in faces}) == 3
    assert len(sheet) == 2
    assert sheet.shape[2] > sheet.shape[1]  # as wide as two faces, and the other one is filled up
    large = kind.execute(**values | {"min_face": 500}, faces="all").ui["vfe_faces"][0]["shots"]
    assert not any(face["fits"] or face["chosen"] for shot in large for face in shot["faces"])


@pytest.mark.parametrize("names", ["Ann", "1", "x 2", "1 Ann, Ben"])
def test_names_that_cannot_be_meant_get_a_sentence(images: Tensor, names: str) -> None:
    with pytest.raises(ValueError, match=r'names ".*": needed are a number and a name, as "1 Anna, 2 Ben"'):
        run("FaceMask", images=images, names=names)
