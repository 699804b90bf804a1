"""Where shots begin: cuts are found at their frame; flashes, fades and fast motion are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.paths import SCENES
from vfe.face.track.shots import CutConfig, CutFinder, new_share, thumbnail
from vfe.video.read import open_source

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 72, 128


def photo(name: str) -> Tensor:
    """(3, H, W) in [-1, 1]."""
    image = torch.from_numpy(getattr(skimage.data, name)().copy())
    image = image[..., None].expand(-1, -1, 3) if image.dim() == 2 else image
    return image.permute(2, 0, 1).float() / 127.5 - 1


def view(name: str, x: float, y: float = 60, zoom: float = 2.0) -> Tensor:
    """A part of a photograph as a frame: its left top corner is at x, y, and a pixel takes `zoom` of the photo's."""
    image = photo(name)
    left, top, height, width = round(x), round(y), round(HEIGHT * zoom), round(WIDTH * zoom)
    part = image[:, top : top + height, left : left + width]
    assert part.shape[1:] == (height, width)
    return F.interpolate(part[None], (HEIGHT, WIDTH), mode="bilinear", antialias=True)[0]


def shot(name: str, frames: int, step: float = 2.0, zoom: float = 1.6) -> list[Tensor]:
    """A camera that pans slowly, with a little noise."""
    generator = torch.Generator().manual_seed(0)
    steady = [view(name, 20 + step * index, zoom=zoom) for index in range(frames)]
    return [frame + 0.02 * torch.randn(frame.shape, generator=generator) for frame in steady]


def cuts(frames: list[Tensor], config: CutConfig | None = None) -> list[int]:
    """The frames with which shots begin; that each frame comes back once and in order is checked on the way."""
    finder = CutFinder(config)
    decided = [word for frame in frames for word in finder.push(frame)] + finder.finish()
    assert all(word.frame is frame for word, frame in zip(decided, frames, strict=True))
    return [index for index, word in enumerate(decided) if word.cut]


def test_a_hard_cut() -> None:
    assert cuts(shot("astronaut", 12) + shot("coffee", 12)) == [12]


def test_every_one_of_several() -> None:
    names = ("astronaut", "coffee", "chelsea", "rocket")
    assert cuts([frame for name in names for frame in shot(name, 8, zoom=1.2)]) == [8, 16, 24]


def test_a_cut_between_two_shots_of_one_person() -> None:
    wide = [view("astronaut", 60 + t, 20, 3.2) for t in range(12)]
    close = [view("astronaut", 140 + t, 40, 1.4) for t in range(12)]
    assert cuts(wide + close) == [12]
    assert cuts(close + wide) == [12]


@pytest.mark.parametrize("at", [1, 23])
def test_a_cut_at_the_first_and_at_the_last_frame(at: int) -> None:
    assert cuts(shot("astronaut", 24)[:at] + shot("coffee", 24)[at:]) == [at]


def brighter(frames: list[Tensor], levels: list[float]) -> list[Tensor]:
    """Frames from the tenth on are lit up by so much."""
    lit = list(frames)
    for index, level in enumerate(levels, start=10):
        lit[index] = (lit[index] + level).clamp(-1, 1)
    return lit


@pytest.mark.parametrize("levels", [[1.4], [2.0], [2.0, 1.4], [0.8, 2.0, 1.5, 0.6]])
def test_a_flash_is_none(levels: list[float]) -> None:
    assert cuts(brighter(shot("astronaut", 24), levels)) == []


def faded(frames: list[Tensor], light: Callable[[int], float]) -> list[Tensor]:
    return [(frame + 1) * min(max(light(index), 0), 1) - 1 for index, frame in enumerate(frames)]


def test_a_fade_to_black_is_none() -> None:
    assert cuts(faded(shot("astronaut", 24), lambda t: 1 - (t - 6) / 10)) == []


def test_a_fade_from_black_is_none() -> None:
    assert cuts(faded(shot("astronaut", 24), lambda t: (t - 6) / 10)) == []


def test_a_fade_to_black_and_back_is_none() -> None:
    assert cuts(faded(shot("astronaut", 30), lambda t: (abs(t - 15) - 2) / 8)) == []


def test_a_fade_through_black_to_another_shot_is_one() -> None:
    out, back = shot("astronaut", 14), shot("coffee", 14)
    (cut,) = cuts(faded(out + back, lambda t: (abs(t - 13.5) - 2) / 8))
    assert 14 <= cut <= 19


def test_a_dissolve_is_none() -> None:
    one, other = shot("astronaut", 30), shot("coffee", 30)
    shares = [min(max((t - 8) / 14, 0), 1) for t in range(30)]
    assert cuts([a * (1 - share) + b * share for a, b, share in zip(one, other, shares, strict=True)]) == []


@pytest.mark.parametrize("step", [8, 20, 40])
def test_a_fast_pan_is_none(step: int) -> None:
    """By up to a sixth of the width of the frame, from one to the next."""
    starts = [20] * 6 + [20 + step * t for t in range(1, 400 // step)]
    starts += [starts[-1]] * 6
    assert cuts([view("rocket", x, 100, 1.7) for x in starts]) == []


def test_somebody_who_rushes_by_is_none() -> None:
    frames = shot("coffee", 24)
    for t in range(8, 16):
        left = (t - 8) * 18 - 20
        frames[t][:, :, max(left, 0) : left + 40] = view("astronaut", 60)[:, :, : min(left + 40, WIDTH) - max(left, 0)]
    assert cuts(frames) == []


def test_a_caption_that_pops_up_is_none() -> None:
    frames = shot("coffee", 24)
    for frame in frames[10:]:
        frame[:, 58:64, 30:90] = view("page", 10, 10, 1.0)[:, 10:16, :60]
    assert cuts(frames) == []


def test_still_frames_doubled_frames_and_noise_are_none() -> None:
    assert cuts([view("astronaut", 20)] * 8) == []
    assert cuts([frame for frame in shot("astronaut", 12, step=8) for _ in range(2)]) == []
    generator = torch.Generator().manual_seed(1)
    assert cuts([0.03 * torch.randn(3, HEIGHT, WIDTH, generator=generator) for _ in range(8)]) == []


def test_it_waits_only_where_it_has_to() -> None:
    finder, config = CutFinder(), CutConfig()
    waits: list[int] = []
    for index, frame in enumerate(shot("astronaut", 12) + shot("coffee", 12)):
        before = sum(waits[:index]) if waits else 0
        waits.append(len(finder.push(frame)))
        assert index + 1 - before - waits[-1] <= config.around
    assert waits[:12] == [1] * 12  # given back at once
    assert waits[12 : 12 + config.around + 1] == [0] * config.around + [config.around + 1]
    assert finder.finish() == []


@pytest.mark.parametrize("size", [(8, 200), (200, 8), (33, 33)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    frames = shot("astronaut", 6) + shot("rocket", 6)
    assert cuts([F.interpolate(frame[None], size, mode="bilinear", antialias=True)[0] for frame in frames]) == [6]


def test_the_share_does_not_depend_on_light_and_motion() -> None:
    one = view("rocket", 200, 100)
    moved, dark, other = view("rocket", 220, 100), one * 0.5 - 0.4, view("coffee", 60)
    shares = [new_share(thumbnail(one), thumbnail(frame)) for frame in (one, dark, moved, other)]
    assert shares[0] < 1e-3
    assert shares[1] < 0.02
    assert shares[2] < 0.1 < 0.3 < shares[3]


@pytest.mark.parametrize("wrong", [{"least": 0.0}, {"least": 1.0}, {"ratio": 0.5}, {"around": 0}])
def test_configs_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needed"):
        CutConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(not SCENES.is_dir(), reason="the dev set is not beside the repository")
def test_real_clips_joined_are_cut_where_they_were_joined() -> None:
    """Thumbnails stand for frames, so that all clips can be looked at."""
    clips = []
    for path in sorted(SCENES.glob("*.mp4")):
        with open_source(path) as source:
            pixels = (frame.pixels for frame, _ in zip(source, range(28), strict=False))  # before any cut of its own
            clips.append([F.interpolate(frame[None], (90, 160), mode="area")[0] for frame in pixels])
    assert [cuts(clip) for clip in clips] == [[]] * len(clips)
    joined = [(a, b) for a in range(len(clips)) for b in range(len(clips)) if a != b]
    assert [pair for pair in joined if cuts(clips[pair[0]][-8:] + clips[pair[1]][:8]) != [8]] == []
