"""Scores are calibrated to what people chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vfe.curation.calibrate import calibrate, isotonic, read_labels
from vfe.types import VFEError

TOTALS = {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0, "e": 50.0}


def test_the_fit_is_that_of_scipy() -> None:
    from scipy.optimize import isotonic_regression

    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, 2, 40).astype(float)
        assert isotonic(range(40), values.tolist()) == pytest.approx(isotonic_regression(values).x)


def test_values_at_one_place_are_pooled() -> None:
    assert isotonic([1, 1, 2, 2], [0, 1, 1, 1]) == [0.5, 0.5, 1, 1]
    assert isotonic([1, 1, 1], [0, 1, 0]) == pytest.approx([1 / 3] * 3)


def test_agreement_threshold_and_disagreements() -> None:
    found = calibrate(TOTALS, {"a": False, "b": True, "c": False, "d": False, "e": True, "unknown": True})
    assert found.fitted == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 1])
    assert found.agreement == pytest.approx(0.8)
    assert found.threshold == 40
    assert [choice.clip for choice in found.disagreements] == ["b"]


def test_no_threshold_where_the_best_is_dropped() -> None:
    assert calibrate(TOTALS, {"a": True, "e": False}).threshold is None


@pytest.mark.parametrize("labels", [{}, {"unknown": True}, {"a": True, "b": True}])
def test_choices_of_one_kind_are_too_few(labels: dict[str, bool]) -> None:
    with pytest.raises(VFEError, match="needed are kept and dropped ones"):
        calibrate(TOTALS, labels)


def test_labels_are_read_of_names_and_files(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffclip,choice\nhq_video/a.mp4,keep\nb , Drop\n\nc,1\n", encoding="utf-8")
    assert read_labels(path) == {"a": True, "b": False, "c": True}


@pytest.mark.parametrize("text", [b"a,keep\nb,perhaps\n", b"a,keep\nb\n", b"\xff\xfe\x00"])
def test_what_is_no_list_of_choices_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text)
    with pytest.raises(VFEError, match=r"labels\.csv"):
        read_labels(path)
