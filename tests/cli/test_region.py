"""`vfe enhance --region`: found faces are restored and nothing else, in two passes over the file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from tests.support.cli_run import Run, assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import read_pixels
from tests.support.face_set import DrawnFace, draw
from tests.support.media import planes
from tests.support.paths import SCENES
from vfe.cli.progress import ProgressLine
from vfe.options import RestoreOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.restore.restorer import Restorer
from vfe.types import Cancelled, CheckCancelled, VFEError

pytestmark = pytest.mark.slow

FRAMES = 6
Vfe = Callable[..., Run]


class StripePipeline:
    """Stands in for a model: adds broad stripes, whose mean is no colour."""

    def window_for(self, height: int, width: int) -> WindowConfig:
        del height, width
        return WindowConfig(5, 1)

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        check()
        return [frame + 0.2 * strength * stripes(frame.shape[-1]) for frame in frames]

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **_: object) -> Iterator[Tensor]:
        return (frame + 0.2 * strength * stripes(frame.shape[-1]) for frame in frames)


def stripes(width: int) -> Tensor:
    return torch.sin(torch.arange(width) * (2 * torch.pi * 12 / width))


def write_faces(path: Path, *faces: DrawnFace, width: int = 160, height: int = 120, pix_fmt: str = "yuv444p") -> Path:
    """The faces move to the right by a pixel a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for shift in range(FRAMES):
            picture = draw([face._replace(x=face.x + shift) for face in faces], width, height)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=pix_fmt)))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two small faces, the right one larger."""
    return write_faces(tmp_path / "small.mkv", DrawnFace(35, 60, 16), DrawnFace(110, 60, 20))


@pytest.fixture
def vfe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Vfe:
    """`vfe enhance FILE -o out.mkv` with more arguments."""
    model = use_stand_in(monkeypatch, tmp_path, StripePipeline())

    def run(source: Path, *more: object) -> Run:
        output = ("-o", tmp_path / "out.mkv", "--codec", "ffv1", "--model", model)
        return run_vfe(capsys, "enhance", source, *output, *more)

    return run


def changed(vfe: Vfe, source: Path, *more: object) -> npt.NDArray[Any]:
    """(T, H, W): which pixels a run changed."""
    run = vfe(source, "--overwrite", *more)
    assert run.code == 0, run.err
    return differences(source.parent / "out.mkv", source) > 0


def differences(a: Path, b: Path) -> npt.NDArray[Any]:
    """(T, H, W): of 255, the most of the colours."""
    return np.asarray(np.abs(read_pixels(a).astype(int) - read_pixels(b)).max(-1))


def columns(pixels: npt.NDArray[Any]) -> tuple[int, int]:
    """The first and the last column with a change."""
    found = np.flatnonzero(pixels.any((0, 1)))
    return int(found[0]), int(found[-1])


def test_faces_change_and_nothing_else(vfe: Vfe, small: Path) -> None:
    for frame, pixels in enumerate(changed(vfe, small, "--region", "face")):
        for middle in (35 + frame, 110 + frame):
            assert pixels[55:65, middle - 4 : middle + 4].mean() > 0.5
        assert not pixels[:25].any()
        assert not pixels[95:].any()
        assert not pixels[:, 66 + frame : 80 + frame].any()


def test_code_values_away_from_faces_stay_to_the_bit(vfe: Vfe, tmp_path: Path) -> None:
    """Also of chroma that is stored at half the size."""
    source = write_faces(tmp_path / "small.mkv", DrawnFace(50, 60, 20), pix_fmt="yuv420p")
    run = vfe(source, "--region", "face")
    assert run.code == 0, run.err
    for before, after in zip(planes(source), planes(tmp_path / "out.mkv"), strict=True):
        differ = [a != b for a, b in zip(before, after, strict=True)]
        assert not any(plane[:, plane.shape[1] * 5 // 8 :].any() for plane in differ)
        assert differ[0].mean() > 0.02


@pytest.mark.parametrize(("which", "first", "last"), [("largest", 75, 150), ("1", 0, 75), ("nearest 20,60", 0, 75)])
def test_faces_can_be_chosen(vfe: Vfe, small: Path, which: str, first: int, last: int) -> None:
    low, high = columns(changed(vfe, small, "--region", "face", "--faces", which))
    assert first <= low < high <= last


def test_small_faces_can_be_left_alone(vfe: Vfe, small: Path) -> None:
    low, _ = columns(changed(vfe, small, "--region", "face", "--min-face", 26))
    assert low > 75
    run = vfe(small, "--overwrite", "--region", "face", "--min-face", 100)
    assert "note: no face was found: the frames are as they were" in run.out


def test_faces_are_where_they_are_in_resized_frames(vfe: Vfe, small: Path, tmp_path: Path) -> None:
    """Chosen by a place in the input."""
    assert vfe(small, "--region", "face", "--faces", "nearest 110,60", "--size", "320x120").code == 0
    wide = read_pixels(tmp_path / "out.mkv").astype(int)
    assert vfe(small, "--overwrite", "--strength", 0, "--size", "320x120").code == 0
    low, high = columns(np.abs(wide - read_pixels(tmp_path / "out.mkv")).max(-1) > 3)
    assert 150 < low < high < 300


def test_auto_takes_faces_only_where_frames_hold_more(vfe: Vfe, small: Path, tmp_path: Path) -> None:
    assert f"note: 2 faces restored on {FRAMES} of {FRAMES} frames" in vfe(small, "--region", "auto").out
    large = write_faces(tmp_path / "large.mkv", DrawnFace(76, 60, 48))
    run = vfe(large, "--overwrite", "--region", "auto")
    assert "note: whole frames were restored: faces fill" in run.out
    empty = write_faces(tmp_path / "empty.mkv")
    run = vfe(empty, "--overwrite", "--region", "auto")
    assert "note: whole frames were restored: no face was found" in run.out
    assert (differences(tmp_path / "out.mkv", empty) > 5).mean() > 0.5


@pytest.mark.parametrize("more", [("--faces", "largest"), ("--min-face", 20), ("--blend", 0.5)])
def test_choosing_faces_needs_a_region_of_faces(vfe: Vfe, small: Path, more: tuple[object, ...]) -> None:
    assert_one_line_error(vfe(small, *more), "add --region face", code=2)


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (("--faces", "both"), 1, "both"),
        (("--faces", "7"), 1, "there is no face 7"),
        (("--blend", "2"), 2, "blend=2"),
        (("--min-face", "-1"), 2, "min_face=-1"),
    ],
)
def test_wrong_choices_are_said_in_a_line(
    vfe: Vfe, small: Path, more: tuple[str, str], code: int, part: str, tmp_path: Path
) -> None:
    run = vfe(small, "--region", "face", *more)
    assert_one_line_error(run._replace(err=run.err.splitlines()[-1]), part, code=code)  # progress may stand before it
    assert not (tmp_path / "out.mkv").exists()


def test_frames_too_small_for_faces_are_refused(vfe: Vfe, tmp_path: Path) -> None:
    tiny = write_faces(tmp_path / "tiny.mkv", width=24, height=20)
    assert_one_line_error(vfe(tiny, "--region", "face"), "too small to find faces in", "--region frame")


@pytest.mark.parametrize("stop_at", [2, FRAMES + 4])
def test_both_passes_report_and_can_be_cancelled(small: Path, tmp_path: Path, stop_at: int) -> None:
    calls: list[tuple[int, int | None]] = []

    def report(done: int, total: int | None) -> None:
        calls.append((done, total))

    def stop(done: int, total: int | None) -> None:
        if done + FRAMES * (stop_at > FRAMES) * (len(calls) > FRAMES) >= stop_at:
            raise Cancelled
        report(done, total)

    options, output = RestoreOptions(region="face"), tmp_path / "out.mkv"
    before = set(tmp_path.iterdir())
    with pytest.raises(Cancelled):
        Restorer(StripePipeline()).restore_file(small, output, options, stop)
    assert set(tmp_path.iterdir()) == before
    calls.clear()
    Restorer(StripePipeline()).restore_file(small, output, options, report)
    assert calls[:FRAMES] == [(done, FRAMES) for done in range(FRAMES)]
    assert calls[FRAMES] == (0, FRAMES)
    assert calls[-1] == (FRAMES, FRAMES)


def test_the_second_pass_has_a_clock_of_its_own() -> None:
    now, out = [0.0], io.StringIO()
    progress = ProgressLine(out, lambda: now[0], first="finding faces")
    for done, seconds in ((0, 0), (10, 100), (0, 100), (10, 110)):
        now[0] = float(seconds)
        progress(done, 20)
    first, last = out.getvalue().splitlines()
    assert first == "finding faces: 10/20 frames, 0.1 frames/s, 1:40 left"
    assert last == "10/20 frames, 1.0 frames/s, 0:10 left"


def test_an_existing_output_is_refused_before_detection(small: Path, tmp_path: Path) -> None:
    (tmp_path / "out.mkv").touch()
    calls: list[int] = []
    with pytest.raises(VFEError, match="exists"):
        Restorer(StripePipeline()).restore_file(
            small, tmp_path / "out.mkv", RestoreOptions(region="face"), lambda done, _total: calls.append(done)
        )
    assert calls == []


def test_a_pipeline_without_windows_cannot_restore_faces(small: Path, tmp_path: Path) -> None:
    class Plain:
        def stream(self, frames: Iterable[Tensor], **_: object) -> Iterator[Tensor]:
            return iter(frames)

    with pytest.raises(ValueError, match="Plain cannot restore faces"):
        Restorer(Plain()).restore_file(small, tmp_path / "out.mkv", RestoreOptions(region="face"))


@pytest.mark.skipif(not SCENES.is_dir(), reason="the dev set is not beside the repository")
def test_a_real_scene_with_two_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only their faces change: nothing in the corners, much in the middle of each face."""
    name = "scene_modelscope_ClearerVoice-Studio_001"
    source = tmp_path / "scene.mkv"
    cut(SCENES / f"{name}.mp4", source, FRAMES)
    run = run_vfe(
        capsys,
        "enhance",
        source,
        "-o",
        tmp_path / "out.mkv",
        "--codec",
        "ffv1",
        "--region",
        "auto",
        "--face-model",
        "none",
    )
    assert run.code == 0, run.err
    assert f"2 faces restored on {FRAMES} of {FRAMES} frames" in run.out
    apart = differences(tmp_path / "out.mkv", source)
    boxes = np.load(SCENES / f"{name}.npz")["boxes"][:FRAMES, :, :4]
    far = np.ones(apart.shape, bool)
    for frame, faces in enumerate(boxes):
        for left, top, right, bottom in faces:
            reach = max(right - left, bottom - top)
            inset = reach / 4
            middle = apart[frame, int(top + inset) : int(bottom - inset), int(left + inset) : int(right - inset)]
            assert (middle > 0).mean() > 0.25  # good footage: lite changes a third of it, its part for faces less
            rows = slice(max(int(top - reach), 0), int(bottom + reach))
            far[frame, rows, max(int(left - reach), 0) : int(right + reach)] = False
    assert far.mean() > 0.3
    assert not apart[far].any()


def cut(source: Path, target: Path, frames: int) -> None:
    """The first frames, stored without loss and with all colours."""
    with av.open(str(source)) as taken, av.open(str(target), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        video = taken.streams.video[0]
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv444p"
        for frame in islice(taken.decode(video=0), frames):
            frame.pts = None
            container.mux(stream.encode(frame.reformat(format="yuv444p")))
        container.mux(stream.encode(None))
