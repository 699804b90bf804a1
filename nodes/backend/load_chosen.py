"""A restorer of the files that a user chose in ComfyUI's lists."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import torch

from ...vfe.device import choose_dtype
from ...vfe.files.fingerprint import fingerprint
from ...vfe.library.find import find_component, find_model
from ...vfe.loading.load import LITE_FACES
from ...vfe.loading.request import LoadRequest
from ...vfe.options import AttentionName, LoraFile, ModelOptions
from ...vfe.types import VFEError
from ...vfe.weights.lite import is_lite_model
from ...vfe.weights.recognise import recognise
from ...vfe.weights.wan_dit import open_dit
from ..host import model_paths
from ..host.model_paths import AUTO, LITE, NONE, path_of
from ..host.remembered_prompt import find_remembered, remember
from ..sockets.conditioning import prompt_rows
from .lite import ComfyLite
from .load_wan import load_comfy_wan
from .restorer import ComfyRestorer


@dataclass(frozen=True, kw_only=True)
class Computing:
    """How a user wants it computed; all but `dtype` for a Wan DiT alone."""

    dtype: str
    attention: AttentionName
    fp8: bool
    compiled: bool


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a user chose in Load Face Restorer: entries of its lists, and what is connected."""

    model: str
    vae: str
    context: str
    conditioning: object
    """Whatever is connected as the prompt; None where nothing is, or nothing that has to run."""
    text: str | None
    """The text that is connected, where the graph says it."""
    adapter: str
    loras: tuple[LoraFile, ...]

    @property
    def of_the_result(self) -> dict[str, object]:
        """All of it that a result depends on, as text and numbers."""
        texts = {name: getattr(self, name) for name in ("model", "vae", "context", "text", "adapter")}
        return {**texts, "loras": [(lora.path.name, lora.strength) for lora in self.loras]}


def load_chosen(chosen: Chosen, how: Computing) -> ComfyRestorer:
    """Load a restorer; VFEError for files that are missing, of another kind, or do not fit each other."""
    restorer = _loaded(chosen, how)
    restorer.made_of = {**chosen.of_the_result, **({"fp8": True} if how.fp8 else {})}
    return restorer


def _loaded(chosen: Chosen, how: Computing) -> ComfyRestorer:
    model, path = chosen.model, _model_path(chosen.model)
    if is_lite_model(path):
        return _load_lite(model, path, how.dtype, bool(chosen.loras) or chosen.adapter != NONE)
    _check_dit(path)
    options = ModelOptions(
        vae=_component("wan_vae", chosen.vae, model_paths.VAE_FOLDERS),
        prompt_embedding=_prompt_embedding(chosen, _text_dim(path)),
        loras=chosen.loras,
        adapter=None if chosen.adapter == NONE else path_of(chosen.adapter, model_paths.ADAPTER_FOLDERS),
        attention=how.attention,
        fp8=how.fp8,
        compile=how.compiled,
    )
    device = comfy.model_management.get_torch_device()
    request = LoadRequest(path=path, device=device, dtypes=(choose_dtype(how.dtype, device),), options=options)
    restorer = load_comfy_wan(model, request, logging.getLogger("vfe").info)
    restorer.identity = _identity_of(request)
    return restorer


def needs_embedding(model: str, text: str | None) -> bool:
    """Return whether a text that is connected has to be embedded for a model: where no file has it already."""
    path = _model_path(model)
    return not is_lite_model(path) and _remembered(text, _text_dim(path)) is None


def _model_path(model: str) -> Path:
    return find_model("lite") if model == LITE else path_of(model, model_paths.RESTORER_FOLDERS)


def _prompt_embedding(chosen: Chosen, text_dim: int) -> Path:
    """Return the file of the prompt embedding: the one that is named, what is connected, or the only one."""
    if chosen.context == AUTO and chosen.conditioning is not None:
        return remember(prompt_rows(chosen.conditioning, text_dim), chosen.text)
    remembered = _remembered(chosen.text, text_dim) if chosen.context == AUTO else None
    return remembered or _component("prompt_embedding", chosen.context, model_paths.PROMPT_EMBEDDING_FOLDERS)


def _remembered(text: str | None, text_dim: int) -> Path | None:
    """Return the file with the embedding of the text that is connected, if there is one."""
    return None if text is None else find_remembered(text, text_dim)


def _load_lite(name: str, path: Path, dtype: str, has_additions: bool) -> ComfyRestorer:
    """Load a lite restorer, the bundled one with its part for faces; VFEError where LoRAs or an adapter are chosen."""
    if has_additions:
        raise VFEError(f"{name} is a lite restorer, which takes no LoRA and no adapter; set them to {NONE!r}")
    restorer = _lite_of(name, path, _dtype(dtype))
    if name == LITE:
        restorer.faces = _lite_of(LITE_FACES, find_model(LITE_FACES), _dtype(dtype))
    return restorer


def _lite_of(name: str, path: Path, dtype: torch.dtype) -> ComfyRestorer:
    """Load one file of a lite restorer."""
    restorer = ComfyLite.load(name, path, dtype)
    restorer.identity = f"{fingerprint(path)} {dtype}"
    return restorer


def _identity_of(request: LoadRequest) -> str:
    """Return what tells a Wan restorer from all others: the contents of its files, and how it computes."""
    options = request.options
    files = [request.path, options.vae, options.prompt_embedding, options.adapter]
    files += [lora.path for lora in options.loras]
    contents = [None if path is None else fingerprint(path) for path in files]
    return repr((contents, request.dtypes, options))


def _dtype(name: str) -> torch.dtype:
    """Return the dtype of this name on ComfyUI's device; "auto" is the fastest there."""
    return choose_dtype(name, comfy.model_management.get_torch_device())


def _text_dim(path: Path) -> int:
    """Return how wide the rows of a prompt are for a DiT; VFEError where the file is none."""
    _check_dit(path)
    return open_dit(path)[0].text_dim


def _check_dit(path: Path) -> None:
    """Raise VFEError, which says what the file is, where it is no DiT of Wan2.1."""
    found = recognise(path)
    if found.kind == "lora":
        raise VFEError(
            f"{path.name}: {found.description}; put it into ComfyUI's folder models/loras and choose it as lora_1, and "
            "as model the Wan2.1 DiT that it was trained on"
        )
    if found.kind != "wan_dit":
        raise VFEError(f"{path.name}: {found.description}; needed a Wan2.1 text-to-video DiT or a lite restorer")


def _component(kind: model_paths.Component, name: str, folders: tuple[str, ...]) -> Path:
    """Return the file of that name, or with "auto" the only one of its kind; VFEError if there is none, or more."""
    if name != AUTO:
        return path_of(name, folders)
    return find_component(kind, model_paths.model_folders(folders))
