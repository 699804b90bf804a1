"""Presets: those of the package, the user's own, and what is no preset."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_run import assert_one_line_error, run_vfe, use_stand_in
from tests.support.clips import read_pixels, write_clip
from tests.support.paths import ROOT
from vfe.batch.given import GivenOptions
from vfe.batch.presets import BUNDLED, config_folder, find_preset, with_preset
from vfe.cli.presets import preset_lines
from vfe.options import RestoreOptions
from vfe.types import VFEError


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own presets."""
    monkeypatch.setenv("VFE_CONFIG", str(tmp_path / "config"))
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["old-film", "webcam", "tv", "photo"])
def test_those_of_the_package_set_options_that_make_sense(name: str) -> None:
    options = with_preset(GivenOptions(preset=name)).applied_to(RestoreOptions())
    assert options != RestoreOptions()
    assert find_preset(name).why


def test_the_documents_have_their_values() -> None:
    text = (ROOT / "docs/options.md").read_text(encoding="utf-8")
    lines = list(preset_lines())
    for preset in BUNDLED:
        options = lines[lines.index(f"{preset.name}: {preset.why}") + 1].strip()
        assert f"| `{preset.name}` | `{options}` | " in text


@pytest.mark.usefixtures("own")
def test_what_is_given_beside_a_preset_comes_before_it() -> None:
    given = with_preset(GivenOptions(preset="old-film", crf=3))
    assert (given.crf, given.strength) == (3, 0.8)


def test_own_ones_come_before_those_of_the_package(own: Path) -> None:
    (own / "tv.yaml").write_text("why: ours,\n  mended\nscale: 2\n")
    preset = find_preset("tv")
    assert (preset.why, preset.options, preset.path) == ("ours, mended", GivenOptions(scale=2.0), own / "tv.yaml")


@pytest.mark.parametrize("name", ["huge", "", "../presets/a", "sub/a", ".hidden"])
def test_an_unknown_one_is_answered_with_the_known(name: str, own: Path) -> None:
    for file in (own / "mine.yaml", own / "a.yaml", own / ".hidden.yaml"):
        file.write_text("crf: 9")
    with pytest.raises(VFEError, match="old-film, webcam, tv, photo, a, mine"):
        find_preset(name)


@pytest.mark.parametrize(
    "text",
    ["", "- 1", "just text", "crf: 99", "preset: tv", "why: [1]", "crf: [", "a: &a 1\nb: *a", "crf: !!python/x 1"],
)
def test_a_file_that_is_none_is_one_line(text: str, own: Path) -> None:
    (own / "mine.yaml").write_text(text)
    with pytest.raises(VFEError, match=r"mine\.yaml: ") as caught:
        find_preset("mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, "~/.config/vfe"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/vfe"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, "~/.config/vfe"),
        ("darwin", {}, "~/Library/Application Support/vfe"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/vfe"),
        ("win32", {"APPDATA": "/roaming", "VFE_CONFIG": "~/mine"}, "~/mine"),
    ],
)
def test_where_own_settings_are(platform: str, environ: dict[str, str], expected: str) -> None:
    assert config_folder(platform, environ) == Path(expected).expanduser()


def test_the_command_lists_them(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "tv.yaml").write_text("size: [64, 48]\nfaces: nearest 1,2\n")
    (own / "bad.yaml").write_text("crf: 99")
    run = run_vfe(capsys, "presets")
    assert (run.code, run.err) == (0, "")
    for preset in BUNDLED:
        assert f"{preset.name}: {preset.why}" in run.out
    assert f"not used: {own / 'tv.yaml'}" in run.out
    assert "  --size 64x48 --faces 'nearest 1,2'\n" in run.out
    assert "bad: cannot be used: " in run.out
    assert run.out.endswith(f"{own}\n")


def test_a_preset_reaches_the_run(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a part for faces, the options of a preset for them are of no use and do no harm."""
    model, clip = use_stand_in(monkeypatch, tmp_path), write_clip(tmp_path / "clip.mp4")
    (own / "mine.yaml").write_text("strength: 0\nfidelity: 0.9\nmin_face: 9\nscale: 2")
    output = tmp_path / "out.mkv"
    run = run_vfe(capsys, "enhance", clip, "-o", output, "--model", model, "--preset", "mine", "--size", "64x48")
    assert run.code == 0, run.err
    assert abs(read_pixels(output).astype(int) - read_pixels(clip)).mean() < 2
    run = run_vfe(capsys, "enhance", clip, "-o", tmp_path / "b.mkv", "--model", model, "--preset", "none")
    assert_one_line_error(run, "'none'", "old-film")
