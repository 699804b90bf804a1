"""Photos through Enhance Face Image: equal to what `vfe enhance` makes of their files, each by itself."""

from __future__ import annotations

from pathlib import Path

import comfy.model_management
import pytest
import torch
from torch import Tensor

import vfe
from tests.support.clips import write_image
from tests.support.comfy_pack import Loose, images_of, part, run
from tests.support.two_faces import two_faces
from vfe.options import RestoreOptions
from vfe.video.read import open_source
from vfe.video.resize import resize


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_image(tmp_path / "photo.png")


def as_image(path: Path) -> Tensor:
    """(1, H, W, 3) in [0, 1], as Load Image gives it."""
    with open_source(path) as source:
        return next(iter(source)).pixels.movedim(0, -1)[None] / 2 + 0.5


def restored(restorer: Loose, image: Tensor, **options: Loose) -> Tensor:
    result: Tensor = run("EnhanceFaceImage", restorer=restorer, image=image, **options)[0]
    return result


def test_equals_vfe_enhance(restorer: Loose, photo: Path, tmp_path: Path) -> None:
    image = restored(restorer, as_image(photo))
    vfe.load("lite", "cpu", "fp32").restore_file(photo, tmp_path / "own.png", RestoreOptions())
    assert image.shape == as_image(photo).shape
    assert (image - as_image(tmp_path / "own.png")).abs().max() <= 0.6 / 255  # the file has 8 bits


def test_a_batch_is_restored_photo_by_photo(restorer: Loose, photo: Path) -> None:
    image = as_image(photo)
    both, report = run("EnhanceFaceImage", restorer=restorer, image=torch.cat([image, 1 - image]))
    assert torch.equal(both[:1], restored(restorer, image))
    assert torch.equal(both[1:], restored(restorer, 1 - image))
    assert [line.partition(";")[0] for line in report.splitlines()] == ["photo 1", "photo 2"]


def test_alpha_stays_and_grey_gets_colours(restorer: Loose, photo: Path) -> None:
    image = as_image(photo)
    alpha = torch.rand(*image.shape[:3], 1, generator=torch.manual_seed(0))
    out = restored(restorer, torch.cat([image, alpha], -1))
    assert torch.equal(out[..., 3:], alpha)
    assert torch.equal(out[..., :3], restored(restorer, image))
    assert restored(restorer, image[..., :1]).shape == image.shape


@pytest.mark.parametrize(
    ("asked", "size"), [({"scale": "x2"}, (2.0, 2.0)), ({"size": "96x72"}, None), ({"scale": "x4"}, (4.0, 4.0))]
)
def test_the_size_is_the_one_asked_for(
    asked: dict[str, str], size: tuple[float, float] | None, restorer: Loose, photo: Path
) -> None:
    image = as_image(photo)
    height, width = image.shape[1:3]
    wanted = (72, 96) if size is None else (round(height * size[0]), round(width * size[1]))
    assert restored(restorer, image, **asked).shape == (1, *wanted, 3)


@pytest.mark.parametrize("times", [2, 4])
def test_faces_are_restored_at_the_larger_size(times: int, restorer: Loose) -> None:
    """Enlarged first: the same as of an enlarged photo, and sharper than what is restored small and then enlarged."""
    face = images_of(two_faces(1))[:, 30:158, 8:136]
    frame = restored(restorer, face, scale=f"x{times}", fidelity=1.0)
    assert (frame - restored(restorer, enlarged(face, times), fidelity=1.0)).abs().max() < 1e-4
    with_face = restored(restorer, face, scale=f"x{times}")
    assert (with_face - frame).abs().max() > 0.02  # its part for faces works at that size too
    assert sharpness(with_face) > 1.05 * sharpness(enlarged(restored(restorer, face), times))


def enlarged(image: Tensor, times: int) -> Tensor:
    height, width = image.shape[1:3]
    return resize(image[0].movedim(-1, 0), (times * width, times * height)).movedim(0, -1)[None]


def sharpness(image: Tensor) -> float:
    """The mean change from pixel to pixel."""
    return float(image.diff(dim=1).abs().mean() + image.diff(dim=2).abs().mean())


def test_a_size_that_is_none_gets_a_sentence(restorer: Loose, photo: Path) -> None:
    for asked, words in (({"size": "large"}, "no size"), ({"scale": "x2", "size": "64x64"}, "one of them")):
        with pytest.raises(ValueError, match=words):
            restored(restorer, as_image(photo), **asked)


def test_an_interrupt_stops_between_photos(restorer: Loose, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = part("nodes.host.reporter").Reporter
    plain = reporter.report

    def report(self: Loose, done: int, total: int | None = None) -> None:
        comfy.model_management.interrupt_current_processing()
        plain(self, done, total)

    monkeypatch.setattr(reporter, "report", report)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        restored(restorer, as_image(photo).repeat(2, 1, 1, 1))
