"""What a source may give, and what clips and verdicts are known by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.still_track import track
from vfe.curation.candidate import Candidate, content_of, stretches_in, surveyed_as
from vfe.curation.config import ClipConfig
from vfe.curation.sources import Part, Source
from vfe.curation.window import Window
from vfe.face.track.tracks import FaceTracks
from vfe.types import Stretch
from vfe.video.frame_table import FrameTable

CONFIG = ClipConfig(least_frames=5, most_frames=9)
TABLE = FrameTable(tuple(range(60)))
VIDEO = Source(Path("a.mp4"), "a.mp4", "hq_video")
CANDIDATE = Candidate("c0ffee", Stretch(0, 9), Window(2, 4, 64), 32, "oval")


def test_stretches_begin_with_the_first_face_and_cross_no_cut() -> None:
    tracks = FaceTracks(
        width=320, height=180, frames=60, cuts=(20, 50), tracks=(track(1, 7, 13, 10), track(2, 20, 9, 10))
    )
    assert stretches_in(VIDEO, TABLE, tracks, CONFIG) == [
        Stretch(7, 12), Stretch(12, 17), Stretch(20, 29),  # with faces
        Stretch(50, 55), Stretch(55, 60),  # without one: all of the shot, so that it is told of
    ]  # fmt: skip


def test_a_portrait_is_one_frame() -> None:
    tracks = FaceTracks(width=320, height=180, frames=1, cuts=(), tracks=())
    assert stretches_in(replace(VIDEO, kind="hq_image"), FrameTable((1,)), tracks, CONFIG) == [Stretch(0, 1)]


@pytest.mark.parametrize(
    ("changes", "other_clip", "other_key"),
    [
        ({"content": "tea"}, True, True),
        ({"stretch": Stretch(0, 5)}, True, True),
        ({"window": Window(2, 4, 66)}, True, True),
        ({"side": 64}, True, True),
        ({"mask": "head"}, True, False),
    ],
)
def test_keys_depend_on_the_scorer_and_files_on_the_mask(
    changes: dict[str, object], other_clip: bool, other_key: bool
) -> None:
    other = replace(CANDIDATE, **changes)  # type: ignore[arg-type]
    assert (other.clip != CANDIDATE.clip) == other_clip
    assert (other.key("s") != CANDIDATE.key("s")) == other_key
    assert other.key("s") != other.key("t")


def test_the_content_is_that_of_the_bytes(tmp_path: Path) -> None:
    for name, data in (("a.mp4", b"one"), ("b.mp4", b"one"), ("c.mp4", b"two")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_of(replace(VIDEO, path=tmp_path / f"{name}.mp4")) for name in "abc")
    assert a == b
    assert a != c
    assert surveyed_as(a, VIDEO) != surveyed_as(a, replace(VIDEO, parts=(Part(0, 5, "frames"),)))


def test_the_content_of_a_folder_is_that_of_its_images(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    folder = replace(VIDEO, path=tmp_path / "clip")
    contents = set()
    for number in range(3):
        (tmp_path / "clip" / f"{number}.png").write_bytes(b"same")
        contents.add(content_of(folder))
    assert len(contents) == 3
