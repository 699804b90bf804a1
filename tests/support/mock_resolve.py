"""A mock of DaVinci Resolve's scripting API: what Blackmagic's README of May 2025 says of the functions that we call.

What the README does not say is a choice of the test: whether the last frame counts that a clip info names.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class MockMediaPoolItem:
    """A file in the media pool."""

    path: Path

    def GetClipProperty(self, propertyName: str) -> str:
        assert propertyName == "File Path"
        return str(self.path)


@dataclass
class MockTimelineItem:
    """A clip on the timeline; its start is absolute, as Resolve's is."""

    item: MockMediaPoolItem | None
    start: int
    duration: int
    info: dict[str, Any] = field(default_factory=dict)

    def GetStart(self) -> int:
        return self.start

    def GetDuration(self) -> int:
        return self.duration

    def GetMediaPoolItem(self) -> MockMediaPoolItem | None:
        return self.item


@dataclass
class MockTimeline:
    """A timeline that exports a file that a test made."""

    exports: Path
    tracks: list[list[MockTimelineItem]]
    name: str = "My cut / 1"
    names: list[str] = field(default_factory=list)
    inserts_tracks: bool = True
    """Whether AddTrack takes the index, which older versions do not know."""

    def GetName(self) -> str:
        return self.name

    def GetUniqueId(self) -> str:
        return f"id of {self.name}"

    def GetStartFrame(self) -> int:
        return 86400

    def GetTrackCount(self, trackType: str) -> int:
        assert trackType == "video"
        return len(self.tracks)

    def GetItemListInTrack(self, trackType: str, index: int) -> list[MockTimelineItem]:
        assert trackType == "video"
        assert 1 <= index <= len(self.tracks)
        return list(self.tracks[index - 1])

    def AddTrack(self, trackType: str, newTrackOptions: dict[str, int] | None = None) -> bool:
        assert trackType == "video"
        if newTrackOptions is not None and not self.inserts_tracks:
            return False
        index = (newTrackOptions or {}).get("index", len(self.tracks) + 1)
        self.tracks.insert(index - 1, [])
        self.names.insert(index - 1, "")
        return True

    def SetTrackName(self, trackType: str, trackIndex: int, name: str) -> bool:
        assert trackType == "video"
        self.names[trackIndex - 1] = name
        return True

    def DeleteClips(self, timelineItems: list[MockTimelineItem]) -> bool:
        for track in self.tracks:
            track[:] = [item for item in track if all(item is not other for other in timelineItems)]
        return True

    def Export(self, fileName: str, exportType: str, exportSubtype: str) -> bool:
        assert (exportType, exportSubtype) == ("otio", "none")
        shutil.copyfile(self.exports, fileName)
        return True


@dataclass
class MockMediaPool:
    """The media pool, of the timeline that is open."""

    timeline: MockTimeline
    counts_end: bool = True
    """Whether a clip info names the last frame, or the one after it."""
    folder: str = "Master"
    folders: list[str] = field(default_factory=list)
    imported: list[Path] = field(default_factory=list)
    refuses: str = ""
    """The end of names that are not imported."""
    timelines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def GetCurrentFolder(self) -> str:
        return self.folder

    def AddSubFolder(self, folder: str, name: str) -> str:
        self.folders.append(f"{folder}/{name}")
        return self.folders[-1]

    def SetCurrentFolder(self, folder: str) -> bool:
        self.folder = folder
        return True

    def ImportMedia(self, items: list[str]) -> list[MockMediaPoolItem]:
        paths = [Path(item) for item in items if not self.refuses or not item.endswith(self.refuses)]
        self.imported += paths
        return [MockMediaPoolItem(path) for path in paths]

    def AppendToTimeline(self, clipInfos: list[dict[str, Any]]) -> list[MockTimelineItem]:
        placed = []
        for info in clipInfos:
            assert info["mediaType"] == 1
            duration = info["endFrame"] - info["startFrame"] + int(self.counts_end)
            placed.append(MockTimelineItem(info["mediaPoolItem"], info["recordFrame"], duration, info))
            self.timeline.tracks[info["trackIndex"] - 1].append(placed[-1])
        return placed

    def ImportTimelineFromFile(self, filePath: str, importOptions: dict[str, Any]) -> MockTimeline | None:
        assert Path(filePath).is_file()
        self.timelines.append((filePath, importOptions))
        return MockTimeline(Path(filePath), [], importOptions["timelineName"])


class MockProject:
    """A project with one timeline, or with none that is open."""

    def __init__(self, timeline: MockTimeline | None, pool: MockMediaPool | None) -> None:
        self.timeline, self.pool = timeline, pool

    def GetCurrentTimeline(self) -> MockTimeline | None:
        return self.timeline

    def SetCurrentTimeline(self, timeline: MockTimeline) -> bool:
        self.timeline = timeline
        return True

    def GetMediaPool(self) -> MockMediaPool | None:
        return self.pool


class MockProjectManager:
    def __init__(self, project: MockProject) -> None:
        self.project = project

    def GetCurrentProject(self) -> MockProject:
        return self.project


class MockResolve:
    """The object that a script starts from."""

    EXPORT_OTIO, EXPORT_NONE = "otio", "none"

    def __init__(self, project: MockProject, fusion: object = None) -> None:
        self.manager, self.fusion = MockProjectManager(project), fusion

    def GetProjectManager(self) -> MockProjectManager:
        return self.manager

    def Fusion(self) -> object:
        return self.fusion
