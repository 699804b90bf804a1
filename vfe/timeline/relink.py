"""A timeline is pointed to the results: other media under the same clips, and nothing else is moved.

The clips keep the times by which they read their media. The new media say that they begin later, by as much as was cut
off before them, which their timecodes say too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from .. import __version__
from .clip_time import media_time
from .fit import fit
from .formats import Format
from .results import Result
from .sorting import MARK, PlacedClip
from .urls import file_url, url_like

ORIGINAL = "before_restoration"
"""The key under which an .otio file keeps the media that a clip had before."""
_OF_THE_FILE = ("@id", "masterclipid")
"""What FCP7 XML says of a clip to tell which media it is of: it would lead back to the original."""


@dataclass(frozen=True)
class Relinker:
    """Points clips to results, as the file is to be read and written."""

    output: Path
    """The file of the new timeline, absolute."""
    read_as: Format
    written_as: Format
    note: str
    """How was restored, for people."""

    def relink(self, timeline: otio.schema.Timeline, results: Iterable[Result]) -> None:
        """Point all clips of all results to them, and write the rest as the new kind of file has it."""
        restored: list[otio.schema.Clip] = []
        for result in (result for result in results if not result.is_empty):
            for placed in result.clips:
                self._point(placed, result)
                restored.append(placed.use.clip)
        fit(timeline, self.written_as)
        if self.written_as is Format.KDENLIVE:
            self._as_kdenlive(timeline, restored)

    def _point(self, placed: PlacedClip, result: Result) -> None:
        clip, media, first = placed.use.clip, placed.media, result.stretch.start
        old = clip.media_reference
        clip.source_range = clip.trimmed_range()
        start = media_time(placed.origin + first, media, old.available_range)
        new = otio.schema.ExternalReference(
            target_url=self._url(old, result.output.absolute()),
            available_range=TimeRange(start, RationalTime(len(result.stretch), start.rate)),
        )
        new.name = result.output.stem
        new.metadata[MARK] = {
            "version": __version__,
            "source": str(media.path),
            "frames": [result.stretch.start, result.stretch.stop],
            "how": self.note,
        }
        self._set_media(clip, old, new)
        self._drop_what_leads_back(clip)
        if self.written_as is Format.FCP_XML and self.read_as is Format.FCP_XML:
            for marker in clip.markers:  # which count from the first frame of the file
                marker.marked_range = _moved(marker.marked_range, first, media.fps)
        clip.markers.append(self._marker(clip, new))

    def _set_media(
        self, clip: otio.schema.Clip, old: otio.core.MediaReference, new: otio.schema.ExternalReference
    ) -> None:
        if self.written_as is not Format.OTIO:
            clip.media_reference = new
            return
        key = clip.active_media_reference_key
        clip.set_media_references({**clip.media_references(), key: new, ORIGINAL: copy.deepcopy(old)}, key)

    def _url(self, old: otio.core.MediaReference, path: Path) -> str:
        if self.written_as is Format.FCP_XML:
            return file_url(path, "localhost")
        if self.written_as is Format.KDENLIVE:
            return file_url(path)
        if self.written_as is Format.EDL:
            return str(path)
        is_named = isinstance(old, otio.schema.ExternalReference) and old.target_url
        return url_like(old.target_url, path, self.output.parent) if is_named else file_url(path)

    def _marker(self, clip: otio.schema.Clip, media: otio.schema.ExternalReference) -> otio.schema.Marker:
        start = clip.source_range.start_time
        if self.written_as is Format.FCP_XML:
            start -= media.available_range.start_time
        marker = otio.schema.Marker(
            name=f"restored: {self.note}",
            marked_range=TimeRange(start, RationalTime(0, start.rate)),
            color=otio.schema.MarkerColor.GREEN,
        )
        marker.metadata[MARK] = {"version": __version__}
        return marker

    def _drop_what_leads_back(self, clip: otio.schema.Clip) -> None:
        told = clip.metadata.get("fcp_xml")
        for key in _OF_THE_FILE:
            if hasattr(told, "pop") and key in told:
                told.pop(key)
        reel = clip.metadata.get("cmx_3600")
        if self.written_as is Format.EDL and hasattr(reel, "pop") and "reel" in reel:
            reel.pop("reel")  # the new one is named after the file

    def _as_kdenlive(self, timeline: otio.schema.Timeline, restored: list[otio.schema.Clip]) -> None:
        """Let clips count from the first frame of their files, as Kdenlive does; its notes are guides."""
        for clip in timeline.find_clips():
            media, is_ours = clip.media_reference, any(clip is other for other in restored)
            is_file = isinstance(media, otio.schema.ExternalReference) and media.available_range is not None
            if not is_file or (self.read_as is Format.KDENLIVE and not is_ours):
                continue
            base, own = media.available_range.start_time, clip.source_range
            rate = own.start_time.rate  # its positions are whole frames of the timeline
            start = round(own.start_time.value - base.rescaled_to(rate).value)
            clip.source_range = TimeRange(RationalTime(start, rate), own.duration)
            media.available_range = TimeRange(RationalTime(0, base.rate), media.available_range.duration)
        for clip in restored:
            place = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
            guide = copy.deepcopy(clip.markers[-1])
            start = place.start_time.rescaled_to(timeline.duration().rate)
            guide.marked_range = TimeRange(RationalTime(round(start.value), start.rate), RationalTime(0, start.rate))
            timeline.tracks.markers.append(guide)


def _moved(place: TimeRange, frames: int, fps: Fraction) -> TimeRange:
    """Return where a marker is in a file that begins so many frames later; one before it is at its first frame."""
    start = place.start_time - RationalTime(frames, float(fps)).rescaled_to(place.start_time.rate)
    return TimeRange(max(start, RationalTime(0, start.rate)), place.duration)
