"""`vfe enhance` end to end, for every kind of input that files come in."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.support.cli_run import run_vfe, use_stand_in
from tests.support.clips import Clip, read_pixels, read_times, write_clip, write_image
from tests.support.media import Media, make


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    return use_stand_in(monkeypatch, tmp_path)


def test_restores_a_video_and_says_so(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=12, audio=True))
    output = tmp_path / "out.mp4"
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", model)
    assert run.code == 0, run.err
    assert "12 frames in" in run.out
    assert str(output) in run.out
    assert "frames/s" in run.out
    before, after = read_pixels(clip).astype(int), read_pixels(output).astype(int)
    assert after.shape == before.shape
    assert 9 < (after - before).mean() < 16  # the stand-in adds 0.1 of 2, that is 12.75 of 255
    assert read_times(output) == pytest.approx(read_times(clip), abs=1e-6)
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == 1


def test_strength_reaches_the_model(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    output = tmp_path / "out.mkv"
    assert run_vfe(capsys, "enhance", clip, "-o", output, "--model", model, "--strength", 0).code == 0
    assert abs(read_pixels(output).astype(int) - read_pixels(clip)).mean() < 2


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("one_frame.mp4", Clip(frames=1)),
        ("odd.mkv", Clip(width=253, height=147, pix_fmt="yuv444p")),
        ("tiny.mp4", Clip(width=16, height=16)),
        ("alpha.mov", Clip(codec="qtrle", pix_fmt="argb")),
        ("grey.mkv", Clip(codec="ffv1", pix_fmt="gray")),
        ("deep.mkv", Clip(pix_fmt="yuv420p10le")),
        ("full_chroma.mp4", Clip(pix_fmt="yuv444p")),
        ("other.avi", Clip(codec="mpeg4")),
        ("other.webm", Clip(codec="libvpx")),
        ("other.mpg", Clip(codec="mpeg2video")),
        ("other.gif", Clip(codec="gif", pix_fmt="rgb8", rate=10)),
    ],
)
def test_formats(name: str, clip: Clip, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / name, clip)
    output = tmp_path / "out.mkv"
    run = run_vfe(capsys, "enhance", source, "-o", output, "--model", model)
    assert (run.code, run.err) == (0, ""), run
    after = read_pixels(output)
    assert after.shape == (clip.frames, clip.height, clip.width, 3)
    assert 4 < (after.astype(int) - read_pixels(source)).mean() < 18
    with av.open(str(output)) as container:
        stored = container.streams.video[0].codec_context.format
    assert stored is not None
    assert stored.components[0].bits == (10 if "10" in clip.pix_fmt else 8)


def test_dropped_alpha_is_noted(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "alpha.mov", Clip(codec="qtrle", pix_fmt="argb"))
    run = run_vfe(capsys, "enhance", source, "-o", tmp_path / "out.mp4", "--model", model)
    assert run.code == 0
    assert "note: " in run.out
    assert "alpha" in run.out


def test_variable_rate_keeps_its_times(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "vfr.mkv", Clip(frames=6, pts=(0, 40, 100, 120, 300, 333)))
    output = tmp_path / "out.mkv"
    assert run_vfe(capsys, "enhance", source, "-o", output, "--model", model).code == 0
    assert read_times(output) == pytest.approx(read_times(source), abs=1e-3)


def test_rotated_video_stays_as_displayed(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make(tmp_path / "rotated.mp4", Media(rotation=90))
    output = tmp_path / "out.mp4"
    assert run_vfe(capsys, "enhance", source, "-o", output, "--model", model).code == 0
    assert displayed(output).shape == displayed(source).shape == (64, 48, 3)
    assert abs(displayed(output).astype(int) - displayed(source) - 12).mean() < 5


def test_size_and_scale(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "clip.mp4")
    cases = (("--size", "80x40", 80, 40), ("--scale", 2, 128, 96), ("--scale", 0.3, 20, 14))
    for option, value, width, height in cases:
        output = tmp_path / "out.mp4"
        run = run_vfe(capsys, "enhance", source, "-o", output, "--model", model, option, value, "--overwrite")
        assert run.code == 0, run.err
        assert read_pixels(output).shape[1:3] == (height, width)


def test_image_in_image_out(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_image(tmp_path / "face.png", width=61, height=47)
    output = tmp_path / "out.png"
    run = run_vfe(capsys, "enhance", source, "-o", output, "--model", model)
    assert run.code == 0, run
    assert run.out.startswith("1 frame in"), run
    assert read_pixels(output).shape == (1, 47, 61, 3)


@pytest.mark.parametrize("pattern", [".", "*.png"])
def test_folder_or_glob_to_folder(pattern: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        write_image(folder / f"shot{index:03}.png", pix_fmt="rgba" if pattern == "." else "rgb24")
    output = tmp_path / "restored"
    run = run_vfe(capsys, "enhance", folder / pattern, "-o", output, "--model", model)
    assert run.code == 0, run.err
    assert sorted(path.name for path in output.iterdir()) == ["shot000.png", "shot001.png", "shot002.png"]


@pytest.mark.parametrize(
    ("codec", "suffix", "name"), [("h265", "mp4", "hevc"), ("prores", "mov", "prores"), ("ffv1", "mkv", "ffv1")]
)
def test_codecs(
    codec: str, suffix: str, name: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(tmp_path / "clip.mp4")
    output = tmp_path / f"out.{suffix}"
    run = run_vfe(capsys, "enhance", source, "-o", output, "--model", model, "--codec", codec)
    assert run.code == 0, run.err
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == name


def test_crf_trades_size_for_quality(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "clip.mp4")
    for crf in (5, 45):
        output = tmp_path / f"{crf}.mp4"
        assert run_vfe(capsys, "enhance", source, "-o", output, "--model", model, "--crf", crf).code == 0
    assert (tmp_path / "5.mp4").stat().st_size > (tmp_path / "45.mp4").stat().st_size


@pytest.mark.parametrize("name", ["both.mp4", "both.png", "both.jpg"])
def test_compare_beside(name: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(frames=9))
    both = tmp_path / name
    run = run_vfe(capsys, "enhance", source, "-o", tmp_path / "out.mp4", "--model", model, "--compare", both)
    assert run.code == 0, run.err
    pixels = read_pixels(both).astype(int)
    rows = 1 if name.endswith("mp4") else 3  # of frames 0, 2, .. 8, and every second of these
    assert pixels.shape == (1 if rows > 1 else 9, rows * 48, 64 * 2 + 4, 3)
    assert 9 < pixels[:, :48, 68:].mean() - pixels[:, :48, :64].mean() < 16


def test_same_input_gives_the_same_bytes(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # x264's AVX-512 code reads memory that it never wrote where a row is no multiple of eight macroblocks.
    source = write_clip(tmp_path / "clip.mp4", Clip(frames=8, width=128, height=96, audio=True))
    for name in ("a.mp4", "b.mp4"):
        assert run_vfe(capsys, "enhance", source, "-o", tmp_path / name, "--model", model).code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def displayed(path: Path) -> npt.NDArray[np.uint8]:
    """The first frame as a player shows it."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90).astype(np.uint8)
