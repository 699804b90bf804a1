"""`vfe models`: what is found where; `vfe models pull`: download what was asked for, once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ..library.catalogue import CATALOGUE, CatalogueEntry, catalogue_entry
from ..library.download import Pulled, pull
from ..library.find import KIND_TITLES, Listed, Listing, list_models
from ..library.folders import ModelFolder, cache_folder, search_folders
from ..library.scan import scan
from .percent import PercentLine
from .text import say


def run(args: argparse.Namespace) -> None:
    """List models or, with the action `pull`, download some; VFEError for what cannot be had or searched."""
    (pull_models if args.action == "pull" else list_found)(args)


def list_found(args: argparse.Namespace) -> None:
    """List what is found; VFEError where a folder that was asked for cannot be searched.

    Takes models (folders) and comfyui (a path or None) from `args`.
    """
    folders = search_folders(args.models, args.comfyui)
    say("\n".join(listing_lines(list_models(folders), folders)))


def pull_models(args: argparse.Namespace) -> None:
    """Download the files that were named, or list what can be named; VFEError for what cannot be had.

    Takes names, to (a folder or None), models and comfyui from `args`.
    """
    entries = [catalogue_entry(name) for name in args.names]  # a wrong name is reported before anything is downloaded
    if not entries:
        say("\n".join(catalogue_lines()))
        return
    present = [found.path for found in scan(search_folders(args.models, args.comfyui)).found]
    for entry in entries:
        say(_pull_line(entry, _pull(entry, args.to or cache_folder(), present)))


def listing_lines(listing: Listing, folders: list[ModelFolder]) -> Iterator[str]:
    """Yield the files kind by kind, then what could not be read and how many files were passed over."""
    for kind, listed in groupby(listing.models, key=lambda model: model.kind):
        yield f"{KIND_TITLES[kind]}:" if kind else "cannot be read:"
        for model in listed:
            yield from _model_lines(model)
    if not listing.models:
        yield "no model files found; `vfe models pull` lists what can be downloaded"
    yield from (f"note: {note}" for note in listing.notes)
    labels = ", ".join(dict.fromkeys(folder.label for folder in folders))
    passed = f"; passed over {_count(listing.unknown)} of other kinds" if listing.unknown else ""
    yield f"{_count(len(listing.models))} in: {labels}{passed}"


def catalogue_lines() -> Iterator[str]:
    """Yield what `vfe models pull` can download."""
    yield "vfe models pull NAME downloads one of:"
    for entry in CATALOGUE:
        yield f"  {entry.name}: {entry.what}, {_size(entry.bytes)}, {entry.licence}, from {entry.repository}"


def _model_lines(model: Listed) -> Iterator[str]:
    """Yield the lines for one file; one alone for a file that cannot be read."""
    found = model.candidate
    if model.kind is None:
        yield f"  {model.description}"
        return
    yield f"  {found.name}: {_size(found.bytes)}, {found.folder.label}, {found.path}"
    yield f"    {model.description}"


def _pull(entry: CatalogueEntry, folder: Path, present: list[Path]) -> Pulled:
    """Download a file into `folder`, unless it is one of those `present`; VFEError where it cannot be had."""
    progress = PercentLine(sys.stderr, f"checking {entry.file_name}")
    try:
        return pull(entry, folder, present, progress)
    finally:
        progress.clear()


def _pull_line(entry: CatalogueEntry, pulled: Pulled) -> str:
    """Return what was done for one file, and how its content is known to be right."""
    what = "downloaded" if pulled.downloaded else "is there already, nothing was downloaded"
    source = "the known one" if pulled.pinned else "the one that the hub names, no other source for it is known"
    return (
        f"{entry.name} ({_size(pulled.bytes)}, {entry.licence}) {what}: {pulled.path};"
        f" SHA-256 {pulled.sha256} is {source}"
    )


def _count(files: int) -> str:
    """Return a number of files with its noun."""
    return f"{files} file{'' if files == 1 else 's'}"


def _size(size: int | None) -> str:
    """Return a number of bytes as people read it; None where only the hub knows it."""
    if size is None:
        return "size as the hub says"
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} KB"
