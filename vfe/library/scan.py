"""Find what may be model files in folders, by name only: no file is opened, and a scan always comes to an end."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .folders import HUB, ModelFolder

SCANNED_SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt", ".gguf")
"""The endings of files that are looked at. Of files that differ in it alone, the one with the earlier is preferred."""
SAFETENSORS_INDEX = ".safetensors.index.json"
MAX_DEPTH = 6
MAX_ENTRIES = 20_000
"""How many files and folders are looked at below one folder; far more than a collection of models has."""

# Stems that say nothing about the model: such a file is named after its folder.
_GENERIC = re.compile(r"(diffusion_pytorch_model|pytorch_model|model)(\.(fp16|bf16|fp32|non_ema))?")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")
_PART_OF_RESTORER = ("transformer",)  # the subfolder of a diffusers pipeline that --model means


class Candidate(NamedTuple):
    """A file that may be a model, or the index of a model that is split into several files."""

    name: str
    """The stem of the file, or its repository and folder where the stem says nothing."""
    path: Path
    folder: ModelFolder
    """The searched folder in which it was found."""
    bytes: int

    def is_called(self, wanted: str) -> bool:
        """Whether a user may mean it by `wanted`: its name, file name, folder or repository, in any case."""
        *above, last = self.name.casefold().split("/")
        parts = above if above and last in _PART_OF_RESTORER else [*above, last]
        names = {"/".join(parts[start:]) for start in range(len(parts))}
        return wanted.casefold() in names | {self.name.casefold(), self.path.name.casefold()}


class Scan(NamedTuple):
    """What `scan` found."""

    found: list[Candidate]
    """Each file once, in the order of the folders."""
    notes: list[str]
    """A line for each folder that was not searched, or not to its end."""


def scan(searched: Sequence[ModelFolder]) -> Scan:
    """Look through the folders `searched`; hidden ones below them are passed over, and links are followed once."""
    found: dict[Path, Candidate] = {}
    notes: list[str] = []
    for searched_folder in searched:
        for root, repository in _roots(searched_folder):
            for folder, files in _walk(root, notes):
                for path, size in _models_of(folder, files):
                    candidate = Candidate(_name(path, root, repository), path, searched_folder, size)
                    found.setdefault(path.resolve(), candidate)
    return Scan(list(found.values()), notes)


def _roots(folder: ModelFolder) -> Iterator[tuple[Path, str]]:
    """Yield (folder, repository) for the snapshots of a Hugging Face cache, or the folder itself without one."""
    if folder.label != HUB:
        yield folder.path, ""
        return
    for snapshot in sorted(folder.path.glob("models--*/snapshots/*")):
        yield snapshot, snapshot.parents[1].name.removeprefix("models--").replace("--", "/")


def _walk(root: Path, notes: list[str]) -> Iterator[tuple[Path, dict[str, int]]]:
    """Yield (folder, {file name: bytes}) for `root` and all folders below it, in the order of their names."""
    waiting, seen, left = [(root, 0)], set[str](), MAX_ENTRIES
    while waiting:
        folder, depth = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder that was walked
            continue
        seen.add(real)
        try:
            entries = _entries(folder, left + 1)
            files = {entry.name: entry.stat().st_size for entry in entries if _is_of_a_model(entry)}
            below = [folder / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except OSError as error:
            notes.append(f"{folder} was passed over: {error.strerror}")
            continue
        yield folder, files
        left -= len(entries)
        if left < 0:
            notes.append(f"{root}: only its first {MAX_ENTRIES} entries were searched; name a smaller folder")
            return
        if below and depth == MAX_DEPTH:
            notes.append(f"{folder}: what lies deeper was not searched; name a folder further down with --models")
            continue
        waiting += [(inner, depth + 1) for inner in reversed(below)]


def _entries(folder: Path, at_most: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(islice(entries, at_most), key=lambda entry: entry.name)


def _is_of_a_model(entry: os.DirEntry[str]) -> bool:
    is_hidden = entry.name.startswith(".")
    return not is_hidden and entry.name.lower().endswith((*SCANNED_SUFFIXES, ".json")) and entry.is_file()


def _models_of(folder: Path, files: dict[str, int]) -> Iterator[tuple[Path, int]]:
    """Yield (path, bytes) for the models in a folder; a model that is split is its index with the shards' bytes."""
    indexes = [name for name in files if name.endswith(SAFETENSORS_INDEX)]
    shards = {name for name in files if indexes and _SHARD.search(name)}
    for index in indexes:
        parts = [name for name in shards if name.startswith(f"{index.removesuffix(SAFETENSORS_INDEX)}-")]
        yield folder / index, sum(files[name] for name in parts)
    single = [name for name in files if name not in shards and name.lower().endswith(SCANNED_SUFFIXES)]
    for name in sorted(single, key=_by_stem_and_suffix):
        yield folder / name, files[name]


def _by_stem_and_suffix(name: str) -> tuple[str, int]:
    path = Path(name)
    return path.stem, SCANNED_SUFFIXES.index(path.suffix.lower())


def _name(path: Path, root: Path, repository: str) -> str:
    """Return the stem of a file; where it says nothing, its repository and folder, or just its folder."""
    stem = path.name.removesuffix(SAFETENSORS_INDEX) if path.name.endswith(SAFETENSORS_INDEX) else path.stem
    if not _GENERIC.fullmatch(stem):
        return stem
    below = path.parent.relative_to(root).as_posix()
    return "/".join(part for part in (repository, below) if part not in ("", ".")) or path.parent.name
