"""The scorer without weights: every family of damage lowers its own dimension, the more the worse it is."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.damage import DAMAGE, damaged
from tests.support.face_clips import face_clip, flat_clip
from tests.support.paths import DEV
from vfe.curation.clip import FaceClip
from vfe.curation.scorers.heuristic.artefacts import artefacts, blockiness
from vfe.curation.scorers.heuristic.curve import falling, rising
from vfe.curation.scorers.heuristic.detail import detail
from vfe.curation.scorers.heuristic.faces import sampled_faces
from vfe.curation.scorers.heuristic.film import dust, scratches
from vfe.curation.scorers.heuristic.lighting import lighting
from vfe.curation.scorers.heuristic.occlusion import covered, occlusion, turned
from vfe.curation.scorers.heuristic.picture import blurred
from vfe.curation.scorers.heuristic.scorer import HeuristicScorer
from vfe.curation.scorers.heuristic.stability import displacement, stability
from vfe.curation.verdict import Scorer
from vfe.video.resize import resize
from vfe.video.spectrum import cut_off

FRAMES, SIDE = 7, 192
LEAST_FALL = 0.05
"""The points, of 1, that the worst damage has to take at the least."""


def measured(clip: FaceClip, dimension: str) -> float:
    """One dimension, 0 to 1, without the time that the others take."""
    if dimension == "stability":
        return stability(clip)
    faces = sampled_faces(clip, 3)
    if dimension == "occlusion":
        return occlusion(clip, faces)
    if dimension == "artefacts":
        return artefacts(clip, faces)
    return {"detail": detail, "lighting": lighting}[dimension](faces)


@pytest.fixture(scope="module")
def portrait() -> FaceClip:
    """A photograph of a face, without the grain of its film, under a camera that moves slowly."""
    photo = torch.from_numpy(skimage.data.astronaut().copy()).permute(2, 0, 1).float()[None]
    drift, middle = torch.tensor([1.5, 0.7]), torch.tensor([226.0, 122.0])
    frames = []
    for time in range(FRAMES):
        centre = (middle + drift * time) / 256 - 1
        theta = torch.cat([torch.eye(2) * SIDE / 512, centre[:, None]], 1)[None]
        grid = F.affine_grid(theta, [1, 3, SIDE, SIDE], align_corners=False)
        frames.append(blurred(F.grid_sample(photo, grid, mode="bicubic", align_corners=False)[0], 0.6))
    moved = SIDE / 2 - middle - drift * torch.arange(FRAMES)[:, None]
    points = torch.tensor([[203.0, 112.0], [243.0, 112.0], [224.0, 134.0], [208.0, 152.0], [240.0, 152.0]])
    return FaceClip(
        frames=torch.stack(frames).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous(),
        boxes=torch.tensor([180.0, 68.0, 271.0, 177.0]) + moved.repeat(1, 2),
        landmarks=points + moved[:, None],
        confidence=torch.ones(FRAMES),
        face_px=99.6,
        fps=25,
    )


def assert_it_falls(clip: FaceClip, family: str) -> None:
    dimension, pieces = DAMAGE[family]
    points = [measured(replace(clip, frames=damaged(clip.frames, piece)), dimension) for piece in pieces]
    points.insert(0, measured(clip, dimension))
    assert all(worse < better for better, worse in pairwise(points)), points
    assert points[0] - points[-1] > LEAST_FALL, points


@pytest.mark.parametrize("family", DAMAGE)
def test_damage_lowers_its_own_dimension(family: str, portrait: FaceClip) -> None:
    assert_it_falls(portrait, family)


REAL = ("KwaiVGI_LivePortrait_d9_a", "yerfor_MimicTalk_German_20s_a")


@pytest.mark.slow
@pytest.mark.skipif(not DEV.is_dir(), reason="needs the real clips beside the repository")
@pytest.mark.parametrize("family", DAMAGE)
@pytest.mark.parametrize("name", REAL)
def test_damage_of_a_real_clip_lowers_its_dimension(family: str, name: str) -> None:
    from training.data.clips import read_frames

    frames = read_frames(DEV / f"hq_video/{name}.mp4")[:FRAMES]
    with np.load(DEV / f"labels/{name}.npz") as arrays:
        boxes, points = (torch.from_numpy(arrays[key][:FRAMES]).float() for key in ("boxes", "landmarks5"))
    size = float((boxes[:, 2:] - boxes[:, :2]).prod(-1).sqrt().median())
    clip = FaceClip(frames=frames, boxes=boxes, landmarks=points, confidence=torch.ones(FRAMES), face_px=size, fps=25)
    assert_it_falls(clip, family)


def test_an_enlarged_crop_has_no_more_detail(portrait: FaceClip) -> None:
    large = torch.stack([resize(frame.permute(2, 0, 1).float(), (400, 400)) for frame in portrait.frames])
    scale = 400 / SIDE
    shown = replace(
        portrait,
        frames=large.round().byte().permute(0, 2, 3, 1),
        boxes=portrait.boxes * scale,
        landmarks=portrait.landmarks * scale,
    )
    found = [float(cut_off(sampled_faces(clip, 3).luma).median()) for clip in (portrait, shown)]
    assert found[1] == pytest.approx(found[0], rel=0.2)


def test_the_cut_off_is_that_of_the_finest_wave() -> None:
    """Waves of 4, 9 and 20 cycles: the cut-off is the last one, give or take the width of the window."""
    line = torch.arange(96) / 96 * 2 * torch.pi
    waves = sum((torch.sin(line * cycles) for cycles in (4, 9, 20)), torch.zeros(96))
    assert float(cut_off((128 + 20 * waves).expand(1, 96, 96))) == pytest.approx(20, abs=2)


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.7, -0.4), (3.2, 1.5)])
def test_the_displacement_is_found(moved: tuple[float, float]) -> None:
    photo = torch.from_numpy(skimage.data.coffee().copy()).float().mean(2)[None, None]
    small = F.interpolate(photo, (128, 128), mode="area")

    def seen(x: float, y: float) -> Tensor:
        theta = torch.tensor([[0.7, 0.0, x * 2 / 128], [0.0, 0.7, y * 2 / 128]])[None]
        grid = F.affine_grid(theta, [1, 1, 96, 96], align_corners=False)
        return F.grid_sample(small, grid, align_corners=False)[0, 0]

    scale = 96 / 128 / 0.7  # pixels of what is seen to one of the photo
    found = displacement(seen(0, 0), seen(*moved))
    assert found.tolist() == pytest.approx([-moved[0] * scale, -moved[1] * scale], abs=0.1)


def test_a_turned_head_is_told_from_a_frontal_one() -> None:
    frontal = flat_clip().landmarks[:1]
    assert turned(frontal) == pytest.approx(0, abs=1e-4)
    profile = frontal.clone()
    profile[:, 2, 0] = frontal[:, 1, 0]  # the nose before an eye
    assert turned(profile) == pytest.approx(0.5, abs=1e-3)


def test_dust_is_told_from_motion_and_flicker() -> None:
    """A speck is in one frame; a bar that moves, and light that flickers, are in none alone."""
    still = torch.full((5, 64, 64), 120.0) + 40 * torch.sin(torch.arange(64.0) / 5)
    moving = torch.stack([frame.roll(at, 1) for at, frame in enumerate(still)])
    flickering = moving * torch.tensor([1.0, 0.8, 1.1, 0.9, 1.0])[:, None, None]
    assert dust(moving) == dust(flickering) == 0
    dusty = moving.clone()
    dusty[2, 30:33, 40:42] = 250
    assert dust(dusty) == pytest.approx(6 / (3 * 64 * 64) * 1000)
    dusty[3] = dusty[2]
    assert dust(dusty) == 0, "what stays is no dust"
    assert dust(dusty[:2]) == 0


def test_scratches_are_told_from_edges_and_short_lines() -> None:
    picture = torch.full((2, 64, 64), 90.0)
    picture[:, :, 30:] = 160  # an edge
    picture[:, 5:20, 12] = 200  # a line that ends
    assert scratches(picture) < 0.5
    for level in (235.0, 15.0):
        scratched = picture.clone()
        scratched[:, :, 50] = level
        assert scratches(scratched) > 10


def test_a_grid_is_told_from_sharp_content() -> None:
    """Checks of 5 pixels are sharp, and in no grid of 8; blocks of 8 are faint, and in it."""
    torch.manual_seed(0)
    line = torch.arange(96)
    checks = 60 + 120.0 * ((line // 5 + line[:, None] // 5) % 2) + torch.randn(3, 96, 96)
    checks[:, 40:] = 120 + torch.randn(3, 56, 96)
    blocks = checks.clone()
    blocks[:, 40:] += 3 * torch.randn(1, 7, 12).repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert blockiness(checks) < 1.5 < 3 < blockiness(blocks)


def test_skin_of_any_brightness_is_not_covered() -> None:
    for level in (70.0, 140.0, 220.0):
        tone = torch.tensor([1.0, 0.72, 0.6])[:, None, None] * level
        assert covered(tone.expand(1, 3, 64, 64)) == 0


def test_black_and_white_has_no_cast(portrait: FaceClip) -> None:
    grey = portrait.frames.float().mean(-1, keepdim=True).round().byte().expand_as(portrait.frames)
    assert measured(replace(portrait, frames=grey), "lighting") >= measured(portrait, "lighting") - 0.05


def test_a_portrait_of_one_frame_has_a_verdict(portrait: FaceClip) -> None:
    one = replace(
        portrait,
        frames=portrait.frames[:1],
        boxes=portrait.boxes[:1],
        landmarks=portrait.landmarks[:1],
        confidence=portrait.confidence[:1],
    )
    verdict = HeuristicScorer().score(one)
    assert verdict.stability == 100
    assert 0 < verdict.total < 100


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("side", [34, 97])
def test_a_clip_of_nothing_has_a_low_verdict(level: int, side: int) -> None:
    verdict = HeuristicScorer().score(face_clip(torch.full((5, side, side, 3), level, dtype=torch.uint8)))
    assert verdict.detail < 20
    assert verdict.total < 70
    assert not verdict.unscored


def test_a_face_beyond_the_crop_is_cut_off(portrait: FaceClip) -> None:
    beyond = replace(portrait, boxes=portrait.boxes + torch.tensor([0.0, 100.0, 0.0, 100.0]))
    assert measured(beyond, "occlusion") < 0.5


def test_an_unsure_detector_lowers_the_verdict(portrait: FaceClip) -> None:
    unsure = replace(portrait, confidence=portrait.confidence * 0.6)
    assert measured(unsure, "occlusion") < measured(portrait, "occlusion") - 0.2


def test_the_same_clip_has_the_same_verdict(portrait: FaceClip) -> None:
    judge: Scorer = HeuristicScorer()
    assert judge.score(portrait) == judge.score(portrait)
    assert judge.key == HeuristicScorer().key
    assert len(judge.key) == 64
    assert json.dumps(judge.score(portrait).dimensions)


def test_curves_never_stand_still() -> None:
    assert (falling(0, 3), falling(3, 3), rising(3, 3)) == (1, 0.5, 0.5)
    values = [falling(value, 3) for value in (1, 5, 50, 500)]
    assert all(later < earlier for earlier, later in pairwise(values))
