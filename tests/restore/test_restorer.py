"""The Python API: streaming, options, progress and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import vfe
from tests.support.cli_run import BRIGHTER, BrightenPipeline, run_python, use_stand_in
from tests.support.clips import Clip, read_pixels, write_clip
from vfe.options import RestoreOptions
from vfe.restore.restorer import Restorer
from vfe.types import Cancelled, VFEError
from vfe.video.resize import resize


class CountingPipeline(BrightenPipeline):
    """Remembers the sizes that it saw and how many frames it held at most."""

    def __init__(self) -> None:
        self.sizes: set[tuple[int, ...]] = set()
        self.taken = self.given = self.most_held = 0

    def stream(self, frames: Iterable[Tensor], *, strength: float = 1.0, **_: object) -> Iterator[Tensor]:
        for frame in super().stream(self._count(frames), strength=strength):
            self.given += 1
            yield frame

    def _count(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        for frame in frames:
            self.taken += 1
            self.most_held = max(self.most_held, self.taken - self.given)
            self.sizes.add(tuple(frame.shape))
            yield frame


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", Clip(frames=20, audio=True))


def test_load_finds_a_model_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    model = use_stand_in(monkeypatch, tmp_path)
    report = vfe.load(model, device="cpu").restore_file(clip, tmp_path / "out.mp4")
    assert report.frames == 20
    monkeypatch.setenv("VFE_MODELS", str(tmp_path))
    assert isinstance(vfe.load("stand_in", device="cpu"), Restorer)
    with pytest.raises(VFEError, match=r"available: .*stand_in"):
        vfe.load("other")


def test_report_counts_frames_seconds_and_stages(clip: Path, tmp_path: Path) -> None:
    report = Restorer(BrightenPipeline()).restore_file(str(clip), str(tmp_path / "out.mp4"))
    assert report.output == tmp_path / "out.mp4"
    assert report.frames == 20
    assert report.notes == ()
    assert min(report.stages) > 0
    assert sum(report.stages) <= report.seconds
    assert report.fps == pytest.approx(20 / report.seconds)


def test_only_a_window_of_frames_is_in_memory(clip: Path, tmp_path: Path) -> None:
    pipeline = CountingPipeline()
    Restorer(pipeline).restore_file(clip, tmp_path / "out.mp4")
    assert pipeline.taken == pipeline.given == 20
    assert pipeline.most_held == BrightenPipeline.window


def test_frames_are_resized_before_they_are_restored(clip: Path, tmp_path: Path) -> None:
    pipeline = CountingPipeline()
    Restorer(pipeline).restore_file(clip, tmp_path / "out.mp4", RestoreOptions(size=(40, 72)))
    assert pipeline.sizes == {(3, 72, 40)}
    assert read_pixels(tmp_path / "out.mp4").shape == (20, 72, 40, 3)


def test_progress_counts_to_the_total(clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "out.mp4", on_progress=lambda *call: calls.append(call))
    assert calls == [(done, 20) for done in range(21)]


def test_a_cancelled_run_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        assert total == 20
        if done == 7:
            raise Cancelled

    before = set(tmp_path.iterdir())
    options = RestoreOptions(compare=tmp_path / "both.png")
    with pytest.raises(Cancelled):
        Restorer(BrightenPipeline()).restore_file(clip, tmp_path / "out.mp4", options, on_progress=stop)
    assert set(tmp_path.iterdir()) == before


def test_restore_frames_is_lazy_and_in_order() -> None:
    values = np.linspace(-0.5, 0.5, 12).tolist()
    frames = (torch.full((3, 4, 4), value) for value in values)
    restored = Restorer(BrightenPipeline()).restore_frames(frames, strength=0.5)
    got = [float(next(restored)[0, 0, 0])]
    assert next(frames)[0, 0, 0] == pytest.approx(values[BrightenPipeline.window])  # no more was read
    got += [float(frame[0, 0, 0]) for frame in restored]
    del values[BrightenPipeline.window]
    assert got == pytest.approx([value + BRIGHTER / 2 for value in values])


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (RestoreOptions(), (253, 147)),
        (RestoreOptions(scale=1), (253, 147)),
        (RestoreOptions(scale=2), (506, 294)),
        (RestoreOptions(scale=0.5), (126, 74)),
        (RestoreOptions(scale=0.001), (2, 2)),
        (RestoreOptions(size=(17, 5)), (17, 5)),
    ],
)
def test_output_size(options: RestoreOptions, size: tuple[int, int]) -> None:
    assert options.output_size(253, 147) == size


def test_options_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"strength is 1\.1"):
        RestoreOptions(strength=1.1)
    with pytest.raises(ValueError, match="both size and scale"):
        RestoreOptions(size=(8, 8), scale=2)
    with pytest.raises(ValueError, match="size is 0x8"):
        RestoreOptions(size=(0, 8))
    with pytest.raises(ValueError, match="crf is -1"):
        RestoreOptions(crf=-1)


def test_resize_keeps_the_range_and_what_fits() -> None:
    picture = torch.zeros(1, 16, 16)
    picture[:, 4:12, 4:12] = 1.0
    assert resize(picture, (16, 16)) is picture
    larger = resize(picture, (40, 24))
    assert larger.shape == (1, 24, 40)
    assert larger.min() == 0
    assert larger.max() == 1
    assert float(resize(picture, (4, 4)).mean()) == pytest.approx(float(picture.mean()), abs=0.01)


def test_import_vfe_is_light() -> None:
    code = "import sys, vfe; assert vfe.__version__; sys.exit('torch' in sys.modules)"
    assert run_python("-c", code).code == 0
    assert vfe.Restorer is Restorer
    assert vfe.RestoreOptions is RestoreOptions
    assert vfe.VFEError is VFEError
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vfe.nothing  # noqa: B018
