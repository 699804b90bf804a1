"""Clips are scored frame by frame: memory does not grow with their length, and versions share what is compared with."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from torch import Tensor

from tests.support.clips import Clip, write_clip
from vfe.score.flow import Flow, flow_between
from vfe.score.options import ScoreOptions
from vfe.score.pairs import Pair, find_pairs
from vfe.score.picture import Picture, Step
from vfe.score.run import Scoring
from vfe.types import VFEError

LONG = Clip(frames=12, width=48, height=48)


def test_two_moments_are_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4", LONG)
    alive: weakref.WeakSet[Picture] = weakref.WeakSet()
    most = 0
    make = Picture.of

    def counted(pixels: Tensor) -> Picture:
        nonlocal most
        made = make(pixels)
        alive.add(made)
        most = max(most, len(alive))
        return made

    monkeypatch.setattr(Picture, "of", counted)
    gc.collect()
    Scoring(ScoreOptions(), [Pair("clip", clip, clip, clip)]).run()
    assert most <= 3 * 3, "of three clips: the frame before, the frame now, and the one that is being read"


def test_the_flow_of_the_reference_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=3))
    other = write_clip(tmp_path / "other.mp4", Clip(frames=3, codec="mpeg4"))
    flows: list[int] = []

    def counted(on: npt.NDArray[np.uint8], into: npt.NDArray[np.uint8]) -> Flow:
        flows.append(1)
        return flow_between(on, into)

    monkeypatch.setattr("vfe.score.picture.flow_between", counted)
    Scoring(ScoreOptions(), [Pair("clip", other, clip, clip)]).run()
    assert len(flows) == 2 * (2 + 2 + 2), "two pairs of frames; there and back, of the reference and of both versions"


def test_steps_compute_nothing_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nobody asked for flow")

    monkeypatch.setattr("vfe.score.picture.flow_between", never)
    frame = Picture(Tensor(3, 8, 8).byte())
    assert Step(frame, frame).now is frame


def test_names_are_matched_without_their_endings(tmp_path: Path) -> None:
    for name in ("restored/a.restored.mp4", "restored/below/b.mp4", "clean/a.mkv", "clean/below/b.mov", "clean/c.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, Clip(frames=1, codec="mpeg4"))
    pairs = find_pairs(tmp_path / "restored", tmp_path / "clean", None)
    assert [(pair.name, pair.reference and pair.reference.name) for pair in pairs] == [
        ("a", "a.mkv"),
        ("below/b", "b.mov"),
    ]
    (one,) = find_pairs(tmp_path / "restored" / "a.restored.mp4", tmp_path / "clean", None)
    assert one.reference == tmp_path / "clean" / "a.mkv"


def test_a_single_clip_that_fails_raises(tmp_path: Path) -> None:
    short = write_clip(tmp_path / "short.mp4", Clip(frames=2))
    long = write_clip(tmp_path / "long.mp4", Clip(frames=3))
    with pytest.raises(VFEError, match="has 2 frames, and"):
        Scoring(ScoreOptions(), [Pair("short", short, long, None)]).run()


def test_labels_that_are_missing_are_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", Clip(frames=1))
    with pytest.raises(VFEError, match=r"clip\.npz: there is no such file"):
        Scoring(ScoreOptions(labels=tmp_path), [Pair("clip", clip, clip, None)]).run()
