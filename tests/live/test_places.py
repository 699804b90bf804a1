"""Between the threads of a live run there is never more than the newest."""

from __future__ import annotations

import threading

import pytest

from tests.support.live_parts import SECONDS, NoFaces, frame
from vfe.live.fresh import FreshFrames
from vfe.live.latest import Latest


def test_what_is_newer_takes_the_place() -> None:
    dropped: list[int] = []
    place = Latest(dropped.append)
    for thing in (1, 2, 3):
        place.put(thing)
    assert place.take() == 3
    assert dropped == [1, 2]


def test_what_is_left_is_taken_before_the_end() -> None:
    place: Latest[int] = Latest()
    place.put(7)
    place.close()
    assert [place.take(), place.take(), place.take()] == [7, None, None]


def test_who_takes_waits_for_who_puts() -> None:
    place: Latest[int] = Latest()
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(place.take()))
    taker.start()
    place.put(5)
    taker.join(SECONDS)
    assert taken == [5]


def test_waiting_takes_nothing() -> None:
    place: Latest[int] = Latest()
    assert not place.wait(0)
    place.put(1)
    assert place.wait(0)
    assert place.take() == 1
    place.close()
    assert place.wait(SECONDS)


def test_a_group_is_taken_as_soon_as_it_is_whole() -> None:
    faces, place = NoFaces(), FreshFrames(lambda count: pytest.fail(f"{count} dropped"))
    numbers = []
    for number in range(12):
        place.put(faces.push(frame(number)))
        if number % 4 == 3:
            group = place.take()
            assert group is not None
            numbers.append([frame.number for frame in group.frames])
    assert numbers == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_of_frames_that_nobody_takes_the_oldest_are_dropped() -> None:
    dropped: list[int] = []
    faces, place = NoFaces(), FreshFrames(dropped.append)
    for number in range(11):
        place.put(faces.push(frame(number)))
    group = place.take()
    assert group is not None
    assert [frame.number for frame in group.frames] == [7, 8, 9, 10]
    assert sum(dropped) == 7


def test_no_frame_is_taken_twice() -> None:
    faces, place = NoFaces(), FreshFrames(lambda _: None)
    for number in range(4):
        place.put(faces.push(frame(number)))
    place.take()
    for number in range(4, 6):
        place.put(faces.push(frame(number)))
    place.close()
    group = place.take()
    assert group is not None
    assert [frame.number for frame in group.frames] == [4, 5]
    assert place.take() is None
