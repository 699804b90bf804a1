"""Faces that are looked for again after a kill: to the bit what nets find, of what they answered before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.moving_faces import Actor, film
from vfe.face.detect.detector import FaceDetector
from vfe.face.track.eyes import NetEyes
from vfe.face.track.remembered import FaceMemory
from vfe.face.track.tracker import track_faces
from vfe.face.track.tracks import FaceTracks
from vfe.files.answer_log import open_answers
from vfe.restore.survey_columns import face_columns

COUNT, CUT = 22, 14


@cache
def shots() -> tuple[Tensor, ...]:
    """Two people, and after a cut nobody."""
    actors = [Actor("a", lambda at: (70.0 + at, 70.0)), Actor("b", lambda at: (190.0 - at, 72.0))]
    return (*film(actors, range(CUT)), *film([], range(CUT, COUNT), ground=1))


@cache
def expected() -> FaceTracks:
    return track_faces(shots(), FaceDetector.load())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that nets are asked."""
    questions: list[str] = []

    def noting(name: str) -> Callable[..., Any]:
        answer = getattr(NetEyes, name)

        def noted(*question: Any) -> Any:  # noqa: ANN401 - any question
            questions.append(name)
            return answer(*question)

        return noted

    expected()
    for name in ("detect", "follow", "meet"):
        monkeypatch.setattr(NetEyes, name, noting(name))
    return questions


def look(path: Path, key: str = "") -> FaceTracks:
    """Find the faces with a memory."""
    with open_answers(path, key) as log:
        assert log is not None
        memory = FaceMemory(path, log)

        def frames() -> Iterator[Tensor]:
            for number, frame in enumerate(shots()):
                memory.note(number)
                yield frame

        return track_faces(frames(), FaceDetector.load(), memory=memory)


def assert_same(found: FaceTracks) -> None:
    """To the bit what nets find that nobody interrupts."""
    ours, theirs = face_columns(found), face_columns(expected())
    assert (found.width, found.height, found.frames, found.cuts) == (256, 144, COUNT, expected().cuts)
    assert ours.keys() == theirs.keys()
    for name, column in ours.items():
        assert column.dtype == theirs[name].dtype
        assert torch.equal(column.view(torch.uint8), theirs[name].view(torch.uint8)), name


def test_nets_are_asked_once(asked: list[str], tmp_path: Path) -> None:
    assert_same(look(tmp_path / "log"))
    assert set(asked) == {"detect", "follow", "meet"}
    asked.clear()
    assert_same(look(tmp_path / "log"))
    assert not asked
    assert len(expected().tracks) == 2
    assert expected().cuts == (CUT,)


@pytest.mark.slow
def test_a_torn_or_changed_memory_gives_the_same_faces(asked: list[str], tmp_path: Path) -> None:
    path, chance = tmp_path / "log", random.Random(1)
    look(path)
    whole, all_questions = path.read_bytes(), len(asked)
    for change in range(6):
        at = chance.randrange(len(whole))
        harmed = bytearray(whole)
        if change % 2:
            harmed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(harmed if change % 2 else harmed[:at])
        asked.clear()
        assert_same(look(path))
        assert len(asked) < all_questions
        assert path.read_bytes() == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    "forged", [b"\xff" * 120, b"\0" * 119, b"\x7f" * 240, b"\0" * 14], ids=["nan", "odd length", "huge", "short"]
)
def test_a_forged_answer_is_asked_for_again(forged: bytes, asked: list[str], tmp_path: Path) -> None:
    """Whoever writes such a file may choose the faces, but not how the run ends."""
    path = tmp_path / "log"
    with open_answers(path, "") as log:
        assert log is not None
        memory = FaceMemory(path, log)
        memory.note(0)
        question = memory.question("detect", 0)
        assert log.recall(question, bytes) is None
        log.keep(question, forged)
    assert_same(look(path))
    assert asked[0] == "detect"


@pytest.mark.slow
def test_what_another_net_answered_does_not_count(asked: list[str], tmp_path: Path) -> None:
    look(tmp_path / "log", "one")
    before = len(asked)
    asked.clear()
    assert_same(look(tmp_path / "log", "other"))
    assert len(asked) == before
