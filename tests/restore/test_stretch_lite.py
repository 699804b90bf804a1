"""Stretches restored with the bundled model and a real face: to the bit what it makes of the whole clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.captured_frames import assert_same_frames, single_pass
from tests.support.moving_faces import Actor, film
from vfe.options import RestoreOptions
from vfe.pipeline.windows import WindowConfig
from vfe.restore.restorer import load
from vfe.restore.survey import Survey
from vfe.types import Stretch
from vfe.video.read import open_source

pytestmark = pytest.mark.slow

FRAMES, CUT = 26, 15


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that moves over a picture, and after a cut another picture without one."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with_face = film([Actor("a", lambda frame: (110.0 + 2 * frame, 70.0))], range(CUT))
    without = film([], range(CUT, FRAMES), ground=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "6", "bf": "2"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, 144, "yuv420p"
        for number, pixels in enumerate([*with_face, *without]):
            codes = ((pixels + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            frame = av.VideoFrame.from_ndarray(codes, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    "options", [RestoreOptions(size=(128, 72)), RestoreOptions(region="face", blend=0.7)], ids=["frames", "faces"]
)
def test_the_same_bits_as_the_whole_clip(
    options: RestoreOptions, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = load("lite", "cpu", window=WindowConfig(9, 1))
    whole = single_pass(monkeypatch, restorer, clip, options)
    with open_source(clip) as source:
        restorer.survey(source, options).write(tmp_path)
        survey = Survey.read(tmp_path)
        assert survey.cuts == (CUT,)
        assert survey.tracks is not None
        assert [(track.start, track.stop) for track in survey.tracks.tracks] == [(0, CUT)]
        for stretch in (Stretch(0, 7), Stretch(7, 18), Stretch(18, FRAMES)):
            restored = list(restorer.restore_stretch(source, survey, options, stretch))
            assert_same_frames(restored, whole[stretch.start : stretch.stop])
