"""Restored clips on new tracks of a timeline in Resolve."""

from __future__ import annotations

import os
import time
from typing import Any

from .cut import Placement
from .failure import Failure


def same_file(path: str) -> str:
    """Return a path so that two of the same file are equal."""
    return os.path.normcase(os.path.realpath(path))


class Tracks:
    """Puts restored clips onto new tracks of the timeline that is open, each above the track that it is of."""

    def __init__(self, project: Any, timeline: Any) -> None:
        self.pool, self.timeline = project.GetMediaPool(), timeline
        self.past_end = 0  # 1 where Resolve does not count the frame that is named as the last

    def place(self, placements: list[Placement]) -> tuple[int, list[str]]:
        """Return how many clips were placed, and the names of those for which the timeline has no place.

        Raises Failure where Resolve refuses.
        """
        by_track, left = self._sorted(placements)
        media = self._imported(sorted({one.media for ones in by_track.values() for one in ones}))
        count = 0
        for track in sorted(by_track, reverse=True):  # from above, so that the numbers of those below stay
            above = self._new_track(track)
            for one in by_track[track]:
                if self._append(one, media[same_file(one.media)], above):
                    count += 1
                else:
                    left.append(one.name)
        return count, left

    def _sorted(self, placements: list[Placement]) -> tuple[dict[int, list[Placement]], list[str]]:
        """Return the clips by the number of the track on which Resolve has that of which they are."""
        places: dict[tuple[int, int, str], list[int]] = {}
        for track in range(1, self.timeline.GetTrackCount("video") + 1):
            for item in self.timeline.GetItemListInTrack("video", track) or ():
                source = item.GetMediaPoolItem()
                path = source.GetClipProperty("File Path") if source else ""
                place = (int(item.GetStart()), int(item.GetDuration()), same_file(path or ""))
                places.setdefault(place, []).append(track)
        by_track: dict[int, list[Placement]] = {}
        left = []
        start = int(self.timeline.GetStartFrame())
        for one in placements:
            tracks = places.get((start + one.record, one.duration, same_file(one.source)))
            if tracks:
                by_track.setdefault(tracks.pop(0), []).append(one)
            else:
                left.append(one.name)
        return by_track, left

    def _imported(self, paths: list[str]) -> dict[str, Any]:
        """Return the items of the media pool for these files, in a bin of their own."""
        before = self.pool.GetCurrentFolder()
        folder = self.pool.AddSubFolder(before, f"VFE {time.strftime('%Y-%m-%d %H.%M.%S')}")
        if folder:
            self.pool.SetCurrentFolder(folder)
        try:
            items = self.pool.ImportMedia(paths) or [] if paths else []
        finally:
            self.pool.SetCurrentFolder(before)
        found = {same_file(item.GetClipProperty("File Path")): item for item in items}
        if missing := [path for path in paths if same_file(path) not in found]:
            raise Failure(f"Resolve does not import {missing[0]}; it may not read this kind of file")
        return found

    def _new_track(self, below: int) -> int:
        """Return the number of a new track above that one, or on top where Resolve is too old for that."""
        last = self.timeline.GetTrackCount("video")
        if below == last or not self.timeline.AddTrack("video", {"index": below + 1}):
            if not self.timeline.AddTrack("video"):
                raise Failure("Resolve adds no video track; is the timeline locked?")
        is_there = below < last and not self.timeline.GetItemListInTrack("video", below + 1)
        number = int(below + 1 if is_there else self.timeline.GetTrackCount("video"))
        self.timeline.SetTrackName("video", number, f"VFE of V{below}")
        return number

    def _append(self, one: Placement, item: Any, track: int) -> bool:
        """Place a clip; the README does not say whether the last frame that is named counts, so it is tried."""
        for past_end in (self.past_end, 1 - self.past_end):
            where = {"mediaPoolItem": item, "mediaType": 1, "trackIndex": track, "startFrame": one.first}
            where.update(endFrame=one.first + one.frames - 1 + past_end)
            where.update(recordFrame=int(self.timeline.GetStartFrame()) + one.record)
            placed = self.pool.AppendToTimeline([where]) or []
            if placed and int(placed[0].GetDuration()) == one.duration:
                self.past_end = past_end
                return True
            if placed:
                self.timeline.DeleteClips(placed)
        return False
