"""What a timeline shows of its media: each clip of its video tracks, and the times of its media that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

_DEEPEST = 50  # sequences inside each other
_FASTEST = 1000  # times the speed of the media


@dataclass(frozen=True)
class ClipUse:
    """A clip on a video track."""

    clip: otio.schema.Clip
    track: str
    reads: TimeRange | None
    """The times of its media, from those of the available range on; None where all of it may be read, as after a speed
    change that is not the same throughout."""
    speed: Fraction = Fraction(1)
    """How fast it reads its media."""


def clip_uses(timeline: otio.schema.Timeline) -> Iterator[ClipUse]:
    """Yield the clips of all video tracks, in sequences inside the timeline too, that are shown by any of it."""
    for track in timeline.tracks:  # whole: what EDLs say of the times of their tracks is no trimming
        if isinstance(track, otio.schema.Track):
            if track.kind == otio.schema.TrackKind.Video and is_on(track):
                yield from _on_track(track, None, 0)
        else:
            yield from _in_item(track, track.trimmed_range(), timeline.tracks.name, 0)


def time_effects(item: otio.core.Item) -> list[otio.schema.Effect]:
    """Return the effects of an item by which it reads its media at other times than its own."""
    return [effect for effect in item.effects if _changes_time(effect)]


def is_on(item: otio.core.Item) -> bool:
    """Return whether a clip or a track is switched on; what FCP7 XML says of that stays in the metadata."""
    told = item.metadata.get("fcp_xml")
    return item.enabled and str(told.get("enabled", "") if hasattr(told, "get") else "").strip().upper() != "FALSE"


def _changes_time(effect: otio.schema.Effect) -> bool:
    if isinstance(effect, otio.schema.TimeEffect):
        return True
    told = effect.metadata.get("fcp_xml")
    return "timeremap" in str(told.get("effectid", "") if hasattr(told, "get") else "").lower()


def _in_stack(stack: otio.schema.Stack, window: TimeRange | None, depth: int) -> Iterator[ClipUse]:
    """Yield the clips that are seen in a window on a stack's own time; None is all of it."""
    if depth > _DEEPEST:
        return
    for child in stack:
        own = _within(child, window, RationalTime(0, 1))
        if isinstance(child, otio.schema.Track):
            if child.kind == otio.schema.TrackKind.Video and is_on(child):
                yield from _on_track(child, own, depth)
        elif own is not None:
            yield from _in_item(child, own, stack.name, depth)


def _on_track(track: otio.schema.Track, window: TimeRange | None, depth: int) -> Iterator[ClipUse]:
    children = list(track)
    for index, child in enumerate(children):
        if isinstance(child, otio.schema.Transition):
            continue
        before, after = (children[at] if 0 <= at < len(children) else None for at in (index - 1, index + 1))
        place = track.range_of_child_at_index(index)
        shown = _with_transitions(place, before, after)
        seen = shown if window is None else _intersection(shown, window)
        if seen is not None:
            start = child.trimmed_range().start_time + (seen.start_time - place.start_time)
            yield from _in_item(child, TimeRange(start, seen.duration), track.name, depth)


def _in_item(item: otio.core.Item, window: TimeRange, track: str, depth: int) -> Iterator[ClipUse]:
    """Yield what an item of a track shows, of which `window` is seen in its own time."""
    changes = time_effects(item)
    if isinstance(item, otio.schema.Clip):
        yield _read_through(changes, item, window, track)
    elif isinstance(item, otio.schema.Stack):
        yield from _in_stack(item, None if changes else window, depth + 1)
    elif isinstance(item, otio.schema.Track):
        yield from _on_track(item, None if changes else window, depth + 1)


def _read_through(changes: list[otio.schema.Effect], clip: otio.schema.Clip, window: TimeRange, track: str) -> ClipUse:
    """Return what a clip reads of its media through its speed changes.

    The length of a clip is that on the timeline, so that of its media it reads as much times its speed. At a changed
    speed the window of a sequence around it is not looked at, and all of the clip counts.
    """
    if not changes:
        return ClipUse(clip, track, window)
    change, own = changes[0], clip.trimmed_range()
    if len(changes) > 1:
        return ClipUse(clip, track, None)
    if isinstance(change, otio.schema.FreezeFrame):
        return ClipUse(clip, track, TimeRange(own.start_time, RationalTime(1, own.start_time.rate)))
    if not isinstance(change, otio.schema.LinearTimeWarp) or not 0 < change.time_scalar < _FASTEST:
        return ClipUse(clip, track, None)
    speed = change.time_scalar
    early = max(RationalTime(0, own.start_time.rate), own.start_time - window.start_time)  # what transitions show
    late = max(RationalTime(0, own.start_time.rate), window.end_time_exclusive() - own.end_time_exclusive())
    length = own.duration + early + late
    reads = TimeRange(
        own.start_time - RationalTime(early.value * speed, early.rate),
        RationalTime(length.value * speed, length.rate),
    )
    return ClipUse(clip, track, reads, Fraction(speed).limit_denominator(_FASTEST))


def _with_transitions(place: TimeRange, before: object, after: object) -> TimeRange:
    """Return the place of an item on its track, with what transitions show of it beyond its cuts."""
    start, end = place.start_time, place.end_time_exclusive()
    if isinstance(before, otio.schema.Transition):
        start -= before.in_offset
    if isinstance(after, otio.schema.Transition):
        end += after.out_offset
    return TimeRange.range_from_start_end_time(start, end)


def _within(child: otio.core.Item, window: TimeRange | None, start: RationalTime) -> TimeRange | None:
    """Return what of a child of a stack is seen, in the child's own time; for a track, None is all of it."""
    own = child.trimmed_range()
    if window is None:
        return own
    return _intersection(own, TimeRange(own.start_time + (window.start_time - start), window.duration))


def _intersection(a: TimeRange, b: TimeRange) -> TimeRange | None:
    """Return what two ranges share, or None."""
    start = max(a.start_time, b.start_time)
    end = min(a.end_time_exclusive(), b.end_time_exclusive())
    return TimeRange.range_from_start_end_time(start, end) if start < end else None
