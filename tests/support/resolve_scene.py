"""A timeline in the mock of Resolve, and what `vfe conform` made of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.mock_resolve import MockMediaPool, MockMediaPoolItem, MockProject, MockTimeline, MockTimelineItem
from tests.support.restored_cut import FADE, clip, gap, timeline_of, track

START = 86400
"""The first frame of the timeline."""


class Scene:
    """A timeline of two tracks: A, a gap and B below; C above, which overlaps A. All but the gap are restored."""

    def __init__(self, folder: Path, *, counts_end: bool = True, inserts_tracks: bool = True) -> None:
        self.folder = folder
        self.a, self.b = folder / "a.mov", folder / "b.mov"
        below = [clip("A", self.a, 30, 10, (18, 80)), gap(5), FADE, clip("B", self.b, 10, 12, (0, 34))]
        above = [gap(3), clip("C", self.a, 60, 8, (18, 80))]
        self.restored = timeline_of(folder / "restored.otio", track(below), track(above))
        items = [MockMediaPoolItem(path) for path in (self.a, self.b)]
        tracks = [
            [MockTimelineItem(items[0], START, 10), MockTimelineItem(items[1], START + 15, 12)],
            [MockTimelineItem(items[0], START + 3, 8), MockTimelineItem(None, START + 40, 9)],
        ]
        self.timeline = MockTimeline(self.restored, tracks, names=["", ""], inserts_tracks=inserts_tracks)
        self.pool = MockMediaPool(self.timeline, counts_end=counts_end)
        self.project = MockProject(self.timeline, self.pool)

    def placed(self) -> list[list[tuple[str, int, int, int]]]:
        """Of each new track the file, where on the timeline, from which frame on, and how long."""
        return [
            [(Path(one.item.path).name, one.start, one.info["startFrame"], one.duration) for one in items if one.item]
            for name, items in zip(self.timeline.names, self.timeline.tracks, strict=True)
            if name.startswith("VFE")
        ]
