"""Clips of all formats go through in their own, by the matrix and range of their frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

vs = pytest.importorskip("vapoursynth", reason="VapourSynth is not installed here")

from tests.support.face_tracks import moving_boxes, track_of  # noqa: E402
from tests.support.mixing_pipeline import MixingPipeline  # noqa: E402
from tests.support.small_patcher import SmallPatcher  # noqa: E402
from tests.support.vapoursynth_clips import HEIGHT, WIDTH, Watching, all_planes, furthest, moving  # noqa: E402
from vfe.face.track.tracks import FaceTracks  # noqa: E402
from vfe.restore.restorer import Restorer  # noqa: E402
from vfe.vapoursynth import restore  # noqa: E402

FORMATS = [
    "RGB24", "RGB30", "RGB48", "RGBH", "RGBS", "YUV420P8", "YUV422P8", "YUV444P8", "YUV411P8", "YUV420P10",
    "YUV422P10", "YUV444P12", "YUV420P16", "YUV444P16", "YUV444PS", "YUV420PS", "YUV444PH", "GRAY8", "GRAY10", "GRAY16",
    "GRAYS",
]  # fmt: skip


def in_format(name: str, count: int = 30, **how: int) -> Any:  # noqa: ANN401
    matrix = {} if name.startswith("RGB") else {"matrix": 1}
    return moving(count).resize.Bicubic(format=getattr(vs, name), **{**matrix, **how})


def step_of(name: str) -> float:
    """One code value of 8 bits, in code values of the format; floats are compared in these."""
    bits = vs.core.get_video_format(getattr(vs, name)).bits_per_sample
    return 1.0 if name.endswith(("S", "H")) else float(2 ** (bits - 8))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_not_changed_comes_back(name: str) -> None:
    """Whole frames through RGB and back: within a code value of 8 bits, luma of subsampled ones within eight."""
    clip = in_format(name)
    restored = restore(clip, Restorer(Watching()))
    ours, theirs = all_planes(restored), all_planes(clip)
    is_full = name.startswith(("RGB", "GRAY")) or "444" in name
    assert furthest(ours, theirs, None if is_full else 1) <= (1 if is_full else 8) * step_of(name)
    assert restored.format.id == clip.format.id
    assert (restored.width, restored.height, restored.num_frames, restored.fps) == (WIDTH, HEIGHT, 30, clip.fps)


@pytest.mark.parametrize("name", FORMATS)
def test_frames_change_as_they_do_in_rgb(name: str) -> None:
    ours = all_planes(restore(in_format(name), Restorer(MixingPipeline())))
    expected = restore(moving(30).resize.Bicubic(format=vs.RGBS), Restorer(MixingPipeline()))
    matrix = {} if name.startswith("RGB") else {"matrix": 1}
    theirs = all_planes(expected.resize.Bicubic(format=getattr(vs, name), **matrix))
    sides = 1 if "444" not in name and name.startswith("YUV") else None
    assert furthest(ours, theirs, sides) <= 6 * step_of(name)
    assert furthest(ours, all_planes(in_format(name)), sides) > 12 * step_of(name)


def properties_of(frame: Any) -> dict[str, Any]:  # noqa: ANN401
    """All but the old name of the range, of which VapourSynth warns."""
    return {name: frame.props[name] for name in frame.props.keys() - {"_ColorRange"}}


@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("full", [0, 1], ids=["limited", "full"])
@pytest.mark.parametrize("name", ["YUV444P8", "YUV444P10", "YUV444PS"])
def test_matrix_and_range_are_those_of_the_frames(matrix: int, full: int, name: str) -> None:
    seen = Watching()
    clip = in_format(name, 2, matrix=matrix, range=full)
    first = restore(clip, Restorer(seen)).get_frame(0)
    expected = torch.from_numpy(np.stack(all_planes(moving(1))[0])).float() / 127.5 - 1
    assert (seen.seen[0] - expected).abs().max() < 3 / 127.5
    assert properties_of(first) == properties_of(clip.get_frame(0))


@pytest.mark.parametrize(("width", "height", "matrix"), [(64, 48, 6), (1280, 48, 1), (64, 578, 1)])
def test_untold_matrices_are_guessed_as_players_do(width: int, height: int, matrix: int) -> None:
    seen = Watching()
    red = vs.core.std.BlankClip(width=width, height=height, format=vs.RGB24, length=1, color=[200, 30, 40])
    told = red.resize.Bicubic(format=vs.YUV444P8, matrix=matrix)
    untold = told.std.RemoveFrameProps("_Matrix")
    frame = restore(untold, Restorer(seen)).get_frame(0)
    assert ((seen.seen[0][:, 0, 0] + 1) * 127.5).round().tolist() == pytest.approx([200, 30, 40], abs=1.5)
    assert "_Matrix" not in frame.props


def test_properties_may_change_from_frame_to_frame() -> None:
    clip = vs.core.std.Splice([in_format("YUV444P8", 2, matrix=matrix) for matrix in (1, 9, 6)])
    assert furthest(all_planes(restore(clip, Restorer(Watching()))), all_planes(clip)) <= 1


@pytest.fixture
def one_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face of 16x16 pixels in all frames, whose patch is not blended."""

    def find(info: Any, frames: Any, *_: object) -> FaceTracks:  # noqa: ANN401
        count = sum(1 for _ in frames)
        track = track_of(moving_boxes(count, (8, 8, 24, 24)), 0, 1)
        return FaceTracks(width=info.width, height=info.height, frames=count, cuts=(), tracks=(track,))

    monkeypatch.setattr("vfe.restore.find_faces.find_tracks", find)
    monkeypatch.setattr("vfe.restore.face_stream.FacePatcher", SmallPatcher)


@pytest.mark.usefixtures("one_face")
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_face_stays_to_the_bit(name: str) -> None:
    clip = in_format(name)
    ours, theirs = all_planes(restore(clip, Restorer(MixingPipeline()), region="face")), all_planes(clip)
    for frame, before in zip(ours, theirs, strict=True):
        for plane, was in zip(frame, before, strict=True):
            right, below = 32 * was.shape[1] // WIDTH, 32 * was.shape[0] // HEIGHT
            assert np.array_equal(plane[below:], was[below:])
            assert np.array_equal(plane[:, right:], was[:, right:])
    assert furthest(ours, theirs, 1) > 3 * step_of(name)


@pytest.mark.usefixtures("one_face")
def test_colours_that_no_screen_shows_stay_where_no_face_is() -> None:
    clip = vs.core.std.BlankClip(width=WIDTH, height=HEIGHT, format=vs.RGBS, length=3, color=[1.4, -0.2, 0.5])
    restored = restore(clip, Restorer(MixingPipeline()), region="face").get_frame(1)
    assert [float(np.asarray(restored[plane])[40, 50]) for plane in range(3)] == pytest.approx([1.4, -0.2, 0.5])


def test_other_sizes() -> None:
    restored = restore(in_format("YUV420P10"), Restorer(MixingPipeline()), scale=2)
    frame = restored.get_frame(7)
    assert (restored.width, restored.height) == (2 * WIDTH, 2 * HEIGHT)
    assert (frame.width, frame.height, frame.format.id) == (2 * WIDTH, 2 * HEIGHT, vs.YUV420P10)
