"""Which times of its media a clip reads: through transitions, speed changes and sequences inside of sequences."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")

import opentimelineio as otio

from tests.support.timelines import clip_of, span, timeline_of
from vfe.timeline.uses import clip_uses

Warp = otio.schema.LinearTimeWarp


def reads(timeline: Any) -> dict[str, tuple[float, float] | None]:  # noqa: ANN401
    """What each clip reads: (first frame, frames)."""
    found = {}
    for use in clip_uses(timeline):
        times = use.reads
        found[use.clip.name] = None if times is None else (times.start_time.value, times.duration.value)
    return found


def test_a_transition_shows_frames_beyond_the_cut() -> None:
    dissolve = otio.schema.Transition(
        transition_type="SMPTE_Dissolve", in_offset=span(0, 3).duration, out_offset=span(0, 5).duration
    )
    timeline = timeline_of([clip_of("a.mov", 100, 20), dissolve, clip_of("b.mov", 200, 20)])
    assert reads(timeline) == {"a": (100, 25), "b": (197, 23)}


@pytest.mark.parametrize(("speed", "length"), [(2.0, 40), (0.5, 10), (1.0, 20)])
def test_a_speed_change_reads_as_much_as_its_speed(speed: float, length: float) -> None:
    assert reads(timeline_of([clip_of("a.mov", 100, 20, effects=[Warp(time_scalar=speed)])])) == {"a": (100, length)}


def test_a_transition_of_a_fast_clip_shows_more_of_it() -> None:
    dissolve = otio.schema.Transition(
        transition_type="SMPTE_Dissolve", in_offset=span(0, 3).duration, out_offset=span(0, 5).duration
    )
    fast = clip_of("b.mov", 200, 20, effects=[Warp(time_scalar=2)])
    assert reads(timeline_of([clip_of("a.mov", 100, 20), dissolve, fast]))["b"] == (194, 46)


def test_a_frozen_frame_is_one_frame() -> None:
    assert reads(timeline_of([clip_of("a.mov", 100, 20, effects=[otio.schema.FreezeFrame()])])) == {"a": (100, 1)}


@pytest.mark.parametrize(
    "effects",
    [
        [Warp(time_scalar=-1)],
        [Warp(time_scalar=0)],
        [Warp(time_scalar=float("nan"))],
        [Warp(time_scalar=2), Warp(time_scalar=2)],
        [otio.schema.TimeEffect(name="curve")],
        [otio.schema.Effect(name="Time Remap", metadata={"fcp_xml": {"effectid": "timeremap"}})],
    ],
)
def test_of_other_changes_of_time_all_may_be_read(effects: list[Any]) -> None:
    assert reads(timeline_of([clip_of("a.mov", 100, 20, effects=effects)])) == {"a": None}


def test_other_effects_change_nothing() -> None:
    assert reads(timeline_of([clip_of("a.mov", 100, 20, effects=[otio.schema.Effect(name="blur")])])) == {
        "a": (100, 20)
    }


def nested(window: Any, *effects: Any) -> Any:  # noqa: ANN401
    """A timeline with a sequence of two clips, of which a window is shown."""
    inner = otio.schema.Stack(name="scene")
    track = otio.schema.Track(kind=otio.schema.TrackKind.Video)
    track.extend([clip_of("a.mov", 100, 20), clip_of("b.mov", 200, 20)])
    inner.append(track)
    inner.source_range = window
    inner.effects.extend(effects)
    return timeline_of([clip_of("c.mov", 0, 7), inner])


def test_of_a_sequence_inside_only_what_is_shown_counts() -> None:
    assert reads(nested(span(10, 15))) == {"c": (0, 7), "a": (110, 10), "b": (200, 5)}
    assert reads(nested(span(25, 5))) == {"c": (0, 7), "b": (205, 5)}
    assert reads(nested(None)) == {"c": (0, 7), "a": (100, 20), "b": (200, 20)}


def test_of_a_sequence_of_another_speed_all_counts() -> None:
    assert reads(nested(span(25, 5), Warp(time_scalar=2))) == {"c": (0, 7), "a": (100, 20), "b": (200, 20)}


def test_sound_and_tracks_that_are_off_are_not_looked_at() -> None:
    timeline = timeline_of([clip_of("a.mov", 0, 10)], [clip_of("b.mov", 0, 10)], [clip_of("c.mov", 0, 10)])
    timeline.tracks[1].kind = otio.schema.TrackKind.Audio
    timeline.tracks[2].enabled = False
    assert reads(timeline) == {"a": (0, 10)}


def test_sequences_without_end_come_to_one() -> None:
    stack = otio.schema.Stack(children=[clip_of("a.mov", 0, 10)])
    for _ in range(100):
        stack = otio.schema.Stack(children=[stack])
    assert reads(timeline_of([stack])) == {}
