"""Find model files by name or kind, and list them. Torch is imported only where a file has to be opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..types import Remedy, VFEError
from .download import file_hash
from .folders import FOLDERS_VARIABLE as FOLDERS_VARIABLE
from .folders import ModelFolder, bundled_folders, cache_folder, search_folders
from .scan import SCANNED_SUFFIXES, Candidate, scan

if TYPE_CHECKING:
    from ..weights.recognise import Kind

MODEL_SUFFIX = ".safetensors"

KIND_TITLES: dict[Kind, str] = {
    "restorer": "lite restorer",
    "flow_model": "flow model",
    "wan_dit": "Wan DiT",
    "wan_vae": "Wan VAE",
    "lora": "LoRA",
    "experts": "experts of a DiT",
    "adapter": "DVFace adapter",
    "prompt_embedding": "prompt embedding",
    "text_encoder": "text encoder",
    "face_net": "face net",
}
"""The kinds of files that `vfe.weights.recognise` tells apart, in words and in the order of a listing."""


class Component(NamedTuple):
    """A file that a DiT needs beside it."""

    what: str
    """What it is, for people."""
    option: str
    """The option of the command by which the user names one."""
    most_bytes: int
    """The size above which a file is not even opened."""
    advice: str
    """How the command gets one."""
    get: Remedy
    """What helps where none is found."""
    choose: Remedy
    """What helps where several are found."""


COMPONENTS: dict[Kind, Component] = {
    "wan_vae": Component(
        "Wan2.1 VAE",
        "--vae",
        2 << 30,
        "get wan_2.1_vae.safetensors (`vfe models pull wan2.1-vae`, 0.25 GB)",
        Remedy.GET_VAE,
        Remedy.CHOOSE_VAE,
    ),
    "prompt_embedding": Component(
        "prompt embedding",
        "--context",
        64 << 20,
        "make one with `vfe embed-prompt TEXT_ENCODER -o context.safetensors`",
        Remedy.GET_PROMPT_EMBEDDING,
        Remedy.CHOOSE_PROMPT_EMBEDDING,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A file of the listing; `kind` is None where it cannot be read, and `description` says why."""

    candidate: Candidate
    kind: Kind | None
    description: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What `list_models` found."""

    models: tuple[Listed, ...]
    """The files, kind by kind."""
    unknown: int
    """How many files hold weights of other models."""
    notes: tuple[str, ...]
    """A line for each folder that was not searched, or not to its end."""


def find_models() -> dict[str, Path]:
    """Return {name: file} of the bundled models and those in VFE_MODELS; a bundled name wins over a later one."""
    found: dict[str, Path] = {}
    for folder in bundled_folders():
        for path in sorted(folder.glob(f"*{MODEL_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def find_model(name_or_path: str | Path, folders: Sequence[ModelFolder] | None = None) -> Path:
    """Return the path of a model that is given by name ("lite", "vividface") or by path: a file, an index or a folder.

    A name is the stem of a file, or the folder or Hugging Face repository of one, in any case; it is looked for in
    `folders` (default: `search_folders()`), in their order. VFEError that names what there is where nothing is found.
    """
    path, name = Path(name_or_path), str(name_or_path)
    models = find_models()
    if name in models:
        return models[name]
    is_bare = len(path.parts) == 1  # such a name means a model rather than a folder that happens to be called so
    if path.is_file() or (path.is_dir() and not is_bare):
        return path
    folders = search_folders() if folders is None else folders
    named = [candidate for candidate in scan(folders).found if candidate.is_called(name)]
    if named:
        return _restorer_of(named).path
    if path.is_dir():
        return path
    if path.suffix.lower() in SCANNED_SUFFIXES or not is_bare:
        raise VFEError(f"model file not found: {path}")
    names = ", ".join(sorted(models)) or "none is installed"
    raise VFEError(
        f"unknown model {name!r}; available: {names}, and what `vfe models` lists; or give the path of a {MODEL_SUFFIX}"
        " file"
    )


def find_component(kind: Kind, folders: Sequence[ModelFolder] | None = None) -> Path:
    """Return the one file of a kind of COMPONENTS in `folders` (default: `search_folders()`).

    Equal copies count as one. Raises VFEError that says what to get where there is none, or which option chooses where
    there are several.
    """
    component = COMPONENTS[kind]
    folders = search_folders() if folders is None else folders
    small = [candidate for candidate in scan(folders).found if candidate.bytes <= component.most_bytes]
    found = [listed.candidate for listed in _recognised(small) if listed and listed.kind == kind]
    if not found:
        raise VFEError(
            f"no {component.what} is found",
            component.get,
            f"{component.advice}, put it into {cache_folder()} or a folder of {FOLDERS_VARIABLE}, or name it with"
            f" {component.option}",
        )
    if len(found) > 1 and not _are_copies(found):
        listed = ", ".join(str(candidate.path) for candidate in found)
        fact = f"{len(found)} files are a {component.what}: {listed}"
        raise VFEError(fact, component.choose, f"choose one with {component.option} PATH")
    return found[0].path


def list_models(folders: Sequence[ModelFolder] | None = None) -> Listing:
    """List the files in `folders` (default: `search_folders()`) that are of use.

    What a file is, its content says, of which only the header is read.
    """
    scanned = scan(search_folders() if folders is None else folders)
    listed = list(_recognised(scanned.found))
    models = [model for model in listed if model]
    order = list(KIND_TITLES)
    models.sort(key=lambda model: order.index(model.kind) if model.kind else len(order))
    return Listing(models=tuple(models), unknown=listed.count(None), notes=tuple(scanned.notes))


def _recognised(candidates: Sequence[Candidate]) -> Iterator[Listed | None]:
    """Yield what each candidate is, or None for weights of something else."""
    from ..tensor_io.open import open_tensors
    from ..weights.recognise import recognise_source

    for candidate in candidates:
        try:
            source = open_tensors(candidate.path)
        except (VFEError, OSError) as error:
            yield Listed(candidate=candidate, kind=None, description=" ".join(str(error).split()))
            continue
        try:
            recognised = recognise_source(source)
        except VFEError:
            yield None
            continue
        yield Listed(candidate=candidate, kind=recognised.kind, description=recognised.description)


def _restorer_of(named: list[Candidate]) -> Candidate:
    """Return the first of several candidates of one name that can restore: a LoRA may be called like its model."""
    if len(named) > 1:
        for listed in _recognised(named):
            if listed and listed.kind in ("restorer", "wan_dit"):
                return listed.candidate
    return named[0]


def _are_copies(found: list[Candidate]) -> bool:
    if len({candidate.bytes for candidate in found}) > 1 or not all(candidate.path.is_file() for candidate in found):
        return False
    return len({file_hash(candidate.path) for candidate in found}) == 1
