"""The bundled model's two parts together: whole frames are cleaned, and then each face in them is restored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

import vfe
from tests.support.cli_run import Run, assert_one_line_error, run_vfe
from tests.support.paths import LITE
from vfe.options import ModelOptions, RestoreOptions
from vfe.restore.restorer import load
from vfe.video.read import open_source

pytestmark = pytest.mark.slow

FACES = LITE.with_name("lite_faces.safetensors")
NO_FACES = ModelOptions(face_model="none")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait of 208x208 with a third of its detail, the face in its middle."""
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    picture = Image.fromarray(skimage.data.astronaut()[0:260, 100:360])
    picture.resize((64, 64), Image.Resampling.BOX).resize((208, 208), Image.Resampling.BICUBIC).save(path)
    return path


def restored(
    portrait: Path, name: str, options: RestoreOptions, model: ModelOptions | None = None
) -> vfe.RestoreReport:
    """What the bundled model makes of the portrait, in a file beside it."""
    return load("lite", "cpu", "fp32", options=model).restore_file(portrait, portrait.with_name(name), options)


def pixels(path: Path) -> npt.NDArray[np.int16]:
    """(H, W, 3)"""
    return np.asarray(Image.open(path).convert("RGB")).astype(np.int16)


def test_whole_frames_get_their_faces_restored_too(portrait: Path) -> None:
    report = restored(portrait, "both.png", RestoreOptions())
    without = restored(portrait, "frame.png", RestoreOptions(), NO_FACES)
    assert report.notes == ("1 face restored on 1 of 1 frames",)
    assert without.notes == ()
    change = np.abs(pixels(report.output) - pixels(without.output)).max(-1)
    assert change[60:150, 70:140].mean() > 1, "the face is restored by the part for faces"
    assert change[:, :20].max() == change[:, -12:].max() == change[-12:].max() == 0, "and nothing else is"


def test_faces_come_nearer_to_the_clean_ones(portrait: Path) -> None:
    clean = np.asarray(Image.fromarray(skimage.data.astronaut()[0:260, 100:360]).resize((208, 208)), np.float64)
    face = (slice(50, 160), slice(60, 150))

    def error(path: Path) -> float:
        return float(np.square(pixels(path)[face] - clean[face]).mean())

    both = restored(portrait, "near.png", RestoreOptions()).output
    without = restored(portrait, "far.png", RestoreOptions(), NO_FACES).output
    assert error(both) < error(without) < error(portrait)


def test_a_picture_in_memory_equals_its_file(portrait: Path) -> None:
    report = restored(portrait, "file.png", RestoreOptions(scale=2.0))
    with open_source(portrait) as source:
        loaded = next(iter(source)).pixels
    result = vfe.restore_picture(load("lite", "cpu", "fp32"), loaded, RestoreOptions(scale=2.0))
    assert result.notes == report.notes == ("1 face restored on 1 of 1 frames",)
    in_bytes = ((result.pixels.clamp(-1, 1) + 1) * 127.5).movedim(0, -1).numpy()
    assert np.abs(in_bytes - pixels(report.output)).max() <= 0.51


def test_no_blend_is_the_part_for_frames_alone(portrait: Path) -> None:
    none = restored(portrait, "none.png", RestoreOptions(blend=0.0)).output
    without = restored(portrait, "frame_alone.png", RestoreOptions(), NO_FACES).output
    assert none.read_bytes() == without.read_bytes()


def test_full_fidelity_is_the_part_for_frames_alone(portrait: Path) -> None:
    """And between it and the sharpest, faces move away from there without a jump."""
    without = restored(portrait, "frame_only.png", RestoreOptions(), NO_FACES).output
    faithful = restored(portrait, "faithful.png", RestoreOptions(fidelity=1.0)).output
    assert faithful.read_bytes() == without.read_bytes()
    changes = [
        np.abs(
            pixels(restored(portrait, f"{fidelity}.png", RestoreOptions(fidelity=fidelity)).output) - pixels(without)
        )
        for fidelity in (0.8, 0.4, 0.0)
    ]
    assert 0 < changes[0].mean() < changes[1].mean() < changes[2].mean()


def test_faces_alone_leave_the_rest_to_the_bit(portrait: Path) -> None:
    alone = restored(portrait, "face.png", RestoreOptions(region="face")).output
    change = np.abs(pixels(alone) - pixels(portrait)).max(-1)
    assert change[60:150, 70:140].mean() > 2
    assert change[:, :20].max() == 0


def test_small_faces_keep_what_the_part_for_frames_made(portrait: Path) -> None:
    large = restored(portrait, "large.png", RestoreOptions(min_face=500)).output
    without = restored(portrait, "frame_too.png", RestoreOptions(), NO_FACES).output
    assert large.read_bytes() == without.read_bytes()


def test_the_same_input_gives_the_same_bytes(portrait: Path) -> None:
    first, second = (restored(portrait, f"{name}.png", RestoreOptions()).output for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_pictures_too_small_for_faces_are_restored_as_a_whole(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.png"
    Image.fromarray(skimage.data.astronaut()[:24, :24]).save(tiny)
    report = load("lite", "cpu").restore_file(tiny, tmp_path / "out.png")
    assert report.frames == 1
    assert report.notes == ()


def test_a_part_named_by_its_file_is_the_same(portrait: Path) -> None:
    own = restored(portrait, "own.png", RestoreOptions()).output
    named = restored(portrait, "named.png", RestoreOptions(), ModelOptions(face_model=FACES)).output
    assert own.read_bytes() == named.read_bytes()


def test_a_lite_file_of_ones_own_has_no_part_for_faces(tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(LITE.read_bytes())
    assert load(copy, "cpu").face_part is None
    assert load(copy, "cpu", options=ModelOptions(face_model="lite_faces")).face_part is not None


def test_the_faster_model_has_the_same_part_for_faces() -> None:
    faster = load("lite-fast", "cpu")
    assert faster.face_part is not None
    assert faster.face_part.name == "lite_faces"


def enhance(capsys: pytest.CaptureFixture[str], portrait: Path, *more: object) -> Run:
    return run_vfe(capsys, "enhance", portrait, "-o", portrait.with_name("cli.png"), "--overwrite", *more)


def test_parts_in_each_others_place_are_refused(portrait: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(enhance(capsys, portrait, "--model", FACES), "aligned faces", "--face-model")
    assert_one_line_error(enhance(capsys, portrait, "--face-model", LITE), "not a restorer of aligned faces", "--model")


def test_faces_cannot_be_chosen_where_none_is_looked_for(portrait: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_line_error(
        enhance(capsys, portrait, "--face-model", "none", "--faces", "largest"), "--region face", code=2
    )
    faithful = enhance(capsys, portrait, "--fidelity", "1", "--faces", "largest")
    assert_one_line_error(faithful, "--region face", code=2)
    assert enhance(capsys, portrait, "--faces", "largest").code == 0


def test_fidelity_is_of_a_part_for_faces(portrait: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = enhance(capsys, portrait, "--face-model", "none", "--fidelity", "0.7")
    assert_one_line_error(without, "--fidelity 0.7", "part for faces", code=2)
    assert_one_line_error(enhance(capsys, portrait, "--fidelity", "2"), "fidelity is 2.0", "0 (sharpest)", code=2)
