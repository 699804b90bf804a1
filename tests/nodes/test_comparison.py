"""What Compare Videos gives to keep: both sides in one video, with names and the sound of after, once it is asked."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import folder_paths
import pytest
import torch
from comfy_api.latest import InputImpl
from torch import Tensor

from tests.support.clips import Clip, write_clip
from tests.support.comfy_pack import Loose, part, run
from vfe.video.compare import DIVIDER
from vfe.video.read import open_source

WIDTH, HEIGHT, FRAMES = 96, 64, 8
NO_NAMES = {"before_label": "", "after_label": ""}


@pytest.fixture
def sides(tmp_path: Path) -> dict[str, Loose]:
    """A clip, and another of it in other colours with sound."""
    before = write_clip(tmp_path / "before.mp4", Clip(frames=FRAMES, width=WIDTH, height=HEIGHT))
    after = Clip(frames=FRAMES, width=WIDTH, height=HEIGHT, audio=True, cuts=(0,))
    files = {"before": before, "after": write_clip(tmp_path / "after.mp4", after)}
    return {name: InputImpl.VideoFromFile(str(path)) for name, path in files.items()}


def comparison(sides: dict[str, Loose], **inputs: Loose) -> Loose:
    """The VIDEO that the node gives."""
    return run("CompareVideos", **sides, **inputs)[0]


def pixels(video: Loose) -> Tensor:
    """(T, 3, H, W) in [-1, 1]."""
    with open_source(Path(video.get_stream_source())) as source:
        return torch.stack([frame.pixels for frame in source])


def written() -> list[Path]:
    return sorted(Path(folder_paths.get_temp_directory()).glob("vfe_comparison_*"))


def test_it_is_written_when_it_is_asked_for_and_once(sides: dict[str, Loose], tmp_path: Path) -> None:
    already = written()
    video = comparison(sides)
    assert written() == already
    video.save_to(str(tmp_path / "saved.mp4"))
    assert video.get_dimensions() == (WIDTH, HEIGHT)
    assert len(written()) == len(already) + 1
    with av.open(str(tmp_path / "saved.mp4")) as container:
        assert len(container.streams.audio) == 1
        assert container.streams.video[0].average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


def test_whole_sides_are_where_they_belong(sides: dict[str, Loose]) -> None:
    before, after = (pixels(sides[name]) for name in ("before", "after"))
    beside, above = (pixels(comparison(sides, mode=mode, **NO_NAMES)) for mode in ("side by side", "stacked"))
    assert beside.shape == (FRAMES, 3, HEIGHT, 2 * WIDTH + DIVIDER)
    assert above.shape == (FRAMES, 3, 2 * HEIGHT + DIVIDER, WIDTH)
    for left, right in (
        (beside[..., :WIDTH], beside[..., WIDTH + DIVIDER :]),
        (above[..., :HEIGHT, :], above[..., HEIGHT + DIVIDER :, :]),
    ):
        assert (left - before).abs().mean() < 0.03
        assert (right - after).abs().mean() < 0.03


def test_a_wipe_has_before_on_its_left(sides: dict[str, Loose]) -> None:
    before, after = (pixels(sides[name]) for name in ("before", "after"))
    wiped = pixels(comparison(sides, **NO_NAMES))
    assert wiped.shape == before.shape
    edge = round(0.3 * WIDTH)
    assert (wiped - before)[..., :edge].abs().mean() < 0.03
    assert (wiped - after)[..., -edge:].abs().mean() < 0.03


def test_names_are_written_on_their_sides(sides: dict[str, Loose]) -> None:
    plain, named = (pixels(comparison(sides, mode="stacked", **names)) for names in (NO_NAMES, {}))
    change = (named - plain).abs().mean(dim=(0, 1))
    upper, lower = change[:HEIGHT], change[HEIGHT + DIVIDER :]
    for side in (upper, lower):
        assert side[: HEIGHT // 3, : WIDTH // 2].mean() > 0.1
        assert side[HEIGHT // 2 :].mean() < 0.03
    only_left = pixels(comparison(sides, mode="stacked", before_label="original", after_label=" "))
    assert (only_left - plain)[..., HEIGHT + DIVIDER :, :].abs().mean() < 0.01


def test_images_and_odd_sides_do(sides: dict[str, Loose]) -> None:
    images = torch.rand(5, HEIGHT - 1, WIDTH - 1, 3, generator=torch.manual_seed(0))
    video = comparison({"before": sides["before"], "after": images}, **NO_NAMES)
    assert video.get_dimensions() == (WIDTH, HEIGHT)
    assert len(pixels(video)) == 5
    both = comparison({"before": images, "after": images}, frame_rate=12.0)
    with av.open(both.get_stream_source()) as container:
        assert container.streams.video[0].average_rate == Fraction(12)


def test_one_frame_of_each_side_is_read_at_a_time(sides: dict[str, Loose], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read before a frame is written does not grow with the clip."""
    module = part("nodes.run.comparison")
    plain, counts, ahead = module.in_step, [0, 0], []

    def counted(frames: Loose, side: int) -> Loose:
        for frame in frames:
            counts[side] += 1
            yield frame

    def in_step(befores: Loose, afters: Loose, rate: Fraction) -> Loose:
        for number, pair in enumerate(plain(counted(befores, 0), counted(afters, 1), rate), start=1):
            ahead.append(max(counts) - number)
            yield pair

    monkeypatch.setattr(module, "in_step", in_step)
    comparison(sides).get_dimensions()
    assert len(ahead) == FRAMES
    assert max(ahead) <= 1


def test_signs_that_no_font_has_get_a_sentence(sides: dict[str, Loose], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("nodes.host.labels"), "FONTS", ("no such font.ttf",))
    with pytest.raises(ValueError, match="needed are Latin letters, or an empty label"):
        comparison(sides, before_label="\u4fee\u590d\u524d")
