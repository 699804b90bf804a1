"""A survey in its folder: exact to the bit, and refused in one line where it was edited or cut."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.face_tracks import moving_boxes, track_of
from vfe.face.track.tracks import FaceTracks
from vfe.restore.region import WHOLE_FRAMES, RegionPlan
from vfe.restore.survey import COLUMNS, HEAD, Survey
from vfe.restore.survey_columns import face_columns, frame_columns
from vfe.tensor_io.safetensors_file import open_safetensors
from vfe.tensor_io.write import entries_of, write_safetensors
from vfe.types import VFEError
from vfe.video.frame_table import FrameTable

FRAMES = FrameTable(
    tuple(random.Random(0).getrandbits(32) for _ in range(40)),
    tuple(range(-3, 40 * 7 - 3, 7)),
    (7,) * 40,
    Fraction(1001, 30000),
    sound=30,
)


def with_faces(*, tracks: bool = True) -> Survey:
    torch.manual_seed(0)
    boxes = [moving_boxes(12, (1, 2, 30, 40)) + torch.rand(12, 1) / 3, moving_boxes(20, (5, 5, 25, 31), (0.1, 0.3))]
    faces = (track_of(boxes[0], 3, 1), track_of(boxes[1], 20, 4)) if tracks else ()
    found = FaceTracks(width=64, height=48, frames=40, cuts=(20,), tracks=faces)
    return Survey(FRAMES, RegionPlan(False, found, ("2 faces",)), ('"quoted" \udc80 note', "other"))


@pytest.mark.parametrize(
    "survey",
    [with_faces(), with_faces(tracks=False), Survey(FRAMES, WHOLE_FRAMES), Survey(FrameTable((1, 2)), WHOLE_FRAMES)],
    ids=["faces", "none found", "whole frames", "images"],
)
def test_what_is_written_is_read(survey: Survey, tmp_path: Path) -> None:
    survey.write(tmp_path)
    read = Survey.read(tmp_path)
    assert (read.frames, read.notes, read.cuts) == (survey.frames, survey.notes, survey.cuts)
    assert (read.plan.whole_frames, read.plan.notes) == (survey.plan.whole_frames, survey.plan.notes)
    assert (read.tracks is None) == (survey.tracks is None)
    if survey.tracks is not None and read.tracks is not None:
        for name in ("width", "height", "frames", "shots"):
            assert getattr(read.tracks, name) == getattr(survey.tracks, name)
        ours, theirs = face_columns(read.tracks), face_columns(survey.tracks)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name].view(torch.uint8), theirs[name].view(torch.uint8)) for name in ours)


def refused(folder: Path) -> str:
    with pytest.raises(VFEError) as error:
        Survey.read(folder)
    assert "\n" not in str(error.value)
    assert "survey the source anew" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", [HEAD, COLUMNS])
def test_cut_files_are_refused(name: str, tmp_path: Path) -> None:
    with_faces().write(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for length in range(0, len(whole), len(whole) // 37):
        (tmp_path / name).write_bytes(whole[:length])
        refused(tmp_path)
    (tmp_path / name).unlink()
    assert name in refused(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "vfe-survey-9"},
        {"frames": 41},
        {"frames": "40"},
        {"sound": 40},
        {"sound": -1},
        {"time_base": [1]},
        {"time_base": [0, 1]},
        {"time_base": None},
        {"notes": "text"},
        {"notes": [1]},
        {"plan": None},
        {"plan": {"whole_frames": True, "notes": []}},
        {"plan": {"whole_frames": True, "notes": [], "faces": {"width": 64, "height": 48, "cuts": [9, 9]}}},
        {"plan": {"whole_frames": True, "notes": [], "faces": {"width": 64, "height": 48, "cuts": [25]}}},
        {"plan": {"whole_frames": True, "notes": [], "faces": {"width": True, "height": 48, "cuts": []}}},
        {"plan": {"whole_frames": True, "notes": [], "faces": {"width": 1e9, "height": 48, "cuts": []}}},
    ],
    ids=str,
)
def test_edited_heads_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with_faces().write(tmp_path)
    head = json.loads((tmp_path / HEAD).read_text())
    (tmp_path / HEAD).write_text(json.dumps(head | change))
    refused(tmp_path)
    (tmp_path / HEAD).write_text("[" * 100_000)
    refused(tmp_path)


Columns = dict[str, torch.Tensor]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: {"checksums": c["checksums"][:-1]},
        lambda c: {"checksums": -c["checksums"]},
        lambda c: {"checksums": c["checksums"].float()},
        lambda c: {"pts": c["pts"].flip(0)},
        lambda c: {"durations": c["durations"] - 8},
        lambda c: {"boxes": c["boxes"] * float("nan")},
        lambda c: {"boxes": c["boxes"] * 1e9},
        lambda c: {"boxes": c["boxes"][1:]},
        lambda c: {"landmarks": c["landmarks"][:, :4]},
        lambda c: {"scores": c["scores"] + 1},
        lambda c: {"seen": c["seen"].to(torch.uint8)},
        lambda c: {"masks": c["masks"][:, :, 1:]},
        lambda c: {"masks": c["masks"][:, :0, :0]},
        lambda c: {"matrices": c["matrices"] * 0},
        lambda c: {"faces": c["faces"] + torch.tensor([0, 30, 0])},
        lambda c: {"faces": c["faces"] * torch.tensor([0, 1, 1])},
        lambda c: {"faces": c["faces"] * torch.tensor([1, 1, -1])},
        lambda c: {"faces": c["faces"][:, :2]},
        lambda c: {"faces": c["faces"].clamp(max=3)},
    ],
)
def test_edited_columns_are_refused(change: Callable[[Columns], Columns], tmp_path: Path) -> None:
    survey = with_faces()
    assert survey.tracks is not None
    survey.write(tmp_path)
    columns = frame_columns(survey.frames) | face_columns(survey.tracks)
    write_safetensors(tmp_path / COLUMNS, entries_of(columns | change(columns)), {})
    refused(tmp_path)


@pytest.mark.parametrize("name", ["checksums", "pts", "faces", "masks"])
def test_missing_columns_are_refused(name: str, tmp_path: Path) -> None:
    with_faces().write(tmp_path)
    source = open_safetensors(tmp_path / COLUMNS)
    columns = {other: source.get(other) for other in source if other != name}
    write_safetensors(tmp_path / COLUMNS, entries_of(columns), {})
    refused(tmp_path)
