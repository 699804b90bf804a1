"""The zip of the add-on, and what its code imports."""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from pathlib import Path

from editors.blender.make_zip import ADDON, make_zip
from editors.blender.vfe_restore import bl_info
from vfe import __version__

WITH_BLENDER = {"operators", "panel", "placing", "registration", "settings", "strips", "wishes"}


def imported(path: Path) -> set[str]:
    """The packages that a module imports, "" for its own."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("" if node.level else (node.module or "").partition(".")[0])
    return names


def test_it_imports_nothing_but_python_and_blender() -> None:
    for path in ADDON.glob("*.py"):
        others = imported(path) - set(sys.stdlib_module_names) - {""}
        assert others <= ({"bpy"} if path.stem in WITH_BLENDER else set()), path


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert make_zip(tmp_path).read_bytes() == make_zip(tmp_path / "other").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "vfe_restore.zip"]


def test_it_has_all_that_blender_needs(tmp_path: Path) -> None:
    with zipfile.ZipFile(make_zip(tmp_path)) as archive:
        names = set(archive.namelist())
    modules = {f"vfe_restore/{path.name}" for path in ADDON.glob("*.py")}
    assert names == modules | {"vfe_restore/blender_manifest.toml", "vfe_restore/LICENSE"}


def test_the_versions_are_those_of_vfe() -> None:
    manifest = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.*)"$', manifest, re.MULTILINE) == [__version__]
    version = bl_info["version"]
    assert isinstance(version, tuple)
    assert ".".join(map(str, version)) == __version__
