"""The presets of the command as an input of the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.comfy_pack import NODES, Loose, part, run
from vfe.batch.given import GivenOptions
from vfe.batch.presets import BUNDLED, with_preset
from vfe.options import RestoreOptions

WITH_PRESETS = ("VFE_EnhanceFaceVideo", "VFE_EnhanceFaceImage")
SIDE = 64


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


def chosen(preset: str, **options: Loose) -> tuple[RestoreOptions, str]:
    """What the node comes to, and its line in the report."""
    presets = part("nodes.sockets.presets")
    widgets = part("vfe.options").RestoreOptions(**options)
    found = presets.with_chosen_preset(preset, widgets)
    return RestoreOptions(**vars(found)), presets.preset_note(preset, widgets, found)


@pytest.mark.parametrize("node", WITH_PRESETS)
def test_it_is_last_and_none_until_it_is_chosen(node: str) -> None:
    """Workflows that were saved before it was there have their values in order, and do what they did."""
    given: Loose = NODES[node].define_schema().inputs[-1]
    assert (given.id, given.default, given.optional) == ("preset", "none", True)
    assert given.options[:5] == ["none", *(preset.name for preset in BUNDLED)]
    assert chosen("none", strength=0.3) == (RestoreOptions(strength=0.3), "")


@pytest.mark.parametrize("name", [preset.name for preset in BUNDLED])
def test_a_preset_is_that_of_the_command(name: str) -> None:
    options, note = chosen(name)
    assert options == with_preset(GivenOptions(preset=name)).applied_to(RestoreOptions())
    assert note.startswith(f"preset {name}: ")


def test_what_was_set_by_hand_comes_before_the_preset() -> None:
    options, note = chosen("old-film", strength=0.5)
    assert (options.strength, options.fidelity, options.crf) == (0.5, 0.6, 12)
    assert note == "preset old-film: crf 12, fidelity 0.6"
    assert chosen("webcam", region="face", crf=3)[0] == RestoreOptions(region="face", crf=3)


def test_the_users_own_ones_are_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFE_CONFIG", str(tmp_path))
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.yaml").write_text("strength: 0.4\nscale: 2\n")
    for node in WITH_PRESETS:
        given: Loose = NODES[node].define_schema().inputs[-1]
        assert given.options[-1] == "mine"
    assert chosen("mine")[0] == RestoreOptions(strength=0.4, scale=2.0)
    assert chosen("mine", size=(32, 32))[0] == RestoreOptions(strength=0.4, size=(32, 32))


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), RuntimeError("no home")])
def test_without_a_home_there_are_those_of_the_package(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bool:
        raise error

    monkeypatch.setattr(Path, "is_dir", refuse)
    given = part("nodes.sockets.presets").preset_input()
    monkeypatch.undo()
    assert given.options == ["none", *(preset.name for preset in BUNDLED)]


def test_a_preset_that_is_gone_gets_a_sentence(restorer: Loose) -> None:
    with pytest.raises(ValueError, match="no preset is called 'gone'; there are old-film"):
        run("EnhanceFaceImage", restorer=restorer, image=torch.zeros(1, SIDE, SIDE, 3), preset="gone")


def test_a_photo_is_restored_by_it(restorer: Loose) -> None:
    image = torch.rand(1, SIDE, SIDE, 3, generator=torch.manual_seed(0))
    by_preset, report = run("EnhanceFaceImage", restorer=restorer, image=image, preset="old-film")
    by_hand, _ = run("EnhanceFaceImage", restorer=restorer, image=image, strength=0.8, fidelity=0.6)
    assert torch.equal(by_preset, by_hand)
    assert report.splitlines()[0] == "preset old-film: strength 0.8, crf 12, fidelity 0.6"
