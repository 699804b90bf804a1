"""`vfe enhance --ray` where there is no cluster, and where it cannot do what is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe
from tests.support.clips import Clip, write_clip
from vfe.batch.clips import Clip as FoundClip
from vfe.batch.plan import FileTask
from vfe.cli.on_cluster import film_of
from vfe.cli.parser import all_options_of, build_parser, given_of
from vfe.cluster.tasks import Film
from vfe.jobs.whole import WholeRun


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv", Clip(frames=3))


def test_without_ray_it_is_one_line(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    run = run_vfe(capsys, "enhance", clip, "--ray", "local")
    assert_one_line_error(run, "pip install 'video-face-enhancement[cluster]'")
    assert {path.name for path in clip.parent.iterdir()} == {"clip.mkv"}


def test_workers_get_names_that_hold_in_every_folder(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    Path("faces.json").write_text("{}", encoding="utf-8")
    Path("own.safetensors").touch()
    Path("models").mkdir()
    line = (
        "enhance clip.mkv -o out.mkv --ray --job work --allow-gaps --region face --tracks faces.json "
        "--face-model own.safetensors --models models"
    )
    args = build_parser().parse_args(line.split())
    options, model = all_options_of(args)
    film = film_of(args, model)(FileTask(FoundClip(args.input, args.input), args.output, options, given_of(args)))
    assert isinstance(film, Film)
    request, folder = film.request, clip.parent
    assert (request.source, request.result) == (clip, folder / "out.mkv")
    assert request.options.tracks == folder / "faces.json"
    assert request.model.options.face_model == str(folder / "own.safetensors")
    assert request.model.options.folders == (folder / "models",)
    assert film.run == WholeRun(folder / "work", allow_gaps=True)
    assert args.ray == "local"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--face-model", "none", "--faces", "largest"), "--faces, --min-face and --blend choose among them"),
        (("--face-model", "none", "--fidelity", "0.5"), "--fidelity 0.5 is of a part for faces"),
    ],
)
def test_what_the_model_has_no_use_for_is_refused(
    options: tuple[str, ...], reason: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_ray = run_vfe(capsys, "enhance", clip, "--ray", "127.0.0.1:1", *options)
    assert with_ray.code == 2
    assert reason in with_ray.err
    assert with_ray == run_vfe(capsys, "enhance", clip, *options)


def test_what_needs_a_single_pass_is_refused(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_vfe(capsys, "enhance", clip, "--ray", "local", "--compare", "both.mkv")
    assert run.code == 2
    assert "--ray restores in parts, and " in run.err
