"""`vfe presets`: the presets of `vfe enhance`, with their values."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..batch.presets import BUNDLED, Preset, config_folder, preset_files, read_preset
from ..types import VFEError
from .text import say


def run(args: argparse.Namespace) -> None:
    """List the presets of the package, then the user's own."""
    del args
    say("\n".join(preset_lines()))


def preset_lines() -> Iterator[str]:
    """Yield lines on each preset, on files that hold none, and where more may be put."""
    files = preset_files()
    for preset in BUNDLED:
        yield from _lines(preset)
        if preset.name in files:
            yield f"  not used: {files[preset.name]} has the same name"
    for path in files.values():
        try:
            yield from _lines(read_preset(path))
        except VFEError as error:  # one bad file must not hide the rest
            yield f"{path.stem}: cannot be used: {error}"
    yield f"your own: files NAME.yaml in {config_folder() / 'presets'}"


def _lines(preset: Preset) -> Iterator[str]:
    """Yield the name of a preset with its reason, its file and its options as the command takes them."""
    yield f"{preset.name}: {preset.why}" if preset.why else preset.name
    if preset.path is not None:
        yield f"  {preset.path}"
    options = [f"--{name.replace('_', '-')} {_text(value)}" for name, value in preset.options.named.items()]
    yield f"  {' '.join(options) or 'no options'}"


def _text(value: object) -> str:
    """Return a value as the command line takes it."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"'{text}'" if " " in text else text
