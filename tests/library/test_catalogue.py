"""The catalogue of files that can be pulled, and the command that pulls them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fake_hub import ENTRY, SHA256, UNPINNED, Hub
from vfe.cli.models import catalogue_lines, pull_models
from vfe.library.catalogue import CATALOGUE, catalogue_entry
from vfe.types import VFEError

huggingface_hub = pytest.importorskip("huggingface_hub")


def test_the_catalogue_is_consistent() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    assert len({entry.sha256 for entry in CATALOGUE if entry.sha256}) == len([e for e in CATALOGUE if e.sha256])
    assert {entry.folder for entry in CATALOGUE} <= {"diffusion_models", "vae", "text_encoders", "facedetection"}
    for entry in CATALOGUE:
        assert entry.licence
        assert entry.repository.count("/") == 1
        assert not entry.file.startswith("/")


@pytest.mark.parametrize("change", [{"sha256": "12"}, {"sha256": SHA256.upper()}, {"bytes": None}, {"bytes": 0}])
def test_an_entry_is_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="tiny"):
        replace(ENTRY, **change)  # type: ignore[arg-type]


def arguments(tmp_path: Path, *names: str) -> argparse.Namespace:
    return argparse.Namespace(names=list(names), to=tmp_path / "to", models=[], comfyui=None)


@pytest.fixture
def tiny_catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vfe.library.catalogue.CATALOGUE", (ENTRY, replace(UNPINNED, name="tiny-unpinned")))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no hub"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)


@pytest.mark.usefixtures("tiny_catalogue")
def test_the_command_says_what_it_did(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "to" / "vae" / "tiny.safetensors"
    pull_models(arguments(tmp_path, "tiny"))
    said = capsys.readouterr().out
    assert f"tiny (7.0 KB, MIT) downloaded: {path}; SHA-256 {SHA256} is the known one" in said
    pull_models(arguments(tmp_path, "TINY", "tiny-unpinned"))
    known, unpinned = capsys.readouterr().out.splitlines()
    assert "nothing was downloaded" in known
    assert "the one that the hub names" in unpinned
    assert hub.downloads == 1


@pytest.mark.usefixtures("tiny_catalogue")
def test_a_wrong_name_downloads_nothing(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(VFEError, match="known: tiny, tiny-unpinned"):
        pull_models(arguments(tmp_path, "tiny", "wrong"))
    assert (hub.asked, hub.downloads) == (0, 0)


def test_without_a_name_the_catalogue_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pull_models(arguments(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert lines == list(catalogue_lines())
    assert len(lines) == 1 + len(CATALOGUE)
    vividface = catalogue_entry("VividFace")
    assert any(
        all(part in line for part in (vividface.name, vividface.repository, vividface.licence)) for line in lines
    )
