"""`vfe info`: what this installation has, or what a file is."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path

from .. import __version__
from ..library.find import FOLDERS_VARIABLE, MODEL_SUFFIX, find_models
from ..library.scan import SCANNED_SUFFIXES
from ..types import VFEError
from .text import say


def run(args: argparse.Namespace) -> None:
    """Say what the file of `args` is, or what this installation has; VFEError for a file that is nothing known."""
    say("\n".join(file_lines(args.file) if args.file else machine_lines()))


def machine_lines() -> list[str]:
    """Return versions, devices and models of this installation, one a line."""
    import av
    import torch  # not at the top: what a video is can be said without

    from ..device import describe_devices

    ffmpeg = ", ".join(f"{name} {'.'.join(map(str, version))}" for name, version in av.library_versions.items())
    return [
        f"vfe {__version__}",
        f"python {platform.python_version()} on {platform.platform()}",
        f"torch {torch.__version__}",
        f"av {av.__version__} ({ffmpeg})",
        *("device " + line for line in describe_devices()),
        *_model_lines(),
    ]


def file_lines(path: Path) -> list[str]:
    """Return what a video, an image or a file of weights is; VFEError where it is none of them."""
    if path.suffix.lower() in SCANNED_SUFFIXES:
        from ..weights.lite import is_lite_model, read_lite_info
        from ..weights.recognise import recognise

        return _value_lines(read_lite_info(path)) if is_lite_model(path) else [f"{path}: {recognise(path).description}"]
    from ..video.probe import probe

    return probe(path).describe()


def _model_lines() -> list[str]:
    """Return the models that are found, and under each what its file says of it."""
    lines = []
    for name, path in find_models().items():
        lines.append(f"model {name}: {path}, {path.stat().st_size / 1e6:.1f} MB")
        try:
            lines += ["  " + line for line in file_lines(path)]
        except VFEError as error:  # one bad file must not hide the rest
            lines.append(f"  cannot be loaded: {error}")
    return lines or [f"no model found; put {MODEL_SUFFIX} files into a folder and name it in {FOLDERS_VARIABLE}"]


def _value_lines(value: object) -> list[str]:
    """Return `name: value` for each entry of a dataclass or mapping that is set; nested ones are indented."""
    assert is_dataclass(value) or isinstance(value, Mapping)
    entries = value if isinstance(value, Mapping) else {f.name: getattr(value, f.name) for f in fields(value)}
    lines = []
    for key, item in entries.items():
        name = str(key).replace("_", " ")
        if is_dataclass(item) or (isinstance(item, Mapping) and item):
            lines += [f"{name}:", *("  " + line for line in _value_lines(item))]
        elif item is not None and item != () and item != {} and item != "":
            lines.append(f"{name}: {_text(item)}")
    return lines


def _text(value: object) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Fraction):
        return str(value) if value.denominator == 1 else f"{value} ({float(value):.3f})"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_text, value))
    return " ".join(str(value).split())
