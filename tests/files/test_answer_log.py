"""A file of answers: those of last time are believed as far as each line is vouched for, and no further."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vfe.files.answer_log import MAX_LINE, open_answers

QUESTIONS = [f"question {number}".encode() for number in range(6)]


def answer_to(question: bytes) -> bytes:
    return question[::-1] * 3


def ask(path: Path, key: str = "key", questions: list[bytes] = QUESTIONS) -> list[bytes]:
    """Ask all questions, check what is answered, and return those that the file did not answer."""
    new = []
    with open_answers(path, key) as log:
        assert log is not None
        for question in questions:
            known = log.recall(question, bytes)
            assert known in (None, answer_to(question))
            if known is None:
                new.append(question)
                log.keep(question, answer_to(question))
    return new


def test_no_question_is_asked_twice(tmp_path: Path) -> None:
    assert ask(tmp_path / "log", questions=QUESTIONS[:4]) == QUESTIONS[:4]
    assert ask(tmp_path / "log") == QUESTIONS[4:]
    assert ask(tmp_path / "log") == []


def test_a_file_that_was_cut_counts_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ask(path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert ask(path) == QUESTIONS[whole[:size].count(b"\n") :]
        assert path.read_bytes() == whole


def test_any_byte_that_was_changed_ends_what_counts(tmp_path: Path) -> None:
    path, chance = tmp_path / "log", random.Random(0)
    ask(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert ask(path) == QUESTIONS[whole[:at].count(b"\n") :]
        assert path.read_bytes() == whole


@pytest.mark.parametrize("rest", [b"", b"\n", b"no line\n", bytes(range(256)), b"a" * 99 + b"\n"])
def test_whatever_follows_is_cut_off(rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    ask(path, questions=QUESTIONS[:3])
    with path.open("ab") as file:
        file.write(rest)
    assert ask(path) == QUESTIONS[3:]
    assert ask(path) == []


def test_lines_in_another_order_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ask(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert ask(path) == QUESTIONS[1:]


def test_answers_that_hang_on_something_else_do_not_count(tmp_path: Path) -> None:
    ask(tmp_path / "log")
    assert ask(tmp_path / "log", key="another key") == QUESTIONS


def test_another_question_ends_what_counts(tmp_path: Path) -> None:
    ask(tmp_path / "log")
    others = [QUESTIONS[0], b"another", *QUESTIONS[2:]]
    assert ask(tmp_path / "log", questions=others) == others[1:]


def test_an_answer_that_makes_no_sense_is_asked_for_again(tmp_path: Path) -> None:
    ask(tmp_path / "log")

    def refuse(_: bytes) -> bytes:
        raise ValueError

    with open_answers(tmp_path / "log", "key") as log:
        assert log is not None
        assert log.recall(QUESTIONS[0], refuse) is None
        log.keep(QUESTIONS[0], answer_to(QUESTIONS[0]))
    assert ask(tmp_path / "log") == QUESTIONS[1:]


def test_a_line_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(MAX_LINE * 64)  # sparse: 1 GiB of zeros
    assert ask(path) == QUESTIONS
    assert path.stat().st_size < 1000


def test_a_second_writer_gets_none(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="Windows has no such locks")
    with open_answers(tmp_path / "log", "key") as first, open_answers(tmp_path / "log", "key") as second:
        assert first is not None
        assert second is None


def test_a_file_without_answers_goes(tmp_path: Path) -> None:
    with open_answers(tmp_path / "log", "key"):
        pass
    assert not list(tmp_path.iterdir())
