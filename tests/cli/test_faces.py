"""`vfe faces`: who is in a video."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.moving_faces import Actor, film
from vfe.face.track.tracks import FaceTracks
from vfe.video.probe import probe
from vfe.video.read import Frame
from vfe.video.write import open_sink


def write_film(path: Path) -> Path:
    """Two people in one shot, one of them in the next."""
    torch.set_num_threads(1)
    left, right = Actor("a", lambda t: (70 + t, 70)), Actor("b", lambda t: (190 - t, 74), 0.4)
    frames = film([left, right], range(8)) + film([left], range(8, 16), ground=1)
    info = probe(write_clip(path.with_name("plain.mp4"), Clip(frames=16, width=256, height=144)))
    with open_sink(path, info, (256, 144)) as sink:
        for index, frame in enumerate(frames):
            sink.write(Frame(frame, pts=index, time_base=1 / info.rate))
    return path


def test_sheet_json_and_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, sheet, listed = write_film(tmp_path / "film.mp4"), tmp_path / "who.png", tmp_path / "faces.json"
    run = run_vfe(capsys, "faces", clip, "-o", sheet, "--json", listed)
    assert run.code == 0, run.err
    first, *faces, last = run.out.splitlines()
    assert first == "3 faces on 16 frames, 2 shots"
    assert last == f"{sheet}, {listed}"
    assert [line.split(",")[0] for line in faces] == ["  1: frames 0-7", "  2: frames 0-7", "  3: frames 8-15"]
    _, _, width, channels = read_pixels(sheet).shape
    assert channels == 3
    assert width > 3 * 160
    tracks = FaceTracks.from_json(listed.read_text(encoding="utf-8"))
    assert (tracks.width, tracks.height, tracks.frames, tracks.cuts) == (256, 144, 16, (8,))
    assert [(t.number, t.start, t.stop) for t in tracks.tracks] == [(1, 0, 8), (2, 0, 8), (3, 8, 16)]
    assert tracks.tracks[0].boxes[0, 0] < tracks.tracks[1].boxes[0, 0]  # from left to right
    assert not list(tmp_path.glob(".*"))


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, sheet, listed = write_clip(tmp_path / "a.mp4"), tmp_path / "who.png", tmp_path / "faces.json"
    run = run_vfe(capsys, "faces", clip, "-o", sheet, "--json", listed)
    assert run.code == 0
    assert run.out.startswith("no faces on 6 frames, 1 shot\n")
    assert sheet.exists()
    assert json.loads(listed.read_text())["faces"] == []


def test_errors_come_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    sheet, there = tmp_path / "who.png", tmp_path / "there.json"
    there.write_text("mine")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", tmp_path / "who.mp4"), "who.mp4", ".png")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", sheet, "--json", there), "there.json", "--overwrite")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", sheet, "--json", sheet), "who.png")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", sheet, "--json", clip, "--overwrite"), "a.mp4")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", sheet, "--json", tmp_path / "no" / "f.json"), "f.json")
    assert_one_line_error(run_vfe(capsys, "faces", clip, "-o", tmp_path / "no" / "who.png"), "no")
    assert_one_line_error(run_vfe(capsys, "faces", tmp_path / "none.mp4", "-o", sheet), "none.mp4")
    assert run_vfe(capsys, "faces", clip).code == 2
    assert there.read_text() == "mine"
    assert not sheet.exists()
    assert run_vfe(capsys, "faces", clip, "-o", sheet, "--json", there, "--overwrite").code == 0
