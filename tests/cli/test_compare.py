"""`vfe compare`: two clips side by side."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, picture, read_pixels, write_clip, write_image


def test_videos_of_different_size_and_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_clip(tmp_path / "a.mp4", Clip(frames=9, width=32, height=24))
    b = write_clip(tmp_path / "b.mp4", Clip(frames=7))
    output = tmp_path / "both.mp4"
    run = run_vfe(capsys, "compare", a, b, "-o", output)
    assert run.code == 0
    assert run.out == f"note: {a} is longer and was cut at the end of the other\n7 frames side by side: {output}\n"
    pixels = read_pixels(output).astype(int)
    assert pixels.shape == (7, 48, 132, 3)
    with av.open(str(output)) as container:
        assert container.streams.video[0].sample_aspect_ratio in (None, 0, 1)  # shown as wide as it is
    assert pixels[:, :, 65:67].min() > 230  # the divider
    assert abs(pixels[0, :, 68:] - picture(0, 64, 48)).mean() < 6
    assert abs(pixels[:, :, :64].mean() - read_pixels(a)[:7].mean()) < 4


def test_png_shows_a_few_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_clip(tmp_path / "a.mp4", Clip(frames=30))
    output = tmp_path / "both.png"
    assert run_vfe(capsys, "compare", a, a, "-o", output).code == 0
    pixels = read_pixels(output)
    assert pixels.shape == (1, 4 * 48, 132, 3)  # frames 0, 8, 16, 24
    assert np.array_equal(pixels[..., :64, :], pixels[..., 68:, :])


def test_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write_image(tmp_path / "a.png"), write_image(tmp_path / "b.png", width=61, height=47, pix_fmt="rgba")
    output = tmp_path / "both.png"
    run = run_vfe(capsys, "compare", a, b, "-o", output)
    assert run.code == 0, run
    assert run.out.startswith("1 frame side by side"), run
    assert np.array_equal(read_pixels(output)[0, :, 65:], picture(0, 61, 47))


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_clip(tmp_path / "a.mp4")
    for output, part in ((a, "a.mp4"), (tmp_path / "no" / "x.png", "no"), (tmp_path / "no" / "x.mp4", "no")):
        assert_one_line_error(run_vfe(capsys, "compare", a, a, "-o", output, "--overwrite"), part)
    assert_one_line_error(run_vfe(capsys, "compare", a, tmp_path / "b.mp4", "-o", tmp_path / "x.mp4"), "b.mp4")
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    assert_one_line_error(run_vfe(capsys, "compare", a, a, "-o", there), "there.png", "--overwrite")
    assert there.read_bytes() == b"mine"
    assert run_vfe(capsys, "compare", a, a, "-o", there, "--overwrite").code == 0
    assert run_vfe(capsys, "compare", a, "-o", there).code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "there.png"}
