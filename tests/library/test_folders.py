"""Places of model files: every one in its order, as the platform, huggingface_hub and ComfyUI have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.model_tree import folder, forget_this_machine
from vfe.library.comfyui import comfyui_folders
from vfe.library.folders import BUNDLED, HUB, cache_folder, hub_folder, search_folders
from vfe.types import VFEError


@pytest.fixture(autouse=True)
def _only_what_the_test_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_this_machine(monkeypatch, tmp_path / "home")


def test_places_are_searched_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, option = folder(tmp_path / "named"), folder(tmp_path / "option")
    comfyui = folder(tmp_path / "ComfyUI" / "models" / "vae")
    hub = folder(tmp_path / "home" / "huggingface" / "hub")
    cache = folder(cache_folder())
    monkeypatch.setenv("VFE_MODELS", str(named))
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "ComfyUI"))
    folders = search_folders([option, named])  # a folder that was there already counts once
    assert [where.path for where in folders[1:]] == [named, option, comfyui, hub, cache]
    assert folders[0].label == BUNDLED
    assert folders[-2].label == HUB


def test_a_folder_that_was_asked_for_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFE_MODELS", str(tmp_path / "gone"))  # a variable may name a drive that is not mounted
    assert [where.label for where in search_folders()] == [BUNDLED]
    with pytest.raises(VFEError, match=r"no such folder; --models"):
        search_folders([tmp_path / "gone"])
    with pytest.raises(VFEError, match="not a ComfyUI installation"):
        search_folders(comfyui=tmp_path)


def test_the_cache_is_where_the_platform_wants_it() -> None:
    home = Path.home()
    assert cache_folder("linux", {"XDG_CACHE_HOME": "/caches"}) == Path("/caches/vfe/models")
    assert cache_folder("linux", {"XDG_CACHE_HOME": "relative"}) == home / ".cache" / "vfe" / "models"
    assert cache_folder("darwin", {}) == home / "Library" / "Caches" / "vfe" / "models"
    assert cache_folder("win32", {"LOCALAPPDATA": "/local"}) == Path("/local/vfe/models")


def test_the_hugging_face_cache_is_found_by_its_variables(tmp_path: Path) -> None:
    home = {"XDG_CACHE_HOME": str(tmp_path)}
    assert hub_folder(home) == tmp_path / "huggingface" / "hub"
    assert hub_folder(home | {"HF_HOME": "/hf"}) == Path("/hf/hub")
    assert hub_folder(home | {"HF_HOME": "/hf", "HF_HUB_CACHE": "/cache"}) == Path("/cache")


EXTRA = """
# of another installation
comfyui:
    base_path: ~/shared
    is_default: true
    vae: models/vae/
    diffusion_models: |
        models/diffusion_models
        models/more  # a comment that YAML takes for text
empty:
other:
    base_path: $OTHER/stable
    vae: VAE
    hypernetworks: unused
alone:
    loras: beside
"""


def test_extra_model_paths_are_read_as_comfyui_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", str(tmp_path / "other"))
    models = folder(tmp_path / "ComfyUI" / "models")
    (models.parent / "extra_model_paths.yaml").write_text(EXTRA)
    shared = tmp_path / "home" / "shared" / "models"
    folder(shared / "more")
    folders = comfyui_folders(models.parent)
    diffusion = [shared / "more", shared / "diffusion_models", models / "diffusion_models", models / "unet"]
    vae = [shared / "vae", models / "vae", tmp_path / "other" / "stable" / "VAE"]
    assert folders[:4] == diffusion
    assert folders[4:7] == vae  # a later line of is_default comes before an earlier one
    assert models.parent / "beside" in folders
    assert comfyui_folders(models.parent / "extra_model_paths.yaml") == [
        *diffusion[:2],
        *vae[::2],
        models.parent / "beside",
    ]


@pytest.mark.parametrize("text", ["- a list", "section: text", "a: [unclosed", "\tx: 1"])
def test_a_broken_yaml_file_is_named(text: str, tmp_path: Path) -> None:
    (path := tmp_path / "paths.yaml").write_text(text)
    with pytest.raises(VFEError, match=r"paths\.yaml") as caught:
        comfyui_folders(path)
    assert "\n" not in str(caught.value)


def test_a_yaml_file_of_comments_only_is_one_without_folders(tmp_path: Path) -> None:
    (path := tmp_path / "paths.yaml").write_text("# nothing\n")
    assert comfyui_folders(path) == []
