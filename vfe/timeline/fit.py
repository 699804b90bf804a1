"""What kinds of timeline files need of a timeline, and what they cannot hold of it."""

from __future__ import annotations

import copy

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from .files import timeline_text
from .formats import Format


def fit(timeline: otio.schema.Timeline, kind: Format) -> None:
    """Say of clips what the adapter of this kind takes for granted: which times they read, and which there are."""
    if kind is Format.OTIO:
        return
    for clip in timeline.find_clips():
        if clip.source_range is None:
            clip.source_range = clip.trimmed_range()
        media = clip.media_reference
        if media.available_range is None and kind in (Format.FCP_XML, Format.KDENLIVE):
            end = clip.source_range.end_time_exclusive()
            media.available_range = TimeRange(RationalTime(0, end.rate), max(end, RationalTime(1, end.rate)))


def check_writable(timeline: otio.schema.Timeline, kind: Format, name: str) -> None:
    """Raise VFEError where a timeline cannot be written as this kind of file, before any work is done for it."""
    tried = copy.deepcopy(timeline)
    fit(tried, kind)
    timeline_text(tried, kind, name)


def lost(timeline: otio.schema.Timeline, kind: Format) -> list[str]:
    """Return sentences on what the adapter of this kind leaves out of a timeline without a word."""
    if kind is not Format.KDENLIVE:
        return []
    inner = [item for track in timeline.tracks if isinstance(track, otio.schema.Track) for item in track]
    transitions = sum(isinstance(item, otio.schema.Transition) for item in inner)
    sequences = sum(isinstance(item, otio.schema.Stack | otio.schema.Track) for item in inner)
    instead = "write .otio, which Kdenlive 25.04 and newer opens"
    notes = [f"{transitions} transitions are left out of the project: {instead}"] if transitions else []
    return notes + ([f"{sequences} sequences in the timeline are left out of the project: {instead}"] * bool(sequences))
