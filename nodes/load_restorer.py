"""The node Load Face Restorer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import comfy.model_management
import torch
from comfy_api.latest import io

from ..vfe.device import choose_dtype
from ..vfe.library.find import find_component, find_model
from ..vfe.loading.load import LITE_FACES
from ..vfe.loading.request import LoadRequest
from ..vfe.options import (
    ATTENTIONS,
    DEFAULT_DTYPE,
    DTYPES,
    LORA_STRENGTHS,
    AttentionName,
    LoraFile,
    ModelOptions,
)
from ..vfe.types import VFEError
from ..vfe.weights.lite import is_lite_model
from ..vfe.weights.recognise import recognise
from ..vfe.weights.wan_dit import open_dit
from .backend.lite import ComfyLite
from .backend.load_wan import load_comfy_wan
from .backend.restorer import ComfyRestorer
from .host import model_paths
from .host.linked_text import linked_text
from .host.model_paths import AUTO, LITE, NONE, path_of
from .host.remembered_prompt import find_remembered, remember
from .remedies import in_node_terms
from .sockets.conditioning import prompt_rows
from .sockets.types import ADVANCED, CATEGORY, RestorerType, found_by

LORAS = 2
"""How many LoRAs the node takes."""
CONDITIONING = "conditioning"
"""The id of the input that takes a prompt from ComfyUI's own text encoder."""


class LoadWanRestorer(io.ComfyNode):
    """Load Face Restorer makes a RESTORER of files, whose weights ComfyUI then loads and unloads."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs; the lists are of the files that are there now."""
        loras = model_paths.listed(model_paths.LORA_FOLDERS)
        return io.Schema(
            node_id="VFE_LoadWanRestorer",
            display_name="Load Face Restorer",
            category=CATEGORY,
            **found_by("load wan restorer, restorer, restoration, face restore model, vividface, dvface, wan, lite"),
            description="Loads a one-step restorer: the lite one that comes with the pack and runs without a GPU, or a "
            "Wan2.1 DiT such as VividFace with its VAE and prompt embedding. What a file is, its content says.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=[LITE, *model_paths.listed(model_paths.RESTORER_FOLDERS)],
                    default=LITE,
                    tooltip="The bundled lite restorer, or a file of diffusion_models, vfe or checkpoints: "
                    "a Wan2.1 text-to-video DiT or a lite restorer.",
                ),
                io.Combo.Input(
                    "vae",
                    options=[AUTO, *model_paths.listed(model_paths.VAE_FOLDERS)],
                    default=AUTO,
                    tooltip="Wan2.1's VAE; auto finds it among the files. The lite restorer has no use for it.",
                    **ADVANCED,
                ),
                io.Combo.Input(
                    "context",
                    options=[AUTO, *model_paths.listed(model_paths.PROMPT_EMBEDDING_FOLDERS)],
                    default=AUTO,
                    tooltip="The embedded prompt, a file of a few KB. auto takes the conditioning, or finds a file in "
                    "vfe and text_encoders. The lite restorer has no use for it.",
                    **ADVANCED,
                ),
                io.Combo.Input(
                    "adapter",
                    options=[NONE, *model_paths.listed(model_paths.ADAPTER_FOLDERS)],
                    default=NONE,
                    tooltip="Codebooks and fusion of DVFace that were trained with this DiT.",
                    **ADVANCED,
                ),
                *(widget for number in range(1, LORAS + 1) for widget in _lora_inputs(number, loras)),
                io.Combo.Input(
                    "dtype",
                    options=list(DTYPES),
                    default=DEFAULT_DTYPE,
                    tooltip="Number format that the model computes in; auto is the fastest of the device.",
                ),
                io.Combo.Input(
                    "attention",
                    options=list(ATTENTIONS),
                    default=ModelOptions.attention,
                    tooltip="Kernel of a Wan DiT's attention: PyTorch's own, or an installed one, which is "
                    "tried out before it is used.",
                    **ADVANCED,
                ),
                io.Conditioning.Input(
                    CONDITIONING,
                    optional=True,
                    lazy=True,
                    tooltip="The prompt of a Wan DiT, from CLIP Text Encode with Load CLIP of type wan; VividFace's is "
                    "empty. It is embedded once and kept in models/vfe: the text encoder is not loaded again.",
                ),
            ],
            outputs=[RestorerType.Output(display_name="restorer", tooltip="For the other nodes of this pack.")],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str, vae: str, context: str, adapter: str, **others: object) -> object:
        """Return paths, times and sizes of the files that are meant: ComfyUI runs the node again when they change."""
        loras = [others[f"lora_{number}"] for number in range(1, LORAS + 1)]
        by_file = model != LITE and (context != AUTO or CONDITIONING not in others)  # else the graph says what is meant
        stamps = [
            model_paths.fingerprint(model, model_paths.RESTORER_FOLDERS),
            model_paths.fingerprint(vae, model_paths.VAE_FOLDERS) if model != LITE else [],
            model_paths.fingerprint(context, model_paths.PROMPT_EMBEDDING_FOLDERS) if by_file else [],
            model_paths.fingerprint(adapter, model_paths.ADAPTER_FOLDERS),
            *(model_paths.fingerprint(str(lora), model_paths.LORA_FOLDERS) for lora in loras),
        ]
        return repr(stamps)

    @classmethod
    @in_node_terms()
    def check_lazy_status(cls, model: str, context: str, **others: object) -> list[str]:
        """Return whether a prompt that is connected has to be embedded: only where no file has it already."""
        is_waiting = CONDITIONING in others and others[CONDITIONING] is None
        if context != AUTO or not is_waiting:
            return []
        path = find_model("lite") if model == LITE else path_of(model, model_paths.RESTORER_FOLDERS)
        return [] if is_lite_model(path) or cls._remembered(_text_dim(path)) is not None else [CONDITIONING]

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        model: str,
        vae: str,
        context: str,
        adapter: str,
        dtype: str,
        attention: AttentionName,
        conditioning: Any = None,  # noqa: ANN401 - whatever another node gives
        **loras: str | float,
    ) -> io.NodeOutput:
        """Return the RESTORER. `context` is the prompt embedding, whose input kept the name of Wan's code.

        Raises VFEError for files that are missing, of another kind, or do not fit each other.
        """
        path = find_model("lite") if model == LITE else path_of(model, model_paths.RESTORER_FOLDERS)
        chosen = [
            LoraFile(path_of(str(name), model_paths.LORA_FOLDERS), float(loras[f"strength_{number}"]))
            for number in range(1, LORAS + 1)
            if (name := loras[f"lora_{number}"]) != NONE and loras[f"strength_{number}"] != 0
        ]
        if is_lite_model(path):
            return io.NodeOutput(_load_lite(model, path, dtype, bool(chosen) or adapter != NONE))
        _check_dit(path)
        options = ModelOptions(
            vae=_component("wan_vae", vae, model_paths.VAE_FOLDERS),
            prompt_embedding=cls._prompt_embedding(context, conditioning, _text_dim(path)),
            loras=tuple(chosen),
            adapter=None if adapter == NONE else path_of(adapter, model_paths.ADAPTER_FOLDERS),
            attention=attention,
        )
        device = comfy.model_management.get_torch_device()
        request = LoadRequest(path=path, device=device, dtypes=(choose_dtype(dtype, device),), options=options)
        return io.NodeOutput(load_comfy_wan(model, request, logging.getLogger("vfe").info))

    @classmethod
    def _prompt_embedding(cls, context: str, conditioning: object, text_dim: int) -> Path:
        """Return the file of the prompt embedding: the one that is named, what is connected, or the only one."""
        if context == AUTO and conditioning is not None:
            return remember(prompt_rows(conditioning, text_dim), cls._linked_text())
        remembered = cls._remembered(text_dim) if context == AUTO else None
        return remembered or _component("prompt_embedding", context, model_paths.PROMPT_EMBEDDING_FOLDERS)

    @classmethod
    def _remembered(cls, text_dim: int) -> Path | None:
        """Return the file with the embedding of the text that is connected, if there is one."""
        text = cls._linked_text()
        return None if text is None else find_remembered(text, text_dim)

    @classmethod
    def _linked_text(cls) -> str | None:
        """Return the text that is connected, where the graph says it."""
        return None if cls.hidden is None else linked_text(cls.hidden.prompt, cls.hidden.unique_id, CONDITIONING)


def _lora_inputs(number: int, names: list[str]) -> list[io.Input]:
    """Return the two inputs of one LoRA: its file, of `names`, and its strength."""
    return [
        io.Combo.Input(
            f"lora_{number}",
            options=[NONE, *names],
            default=NONE,
            tooltip="A LoRA of the Wan DiT, added as ComfyUI adds them. Not for the lite restorer.",
            **ADVANCED,
        ),
        io.Float.Input(
            f"strength_{number}",
            default=LoraFile.strength,
            min=LORA_STRENGTHS.least,
            max=LORA_STRENGTHS.most,
            step=0.05,
            tooltip=f"How much of LoRA {number} is added.",
            **ADVANCED,
        ),
    ]


def _load_lite(name: str, path: Path, dtype: str, has_additions: bool) -> ComfyRestorer:
    """Load a lite restorer, the bundled one with its part for faces; VFEError where LoRAs or an adapter are chosen."""
    if has_additions:
        raise VFEError(f"{name} is a lite restorer, which takes no LoRA and no adapter; set them to {NONE!r}")
    restorer = ComfyLite.load(name, path, _dtype(dtype))
    if name == LITE:
        restorer.faces = ComfyLite.load(LITE_FACES, find_model(LITE_FACES), _dtype(dtype))
    return restorer


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
    if found.kind != "wan_dit":
        raise VFEError(f"{path.name}: {found.description}; needed a Wan2.1 text-to-video DiT or a lite restorer")


def _component(kind: model_paths.Component, name: str, folders: tuple[str, ...]) -> Path:
    """Return the file of that name, or with "auto" the only one of its kind; VFEError if there is none, or more."""
    if name != AUTO:
        return path_of(name, folders)
    return find_component(kind, model_paths.model_folders(folders))
