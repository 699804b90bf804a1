"""Which file a job works with: enough to notice that another one lies under its name. Our own choice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files.fingerprint import fingerprint
from ..library.find import find_component, find_model
from ..library.folders import search_folders
from ..loading.load import LITE, LITE_FACES, NO_FACE_MODEL
from ..video.errors import reading
from ..video.info import VideoInfo
from ..weights.lite import is_lite_model
from .request import ModelRequest


@dataclass(frozen=True)
class SourceIdentity:
    """What tells a source from another, or from itself before it was changed."""

    path: str
    size: int
    """In bytes, of all images together."""
    mtime_ns: int
    """When it was changed last, in nanoseconds; of images the newest."""
    sha256: str
    """Of its ends and of pieces between them; of images, of their names, sizes and times."""


def source_identity(info: VideoInfo) -> SourceIdentity:
    """Return the identity of a source. Raises VFEError where it cannot be read."""
    path = info.path.absolute()
    with reading(info.path):
        if not info.images:
            stat = path.stat()
            return SourceIdentity(str(path), stat.st_size, stat.st_mtime_ns, fingerprint(path))
        stats = [(image.name, image.stat()) for image in info.images]
    listed = "\n".join(f"{name}/{stat.st_size}/{stat.st_mtime_ns}" for name, stat in stats)
    newest = max(stat.st_mtime_ns for _, stat in stats)
    size = sum(stat.st_size for _, stat in stats)
    return SourceIdentity(str(path), size, newest, hashlib.sha256(listed.encode()).hexdigest())


def model_fingerprints(request: ModelRequest) -> Mapping[str, str]:
    """Return the fingerprint of each file of weights by what it is for: the model, what goes with it, its LoRAs.

    Raises VFEError for files that are not found.
    """
    options = request.options
    folders = search_folders(options.folders, options.comfyui)
    model = find_model(request.name, folders)
    files: dict[str, Path] = {"model": model}
    if options.face_model is not None and str(options.face_model) != NO_FACE_MODEL:
        files["face model"] = find_model(options.face_model, folders)
    elif options.face_model is None and model == find_model(LITE):
        files["face model"] = find_model(LITE_FACES)
    if not (model.is_file() and is_lite_model(model)):
        files["VAE"] = options.vae or find_component("wan_vae", folders)
        files["prompt embedding"] = options.prompt_embedding or find_component("prompt_embedding", folders)
    files |= {f"LoRA {lora.path.name}": lora.path for lora in options.loras}
    if options.adapter is not None:
        files["adapter"] = options.adapter
    return {what: _fingerprint_of_weights(path) for what, path in files.items()}


def _fingerprint_of_weights(path: Path) -> str:
    """Return the fingerprint of a file, or of all files of a folder of weights."""
    with reading(path):
        if path.is_file():
            return fingerprint(path)
        parts = (f"{part.name}/{fingerprint(part)}" for part in sorted(path.rglob("*")) if part.is_file())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
