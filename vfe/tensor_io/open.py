"""Opening weights of any layout: a file, the shards of an index, a folder as diffusers or Wan's authors lay it out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..types import VFEError
from .gguf_file import is_gguf, open_gguf
from .pickle_file import is_pickle, open_pickle
from .safetensors_file import is_safetensors, open_safetensors
from .source import Entry, TensorSource, preview_names, printable

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".gguf")
INDEX_ENDING = ".index.json"
PIPELINE_FOLDERS = ("transformer", "vae", "text_encoder")
"""Subfolders of a diffusers pipeline that hold weights which are read here."""
MAX_INDEX = 16 << 20  # bytes: as long as the longest safetensors header

Wanted = Callable[[TensorSource], bool]
"""Says of an open file whether it holds what is looked for."""

# The first bytes of files that are no weights, so that the error says what they are.
_FOREIGN_FORMATS = (
    (b"version https://git-lfs", "a Git LFS pointer: the weights were not downloaded, run `git lfs pull`"),
    (b"<!DOCTYPE", "a web page: the download went wrong"),
    (b"<html", "a web page: the download went wrong"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"{", "a JSON file"),
)


def open_tensors(path: Path, wanted: Wanted | None = None) -> TensorSource:
    """Open a .safetensors or GGUF file, a torch pickle, an index of shards, or a folder that holds one of them.

    What a file is, its content says. Where a folder holds several models, `wanted` picks one by its content. Raises
    VFEError for what is no weight file, is damaged, or leaves open which one is meant.
    """
    if path.is_dir():
        return _open_folder(path, wanted)
    if not path.exists():
        raise VFEError(f"{path}: no such file; give a file of weights or a folder that holds one")
    return open_index(path) if path.name.endswith(INDEX_ENDING) else _open_file(path)


def _open_file(path: Path) -> TensorSource:
    with path.open("rb") as file:
        head = file.read(32)
    if is_gguf(head):  # before safetensors, which is known by its ninth byte: here the number of tensors
        return open_gguf(path)
    if is_safetensors(head):
        return open_safetensors(path)
    if is_pickle(head):
        return open_pickle(path)
    foreign = next((what for start, what in _FOREIGN_FORMATS if head.startswith(start)), None)
    what = foreign if head else "an empty file"
    raise VFEError(
        f"{path}: {what or 'not a file of weights'}; needed .safetensors, .gguf or a torch .pth, .pt or .ckpt"
    )


def open_index(path: Path) -> TensorSource:
    """The model whose shards `path`, a `*.index.json` as diffusers and transformers write it, lists."""
    shard_of = _read_index(path)
    files = {name: path.parent / name for name in sorted(set(shard_of.values()))}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing:
        raise VFEError(f"{path}: {len(missing)} of {len(files)} shards are missing: {preview_names(missing)}; get them")
    shards = {name: _open_file(file) for name, file in files.items()}
    entries: dict[str, Entry] = {}
    for tensor, shard in shard_of.items():
        if tensor not in shards[shard]:
            raise VFEError(
                f"{path}: {printable(tensor)} is not in {shard}, where the index says it is; get the files again"
            )
        entries[tensor] = shards[shard].entry(tensor)
    layout = f"{len(files)} shards of {next(iter(shards.values())).layout}"
    return TensorSource(path, entries, layout=layout, files=(path, *files.values()))


def _read_index(path: Path) -> dict[str, str]:
    """{tensor: file name}, every file in the folder of the index itself."""
    if path.stat().st_size > MAX_INDEX:
        raise VFEError(f"{path}: an index of {path.stat().st_size} bytes, at most {MAX_INDEX} are read")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise VFEError(f"{path}: not a readable JSON file ({error}); get it again") from error
    shard_of = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shard_of, dict) or not shard_of or not all(isinstance(file, str) for file in shard_of.values()):
        raise VFEError(f"{path}: no index of shards; needed a weight_map of tensors to files")
    for file in shard_of.values():
        if file in ("", ".", "..") or Path(file).name != file or "\\" in file or ":" in file:
            raise VFEError(f"{path}: it names {printable(file)!r}, outside of its own folder; not read")
    return shard_of


def _open_folder(folder: Path, wanted: Wanted | None) -> TensorSource:
    paths = _models_in(folder) or [path for part in PIPELINE_FOLDERS for path in _models_in(folder / part)]
    if not paths:
        raise VFEError(
            f"{folder}: a folder without weights; needed a {', '.join(WEIGHT_SUFFIXES)} file or an index in it"
        )
    if len(paths) == 1:
        return open_tensors(paths[0])
    found: list[TensorSource] = []
    failures: list[VFEError] = []
    for path in paths if wanted is not None else ():
        try:
            source = open_tensors(path)
        except VFEError as error:  # one bad file must not hide the good one
            failures.append(error)
            continue
        if wanted is None or wanted(source):
            found.append(source)
    if len(found) == 1:
        return found[0]
    if failures and not found:
        raise failures[0]
    listed = preview_names(str(path.relative_to(folder)) for path in paths)
    how_many = "several that fit" if found or wanted is None else "none that fits"
    raise VFEError(f"{folder}: a folder of {len(paths)} models ({listed}), {how_many}; give the file itself")


def _models_in(folder: Path) -> list[Path]:
    """The indexes and weight files directly in a folder, without hidden files and those that an index lists."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    indexes = [path for path in files if path.name.endswith(INDEX_ENDING)]
    listed = {name for index in indexes for name in _read_index(index).values()}
    return indexes + [path for path in files if path.suffix in WEIGHT_SUFFIXES and path.name not in listed]
