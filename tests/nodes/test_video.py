"""A video from file to file, equal to what `vfe enhance` writes, with its sound, at any length."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import comfy.model_management
import folder_paths
import pytest
import torch
from comfy_api.latest import InputImpl, Types

import vfe
from tests.support.clips import Clip, write_clip
from tests.support.comfy_pack import Loose, part, run
from vfe.options import RestoreOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.video.read import open_source

FRAMES = 12


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", Clip(frames=FRAMES, width=64, height=48, audio=True))


def pixels(path: Path) -> torch.Tensor:
    with open_source(path) as source:
        return torch.stack([frame.pixels for frame in source])


def enhanced(restorer: Loose, video: Loose, **options: Loose) -> tuple[Path, str]:
    chosen = {"region": "frame", "window": 9, "crf": 0, **options}
    result, report = run("EnhanceFaceVideo", restorer=restorer, video=video, **chosen)
    return Path(result.get_stream_source()), report


def test_equals_vfe_enhance(restorer: Loose, clip: Path, tmp_path: Path) -> None:
    path, report = enhanced(restorer, InputImpl.VideoFromFile(str(clip)))
    own = vfe.load("lite", "cpu", "fp32", WindowConfig(9, 1))
    own.restore_file(clip, tmp_path / "own.mp4", RestoreOptions(crf=0))
    assert (pixels(path) - pixels(tmp_path / "own.mp4")).abs().max() <= 2 / 255  # of [-1, 1]: one step of 8 bits
    assert path.parent == Path(folder_paths.get_temp_directory())
    assert f"{FRAMES} frames in " in report
    with av.open(str(path)) as container:
        assert len(container.streams.audio) == 1
        assert container.streams.video[0].average_rate == 25


def test_a_rounded_window_is_in_the_report(restorer: Loose, clip: Path) -> None:
    path, report = enhanced(restorer, InputImpl.VideoFromFile(str(clip)), window=8)
    same, silent = enhanced(restorer, InputImpl.VideoFromFile(str(clip)))
    assert "windows of 9 frames in place of 8" in report
    assert "in place of" not in silent
    assert torch.equal(pixels(path), pixels(same))


def test_a_video_of_images_is_taken(restorer: Loose, clip: Path) -> None:
    components = InputImpl.VideoFromFile(str(clip)).get_components()
    video = InputImpl.VideoFromComponents(
        Types.VideoComponents(images=components.images, frame_rate=components.frame_rate, audio=None)
    )
    path, _ = enhanced(restorer, video)
    assert pixels(path).shape == (FRAMES, 3, 48, 64)


@pytest.mark.parametrize(("height", "width"), [(95, 128), (96, 127), (95, 127)])
def test_a_video_of_images_of_odd_sides(restorer: Loose, height: int, width: int) -> None:
    """ComfyUI's own encoders take even sides alone."""
    images = torch.rand(6, height, width, 3, generator=torch.manual_seed(0))
    audio = {"waveform": torch.zeros(1, 2, 11025), "sample_rate": 44100}
    components = Types.VideoComponents(images=images, frame_rate=Fraction(25), audio=audio)
    output, _ = enhanced(restorer, InputImpl.VideoFromComponents(components), region="frame", strength=0.0)
    assert pixels(output).shape == (6, 3, height, width)
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == 1
        assert container.streams.video[0].frames == 6


def test_a_clip_without_faces_is_left_alone(restorer: Loose, clip: Path) -> None:
    path, report = enhanced(restorer, InputImpl.VideoFromFile(str(clip)), region="face")
    assert (pixels(path) - pixels(clip)).abs().mean() < 0.02
    assert "face" in report


def test_progress_and_previews_go_to_the_page(restorer: Loose, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, Loose]] = []
    hook = lambda value, total, preview, node_id=None: told.append((value, total, preview))  # noqa: E731, ARG005
    monkeypatch.setattr("comfy.utils.PROGRESS_BAR_HOOK", hook)
    enhanced(restorer, InputImpl.VideoFromFile(str(clip)))
    assert told[-1][:2] == (FRAMES, FRAMES)
    pictures = [preview for *_, preview in told if preview is not None]
    assert len(pictures) == 2  # one a window
    assert pictures[0][0] == "JPEG"
    assert pictures[0][1].size == (64, 48)


def test_an_interrupt_leaves_no_file(restorer: Loose, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = part("nodes.host.reporter").Reporter
    plain = reporter.report

    def report(self: Loose, done: int, total: int | None = None) -> None:
        if done >= 4:
            comfy.model_management.interrupt_current_processing()
        plain(self, done, total)

    folder = Path(folder_paths.get_temp_directory())
    before = files_in(folder)
    monkeypatch.setattr(reporter, "report", report)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        enhanced(restorer, InputImpl.VideoFromFile(str(clip)))
    assert files_in(folder) == before


def files_in(folder: Path) -> list[Path]:
    """The files in it, but not those in folders: whole windows that were restored are kept."""
    return sorted(path for path in folder.glob("*") if path.is_file())


@pytest.mark.parametrize("options", [{"faces": "nobody"}, {"strength": 2.0}])
def test_wrong_options_get_a_sentence(options: Loose, restorer: Loose, clip: Path) -> None:
    with pytest.raises(ValueError, match=r"needed|needs"):
        enhanced(restorer, InputImpl.VideoFromFile(str(clip)), region="face", **options)
