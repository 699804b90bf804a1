"""Degradation and data: the paper's formula, and batches that depend on the seed and their number alone."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.training_set import write_training_set
from training.data.clips import DataConfig, FaceClips, data_hash, list_items, to_batch
from training.run.stage import Slots
from vfe.degradations.resample import area_matrix, gaussian_matrix
from vfe.degradations.vividface import Degradation, DegradationConfig, degrade


def noise_clip(frames: int = 6, height: int = 48, width: int = 64) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), np.uint8))


@pytest.mark.parametrize(("size", "to"), [(96, 96), (96, 48), (97, 30), (384, 76)])
def test_filters_keep_a_constant(size: int, to: int) -> None:
    for matrix in (area_matrix(size, to), gaussian_matrix(size, 2.0)):
        assert torch.allclose(matrix.sum(1), torch.ones(len(matrix)), atol=1e-5)


def test_area_averages_cells() -> None:
    assert torch.allclose(area_matrix(6, 2) @ torch.arange(6.0), torch.tensor([1.0, 4.0]))


def test_blur_is_the_mirrored_gaussian() -> None:
    signal, sigma = np.random.default_rng(0).standard_normal(30), 1.7
    radius = round(3 * sigma)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    expected = np.convolve(np.pad(signal, radius, mode="reflect"), taps / taps.sum(), mode="valid")
    blurred = gaussian_matrix(30, sigma) @ torch.from_numpy(signal).float()
    assert np.allclose(blurred.numpy(), expected, atol=1e-5)


def test_no_degradation_is_nearly_the_clip() -> None:
    smooth = torch.arange(64, dtype=torch.uint8).view(1, 1, 64, 1).expand(6, 48, 64, 3).contiguous() * 3
    same = degrade(smooth, Degradation(0.0, 1.0, 0.0, 1), np.random.default_rng(0))
    assert (same.int() - smooth.int()).abs().max() <= 3


def test_each_part_of_the_degradation_acts() -> None:
    clean = noise_clip()
    plain = Degradation(0.5, 1.0, 0.0, 1)
    error = {}
    for name, how in {
        "plain": plain,
        "blur": Degradation(2.0, 1.0, 0.0, 1),
        "ratio": Degradation(0.5, 3.0, 0.0, 1),
        "noise": Degradation(0.5, 1.0, 40.0, 1),
        "crf": Degradation(0.5, 1.0, 0.0, 40),
    }.items():
        bad = degrade(clean, how, np.random.default_rng(0))
        assert bad.shape == clean.shape
        error[name] = float((bad.float() - clean.float()).square().mean())
    assert all(error[name] > 1.05 * error["plain"] for name in ("blur", "ratio", "noise", "crf"))


def test_shares_are_those_of_the_config() -> None:
    config = DegradationConfig(stored=(3, 9), stored_share=0.75, careless_share=0.25)
    rng = np.random.default_rng(0)
    draws = [config.draw(rng) for _ in range(400)]
    stored = [draw.stored for draw in draws if draw.stored is not None]
    assert (min(stored), max(stored)) == (3, 9)
    assert len(stored) / 400 == pytest.approx(0.75, abs=0.07)
    assert sum(draw.careless for draw in draws) / 400 == pytest.approx(0.25, abs=0.07)


def test_draws_stay_in_range_and_together_means_one_severity() -> None:
    rng = np.random.default_rng(0)

    def places(together: float) -> np.ndarray:
        config = DegradationConfig(together=together)
        draws = [config.draw(rng) for _ in range(300)]
        ranges = (config.sigma, config.ratio, config.noise, config.crf)
        figures = np.array([[d.sigma, d.ratio, d.noise, d.crf] for d in draws])
        return (figures - [low for low, _ in ranges]) / [high - low for low, high in ranges]

    apart, joint = places(0.0), places(1.0)
    for drawn in (apart, joint):
        assert 0 <= drawn.min() < 0.1 < 0.9 < drawn.max() <= 1
    assert np.ptp(joint, axis=1).max() < 0.4 < np.ptp(apart, axis=1).mean()


def test_storing_changes_last_bits_and_careless_tools_darken() -> None:
    smooth = torch.arange(96, dtype=torch.uint8).view(1, 1, 96, 1).expand(6, 48, 96, 3) + torch.tensor([90, 60, 40])
    smooth = smooth.byte().contiguous()

    def bad(stored: int | None, careless: bool) -> Tensor:
        return degrade(smooth, Degradation(1.0, 2.0, 1.0, 10, stored, careless), np.random.default_rng(0)).float()

    again = bad(4, False) - bad(None, False)
    assert 0 < again.abs().mean() < 1
    for stored in (None, 4):
        assert (bad(stored, False) - smooth).mean().abs() < 0.3
        assert -3 < (bad(stored, True) - smooth).mean() < -1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_training_set(tmp_path / "data")


def config(root: Path, **changes: object) -> DataConfig:
    return DataConfig(**{"root": str(root), "frames": 5, "side": 32, "batch": 3, "segment": 6, "reuse": 2, **changes})  # type: ignore[arg-type]


Triple = tuple[Tensor, ...]


def batches(root: Path, start: int, count: int, seed: int = 0, slots: Slots | None = None) -> list[Triple]:
    return list(islice(FaceClips(config(root), DegradationConfig(), seed, start, slots), count))


def test_a_batch_is_a_function_of_seed_and_number(root: Path) -> None:
    all_at_once, later = batches(root, 0, 5), batches(root, 3, 2)
    for expected, got in zip(all_at_once[3:], later, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))
    assert not torch.equal(batches(root, 0, 1, seed=1)[0][0], all_at_once[0][0])
    assert not torch.equal(all_at_once[0][0], all_at_once[1][0])


def test_processes_share_the_batch(root: Path) -> None:
    whole = Slots(0, 3, 3)
    parts = [batches(root, 2, 2, slots=whole.part(index, 3)) for index in range(3)]
    for number, expected in enumerate(batches(root, 2, 2)):
        together = [torch.cat(pieces) for pieces in zip(*(part[number] for part in parts), strict=True)]
        assert all(torch.equal(a, b) for a, b in zip(expected, together, strict=True))
    with pytest.raises(ValueError, match="cannot be shared equally by 2"):
        whole.part(0, 2)


def test_batches_have_the_shape_and_range_that_the_loop_needs(root: Path) -> None:
    batch = to_batch(*batches(root, 0, 1)[0])
    assert batch.degraded.shape == batch.clean.shape == (3, 3, 5, 32, 32)
    assert batch.mask.shape == (3, 5, 32, 32)
    assert -1 <= batch.clean.min() < batch.clean.max() <= 1
    assert set(batch.mask.unique().tolist()) <= {0.0, 1.0}
    error = (batch.degraded - batch.clean).abs().mean()
    assert 0 < error < 0.3  # a pair shows the same picture


def test_only_open_items_train_unless_told_otherwise(root: Path) -> None:
    items = list_items(config(root))
    assert {item.path.stem for item in items} == {"clip0", "face0"}
    every = list_items(config(root, open_only=False))
    assert len(every) == 4
    assert data_hash(items) != data_hash(every)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no manifest\.json"):
        list_items(config(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "no list `items`"),
        ('{"items": {}}', "no list `items`"),
        ('{"items": [3]}', "item 0 has no file or kind or open"),
        ('{"items": [{"file": "a.mp4", "kind": "hq_video", "open": 1}]}', "item 0 has no open"),
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        list_items(config(tmp_path))


@pytest.mark.parametrize("wrong", [{"frames": 6}, {"side": 30}, {"frames": 9, "segment": 8}, {"reuse": 0}])
def test_data_config_refuses(root: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        config(root, **wrong)


@pytest.mark.parametrize("wrong", [{"together": 2.0}, {"ratio": (0.5, 2.0)}, {"noise": (5.0, 1.0)}, {"crf": (-1, 3)}])
def test_degradation_config_refuses(wrong: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError):
        DegradationConfig(**wrong)  # type: ignore[arg-type]
