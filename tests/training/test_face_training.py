"""Training of the face net: labels follow the pictures, cells answer for the right faces, and it learns."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.face_set import SIDE, DrawnFace, write_face_set
from training.face.album import read_album
from training.face.batches import (
    FACE_WITH_BOX_ONLY,
    FACE_WITH_LANDMARKS,
    NO_FACE,
    UNSURE_FACE,
    BatchConfig,
    FaceBatch,
    FaceFrames,
    labels_of,
    mirror,
)
from training.face.canvas import Canvas, CanvasConfig, draw_canvas, draw_texture
from training.face.crops import CropConfig, draw_crop
from training.face.losses import crop_terms, focal_loss, frame_terms, giou_loss, point_loss
from training.face.photometric import DCT, compress, draw_coarseness, enlarge
from training.face.pictures import Album, AlbumConfig, KnownFace
from training.face.targets import assign, levels_of
from training.face.warp import Rect, View, invert, move, move_face, sample
from training.run.config import EvalConfig, OptimConfig
from training.run.stage import Draw, Slots
from training.stages.face_net import FaceNetStage, FaceNetTrainConfig
from vfe.face.detect.boxes import iou
from vfe.face.detect.net import STRIDES, Cells, Closeup, DetectorConfig, FaceNetConfig, RefinerConfig, cells_of
from vfe.face.detect.weights import load_face_net

pytestmark = pytest.mark.slow

NET = FaceNetConfig(
    detector=DetectorConfig(stem=(8, 12), widths=(16, 16, 16, 16), blocks=(0, 1, 0, 0), head=16),
    refiner=RefinerConfig(side=32, widths=(8, 12, 16, 16), head=12),
)
CPU = torch.device("cpu")
SMALL_BATCH = BatchConfig(frames=4, crops=2, canvas=CanvasConfig(sizes=((64, 64), (64, 128))))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face_set(tmp_path_factory.mktemp("faces") / "set")


@pytest.fixture(scope="module")
def album(root: Path) -> Album:
    return read_album(AlbumConfig(root=str(root), clip_stride=2, scene_stride=2, empty=("chelsea",)))


def config(root: Path, **changes: object) -> FaceNetTrainConfig:
    return FaceNetTrainConfig(
        stage="face_net",
        output="",
        steps=100,
        net=NET,
        album=AlbumConfig(root=str(root), empty=()),
        batch=SMALL_BATCH,
        optim=OptimConfig(),
        eval=EvalConfig(root=str(root)),
        recalibrate=2,
        **changes,  # type: ignore[arg-type]
    )


def test_only_open_items_are_read(root: Path, album: Album) -> None:
    assert [len(pictures) for pictures in album.portraits] == [1, 1, 1, 2]
    assert [len(pictures) for pictures in album.scenes] == [2]
    everything = read_album(AlbumConfig(root=str(root), open_only=False, empty=()))
    assert len(everything.portraits) == 5


def test_clips_are_drawn_as_often_as_they_weigh(root: Path) -> None:
    album = read_album(AlbumConfig(root=str(root), clip_stride=2, clip_weight=3, empty=()))
    assert [len(pictures) for pictures in album.portraits] == [1, 1, 1, 2, 2, 2]
    assert [len(pictures) for pictures in album.turned] == [1, 1, 1, 2, 2, 2]


def test_crowds_are_left_out(root: Path) -> None:
    assert not read_album(AlbumConfig(root=str(root), scene_faces=1, empty=())).scenes


def test_outlines_touch_the_boxes(album: Album) -> None:
    for picture in (picture for pictures in album.portraits for picture in pictures):
        (face,) = picture.faces
        assert face.outline is not None
        touched = np.concatenate([face.outline.min(axis=0), face.outline.max(axis=0)])
        np.testing.assert_allclose(touched, face.box, atol=1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_labels_move_with_the_pixels(album: Album, mirrored: bool) -> None:
    """The eyes of a drawn face are its darkest points, wherever the view puts them."""
    picture = album.portraits[0][0]
    view = View(np.array([60.0, 66.0]), np.array([70.0, 50.0]), 0.8, 0.5, mirrored)
    seen = sample(picture, view.to_canvas(), Rect(0, 0, 128, 100))
    face = move_face(picture.faces[0], view)
    assert face.landmarks is not None
    for x, y in face.landmarks[:2]:
        assert float(seen[:3, int(y), int(x)].mean()) < 80
    assert (face.landmarks[1] - face.landmarks[0]) @ [math.cos(0.5), math.sin(0.5)] > 0  # image-left comes first


def test_a_view_and_its_inverse_cancel() -> None:
    view = View(np.array([3.0, 4.0]), np.array([20.0, 10.0]), 1.7, 0.6, mirrored=True)
    points = np.array([[1.0, 2.0], [-5.0, 8.0]])
    np.testing.assert_allclose(move(view.anchor, view.to_canvas()), view.position, atol=1e-4)
    np.testing.assert_allclose(move(move(points, view.to_canvas()), invert(view.to_canvas())), points, atol=1e-4)


def test_textures_show_no_face(album: Album) -> None:
    """The skin of drawn faces is of one colour, that textures from beside them do not have."""
    skin = torch.tensor([225.0, 180, 150])[:, None, None]
    alone = Album(portraits=album.portraits, turned=[], scenes=album.scenes, empty=[])
    for seed in range(40):
        rng = np.random.default_rng(seed)
        if rng.random() < 0.3:  # drawn shapes have all colours
            continue
        texture = draw_texture(alone, np.random.default_rng(seed), 24, 32)
        assert texture.shape == (3, 24, 32)
        assert ((texture - skin).abs().amax(0) < 4).float().mean() < 0.02, seed


def test_frames_are_the_same_for_the_same_seed_and_slots(album: Album) -> None:
    def draw(number: int, slots: Slots) -> FaceBatch:
        return FaceFrames(album, SMALL_BATCH, 32, 7, (0, slots)).draw(number)

    whole = draw(6, Slots(0, 4, 4))
    parts = [draw(6, Slots(0, 2, 4)), draw(6, Slots(2, 2, 4))]
    for name, value in whole._asdict().items():
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(value.nan_to_num(-1), joined.nan_to_num(-1)), name
    assert not torch.equal(whole.frames[0], whole.frames[1])
    assert torch.equal(draw(7, Slots(0, 4, 4)).frames, whole.frames.flip(-1))
    assert not torch.equal(draw(8, Slots(0, 4, 4)).crops, whole.crops)


def test_mirroring_twice_gives_back_everything(album: Album) -> None:
    batch = FaceFrames(album, SMALL_BATCH, 32, 1, (0, Slots(0, 4, 4))).draw(0)
    for once, twice in zip(batch, mirror(mirror(batch)), strict=True):
        torch.testing.assert_close(twice.float(), once.float(), equal_nan=True)


def test_hidden_and_cut_off_faces_are_less_visible() -> None:
    canvas = Canvas(torch.zeros(3, 100, 100))
    face = DrawnFace(0, 50, 20)
    canvas.add([KnownFace(box=face.box)])
    assert canvas.visible(0) == pytest.approx(0.5)
    canvas.paint(torch.ones(3, 20, 100), torch.ones(20, 100), Rect(0, 30, 100, 50))
    assert canvas.visible(0) == pytest.approx(0.5 * (1 - 0.25), abs=0.02)


def test_frames_hold_faces_of_many_sizes_and_none(album: Album) -> None:
    sizes, empty = [], 0
    for seed in range(30):
        canvas = draw_canvas(album, CanvasConfig(), np.random.default_rng(seed), (96, 96))
        assert canvas.image.shape == (3, 96, 96)
        assert 0 <= canvas.image.min()
        assert canvas.image.max() <= 255
        empty += not canvas.faces
        sizes += [float(np.sqrt(np.prod(face.box[2:] - face.box[:2]))) for face in canvas.faces]
    assert empty >= 2
    assert min(sizes) < 14
    assert max(sizes) > 70


def test_crops_hold_the_face_upright(album: Album) -> None:
    kinds = {"face": 0, "none": 0}
    for seed in range(40):
        crop = draw_crop(album, CropConfig(), np.random.default_rng(seed), 48)
        assert crop.image.shape == (3, 48, 48)
        assert crop.mask.shape == (48, 48)
        kinds["face" if crop.is_face else "none"] += 1
        if not crop.landmarks.isnan().any():
            left, right = crop.landmarks[:2]
            assert abs(math.degrees(math.atan2(float(right[1] - left[1]), float(right[0] - left[0])))) < 45
            x, y = (crop.landmarks[2] * 48).long().clamp(0, 47).tolist()
            assert crop.mask[y, x] == 1  # the nose is in the region
    assert min(kinds.values()) >= 4


def test_transform_of_compression_is_orthonormal() -> None:
    torch.testing.assert_close(DCT @ DCT.T, torch.eye(8), atol=1e-6, rtol=0)
    picture = torch.rand(3, 20, 13, generator=torch.Generator().manual_seed(0)) * 255
    assert (compress(picture, 1e-3) - picture).abs().max() < 0.1
    assert (compress(picture, 30) - picture).abs().mean() > 5


def test_coarse_pictures_lose_fine_detail_alone() -> None:
    """At a sixth of the size little is left of a wave as long as 8 pixels, and most of one as long as the picture."""
    x = torch.arange(96) + 0.5
    fine, coarse = (127.5 + 60 * torch.sin(2 * math.pi * x / length).expand(3, 96, -1) for length in (8, 96))
    kept = [float(enlarge(wave, 6.0, np.random.default_rng(1)).std()) / float(wave.std()) for wave in (fine, coarse)]
    assert kept[0] < 0.35, kept
    assert kept[1] > 0.8, kept
    drawn = [draw_coarseness(np.random.default_rng(seed)) for seed in range(200)]
    assert 0.25 < np.mean(np.array(drawn) > 1) < 0.55
    assert 4 < max(drawn) <= 6


def test_faces_of_a_few_original_pixels_have_no_right_answer(album: Album) -> None:
    """The same frames, but for how coarse they are said to be."""
    canvas = draw_canvas(album, CanvasConfig(), np.random.default_rng(3), (192, 192))
    sides = [float(np.sqrt(np.prod(face.box[2:] - face.box[:2]))) for face in canvas.faces]
    assert sides
    kinds, _, _ = labels_of(canvas, min(sides) * 0.5)
    assert (kinds == FACE_WITH_LANDMARKS).any()
    assert (labels_of(canvas, max(sides) * 2)[0] == FACE_WITH_LANDMARKS).sum() == 0


@pytest.mark.parametrize(("side", "stride"), [(9.0, 8), (30.0, 8), (64.0, 16), (130.0, 32), (250.0, 64), (600.0, 64)])
def test_faces_belong_to_the_level_of_their_size(side: float, stride: int) -> None:
    assert float(levels_of(torch.tensor(side))) == stride
    boxes = torch.tensor([[[320 - side / 2, 256 - side / 2, 320 + side / 2, 256 + side / 2]]])
    centres, strides = cells_of(512, 640, CPU)
    targets = assign(boxes, torch.tensor([[FACE_WITH_LANDMARKS]]), centres, strides)
    assert set(strides[targets.positive[0]].tolist()) == {stride}
    assert 1 <= int(targets.positive.sum()) <= 9
    assert not targets.counted.all()
    assert targets.counted[targets.positive].all()


def test_unsure_faces_have_no_right_answer() -> None:
    boxes = torch.tensor([[[0.0, 0, 64, 64], [64.0, 64, 128, 128]]])
    centres, strides = cells_of(128, 128, CPU)
    targets = assign(boxes, torch.tensor([[UNSURE_FACE, NO_FACE]]), centres, strides)
    assert not targets.positive.any()
    inside = (centres < 64).all(-1)
    assert torch.equal(targets.counted[0], ~inside)


def test_losses_are_their_formulas() -> None:
    logits, truth = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.0])
    p = torch.sigmoid(logits)
    wanted = torch.tensor([-0.4 * (1 - p[0]) ** 2 * p[0].log(), -0.6 * p[1] ** 2 * (1 - p[1]).log()])
    torch.testing.assert_close(focal_loss(logits, truth), wanted)
    box = torch.tensor([0.0, 0, 10, 10])
    assert float(giou_loss(box, box)) == pytest.approx(0)
    other = torch.tensor([5.0, 0, 15, 10])
    assert float(giou_loss(box, other)) == pytest.approx(1 - float(iou(box[None], other[None])))
    assert float(giou_loss(box, box + 20)) == pytest.approx(1 + 700 / 900)
    known = torch.zeros(5, 2)
    known[0] = torch.nan
    assert float(point_loss(torch.ones(5, 2), known, beta=0.1)) == pytest.approx(0.95 * 8 / 10)


def perfect_cells(batch: FaceBatch, score: float = 20.0) -> Cells:
    """What a detector would say that knows everything."""
    centres, strides = cells_of(batch.frames.shape[-2], batch.frames.shape[-1], CPU)
    targets = assign(batch.boxes, batch.kinds, centres, strides)
    rows = torch.arange(len(batch.frames))[:, None]
    scores = torch.where(targets.positive, score, -score)
    return Cells(scores, batch.boxes[rows, targets.face], batch.landmarks[rows, targets.face].nan_to_num())


def test_right_answers_cost_nothing_and_wrong_ones_do(album: Album) -> None:
    batch = FaceFrames(album, SMALL_BATCH, 32, 0, (0, Slots(0, 8, 8))).draw(0)
    assert (batch.kinds == FACE_WITH_LANDMARKS).any()
    assert (batch.kinds == FACE_WITH_BOX_ONLY).any()
    centres, strides = cells_of(batch.frames.shape[-2], batch.frames.shape[-1], CPU)
    targets = assign(batch.boxes, batch.kinds, centres, strides)
    labels = (batch.kinds.long(), batch.boxes, batch.landmarks)
    right = frame_terms(perfect_cells(batch), targets, labels)
    assert all(float(term) < 1e-4 for term in right.values()), right
    wrong = perfect_cells(batch)
    wrong = Cells(-wrong.scores, wrong.boxes + 7, wrong.landmarks + 7)
    assert all(float(term) > 0.01 for term in frame_terms(wrong, targets, labels).values())


def test_crop_losses_ignore_what_is_unknown() -> None:
    known = torch.stack([torch.rand(5, 2), torch.full((5, 2), torch.nan)])
    masks = torch.stack([torch.ones(8, 8), -torch.ones(8, 8)])
    seen = Closeup(torch.tensor([20.0, -20.0]), known.nan_to_num(0.3), torch.full((2, 8, 8), 20.0))
    terms = crop_terms(seen, torch.tensor([True, False]), known, masks)
    assert all(float(term) < 0.01 for term in terms.values()), terms


def run_steps(stage: FaceNetStage, steps: int) -> list[float]:
    (module,) = stage.trainables
    optimizer = torch.optim.AdamW(module.parameters(), lr=4e-3)
    slots = Slots(0, stage.batch, stage.batch)
    first = next(iter(stage.batches(0, slots)))
    losses = []
    for step in range(steps):
        terms = module(stage.to_batch(first), Draw(0, step, 0.0, slots)).terms
        total = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    return losses


def test_a_few_steps_reduce_the_loss_and_the_export_loads(root: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stage = FaceNetStage(config(root, workers=0), CPU)
    losses = run_steps(stage, 15)
    assert losses[-1] < 0.7 * losses[0], losses
    stage.net.eval()
    stage.export(tmp_path / "face.safetensors", {"steps": 15})
    assert load_face_net(tmp_path / "face.safetensors", CPU).config == NET
    assert 0 <= stage.evaluate()["recall"] <= 1
    stage.samples(tmp_path)
    assert (tmp_path / "scenes.png").stat().st_size > 1000


def test_a_run_goes_on_from_a_file(root: Path, tmp_path: Path) -> None:
    """With the net that the file holds, batch norms folded, and no other."""
    torch.manual_seed(0)
    path = tmp_path / "first.safetensors"
    FaceNetStage(config(root, workers=0), CPU).export(path, {})
    stage = FaceNetStage(config(root, workers=0, init=str(path), margin=0.0), CPU)
    for name, value in load_face_net(path, CPU).state_dict().items():
        assert torch.equal(stage.net.state_dict()[name], value), name
        assert torch.equal(stage.calibrated().state_dict()[name], value), name
    losses = run_steps(stage, 15)
    assert losses[-1] < 0.9 * losses[0], losses
    other = FaceNetConfig(detector=NET.detector, refiner=RefinerConfig(side=48, widths=(8, 12, 16, 16), head=12))
    with pytest.raises(ValueError, match="needed is the config's"):
        FaceNetStage(replace(config(root, workers=0, init=str(path)), net=other), CPU)


def test_scores_are_lower_by_the_margin_in_what_is_exported(root: Path, tmp_path: Path) -> None:
    FaceNetStage(config(root, workers=0), CPU).export(tmp_path / "net.safetensors", {})
    start = {"workers": 0, "init": str(tmp_path / "net.safetensors")}
    plain, lower = (FaceNetStage(config(root, margin=m, **start), CPU).calibrated() for m in (0.0, 0.7))
    frames, crops = torch.rand(1, 3, 64, 64), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(plain.detector(frames).scores - 0.7, lower.detector(frames).scores)
        torch.testing.assert_close(plain.refiner(crops).scores - 0.7, lower.refiner(crops).scores)
        assert torch.equal(plain.detector(frames).boxes, lower.detector(frames).boxes)


def test_calibration_leaves_the_net_as_it_is(root: Path) -> None:
    stage = FaceNetStage(config(root, workers=0), CPU)
    before = {name: value.clone() for name, value in stage.net.state_dict().items()}
    stage.calibrated()
    assert all(torch.equal(value, before[name]) for name, value in stage.net.state_dict().items())


def test_frames_of_the_set_are_as_large_as_they_say() -> None:
    assert SIDE % STRIDES[-1] == 0


def test_pixels_go_from_minus_one_to_one(root: Path) -> None:
    stage = FaceNetStage(config(root, workers=0), CPU)
    raw = next(iter(stage.batches(0, Slots(0, 4, 4))))
    batch = stage.to_batch(raw)
    pixels: Tensor = batch.frames
    assert torch.equal((pixels + 1) * 127.5, raw[0].float()) or torch.allclose((pixels + 1) * 127.5, raw[0].float())
    assert pixels.is_contiguous(memory_format=torch.channels_last)
