"""First passes: what is looked at, and what lies on the disk afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.curated import STILL, write_film
from tests.support.described_media import hdr_clip
from tests.support.moving_faces import film
from vfe.curation.candidate import part_at, stretches_in
from vfe.curation.config import ClipConfig
from vfe.curation.sources import Part, Source
from vfe.curation.survey import survey_of
from vfe.face.detect.detector import DetectConfig, FaceDetector
from vfe.types import Stretch, VFEError

CONFIG = ClipConfig(least_frames=5, most_frames=5)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.load(config=DetectConfig(mirror=False))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "a.mkv"
    write_film(path, film([STILL], range(20)))
    return path


@pytest.mark.parametrize(
    "parts",
    [
        (Part(2, 8, "frames"), Part(14, 20, "frames")),
        (Part(0.08, 0.32, "seconds"), Part(0.56, 0.8, "seconds")),  # at 25 a second
    ],
)
def test_only_the_parts_that_are_meant_are_looked_at(
    parts: tuple[Part, ...], video: Path, detector: FaceDetector, tmp_path: Path
) -> None:
    source = Source(video, "a.mkv", "hq_video", parts)
    survey = survey_of(source, tmp_path / "survey", detector)
    assert survey.tracks is not None
    assert survey.tracks.shots == ((0, 2), (2, 8), (8, 14), (14, 20))
    assert [(track.start, track.stop) for track in survey.tracks.tracks] == [(2, 8), (14, 20)]
    assert stretches_in(source, survey.frames, survey.tracks, CONFIG) == [Stretch(2, 7), Stretch(14, 19)]
    assert part_at(source, survey.frames, 15) == parts[1]
    assert part_at(source, survey.frames, 9) is None


def test_a_survey_is_taken_once(video: Path, detector: FaceDetector, tmp_path: Path) -> None:
    source = Source(video, "a.mkv", "hq_video", (Part(0, 5, "frames"),))
    first = survey_of(source, tmp_path / "survey", detector)
    reads: list[int] = []
    again = survey_of(source, tmp_path / "survey", detector, lambda done, _: reads.append(done))
    assert reads == []
    assert again.frames == first.frames


def test_a_damaged_survey_is_taken_anew(video: Path, detector: FaceDetector, tmp_path: Path) -> None:
    source = Source(video, "a.mkv", "hq_video", (Part(0, 5, "frames"),))
    survey_of(source, tmp_path / "survey", detector)
    (tmp_path / "survey" / "survey.json").write_text("{")
    assert len(survey_of(source, tmp_path / "survey", detector).frames) == 20


def test_hdr_is_refused(detector: FaceDetector, tmp_path: Path) -> None:
    clip = hdr_clip(tmp_path / "hdr.mkv")
    with pytest.raises(VFEError, match=r"hdr.mkv: is HDR"):
        survey_of(Source(clip, "hdr.mkv", "hq_video"), tmp_path / "survey", detector)


def test_frames_that_are_too_small_are_one_line(detector: FaceDetector, tmp_path: Path) -> None:
    write_film(tmp_path / "tiny.mkv", [frame[:, :16, :20] for frame in film([STILL], range(2))])
    with pytest.raises(VFEError, match=r"20x16 are too small"):
        survey_of(Source(tmp_path / "tiny.mkv", "tiny.mkv", "hq_video"), tmp_path / "survey", detector)
    assert not (tmp_path / "survey").exists()
