"""Presets: options that suit a kind of footage, by name. Some come with the package, others are the user's own files.

The values are our own choice, made from what the options do, not measured on such footage.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files.user_folders import SETTINGS
from ..types import VFEError
from .given import GivenOptions, read_given

CONFIG_VARIABLE = "VFE_CONFIG"
"""The environment variable with the folder of the user's own settings."""


@dataclass(frozen=True)
class Preset:
    """Options that suit a kind of footage."""

    name: str
    why: str
    """For what, and why these values, in a sentence."""
    options: GivenOptions
    path: Path | None = None
    """The user's file that it comes from; None for one of the package."""


BUNDLED = (
    Preset(
        "old-film",
        "scanned film: a fifth of the grain stays, faces keep close to what is there, and grain gets the bits it needs",
        GivenOptions(strength=0.8, fidelity=0.6, crf=12),
    ),
    Preset(
        "webcam",
        "one or two large faces, badly compressed: they are made sharp, a wall that fills the rest is left as it is",
        GivenOptions(region="auto", fidelity=0.2, crf=18),
    ),
    Preset(
        "tv",
        "recorded broadcasts: captions and logos stay as they are, and so do small faces in crowds",
        GivenOptions(region="auto", min_face=32, fidelity=0.5),
    ),
    Preset(
        "photo",
        "photos, which people look at for long: small faces alone are restored, and all stay closer to the person",
        GivenOptions(region="auto", fidelity=0.4),
    ),
)


def config_folder(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's own settings: that of VFE_CONFIG, or vfe in the platform's folder for them."""
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE]).expanduser()
    return SETTINGS.on(platform, environ) / "vfe"


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets of the package, then those of the user's own; no file is opened."""
    return tuple(dict.fromkeys([*(preset.name for preset in BUNDLED), *preset_files()]))


def preset_files() -> dict[str, Path]:
    """Return the user's own presets, the files NAME.yaml in the folder presets of their settings, by name."""
    folder = config_folder() / "presets"
    found = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return {path.stem: path for path in found if not path.name.startswith(".")}


def find_preset(name: str) -> Preset:
    """Return the preset of this name; a user's own comes before one of the package.

    Raises VFEError where there is none, or where its file holds none.
    """
    files, bundled = preset_files(), {preset.name: preset for preset in BUNDLED}
    if name in files:
        return read_preset(files[name])
    if name in bundled:
        return bundled[name]
    known, own = ", ".join(preset_names()), config_folder() / "presets"
    raise VFEError(f"no preset is called {name!r}; there are {known}; your own go to {own}")


def read_preset(path: Path) -> Preset:
    """Return the preset of a user's file: options by name, and `why` if they like. Raises VFEError for another file."""
    from ..files.yaml_file import read_yaml  # PyYAML, which nobody else should wait for

    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise VFEError(f"{path}: holds no options; needed are lines such as `strength: 0.8`")
    why = raw.pop("why", "")
    if not isinstance(why, str):
        raise VFEError(f"{path}: why is a {type(why).__name__}, needed is a text")
    if "preset" in raw:
        raise VFEError(f"{path}: names a preset, which a preset cannot; write its options down")
    return Preset(path.stem, " ".join(why.split()), read_given(raw, str(path)), path)


def with_preset(given: GivenOptions) -> GivenOptions:
    """Return options with those of the preset that they name below them. Raises VFEError for a preset that is none."""
    return given if given.preset is None else given.over(find_preset(given.preset).options)
