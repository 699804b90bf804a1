"""The files of a Wan model, opened and checked against each other before any weight is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..library.catalogue import CATALOGUE
from ..library.find import find_component
from ..models.dit.head_steps import HeadRoll
from ..models.dit.model import DiTConfig
from ..models.flow import OneStepFlow
from ..models.prior.fusion import check_prior
from ..models.wan_vae import WanVAEConfig
from ..options import LoraFile
from ..tensor_io.open import open_tensors
from ..tensor_io.source import TensorSource
from ..types import VFEError
from ..weights.adapter import AdapterConfig, adapter_config, open_adapter
from ..weights.experts import EXPERTS_FORMAT, OpenExperts, open_experts
from ..weights.prompt import read_prompt_embedding
from ..weights.recognise import recognise
from ..weights.wan_dit import check_size, open_dit, read_flow
from ..weights.wan_vae import open_vae
from .head_steps import choose_roll
from .request import LoadRequest


@dataclass(frozen=True, kw_only=True)
class WanFiles:
    """The open files of a Wan model, the sizes that they give, and the small things in them."""

    dit_config: DiTConfig
    dit: TensorSource
    """The DiT's tensors under their official names."""
    loras: tuple[LoraFile, ...]
    """Merged into the DiT in this order."""
    experts: OpenExperts | None
    """What changes the DiT by how much a clip suffers."""
    vae_config: WanVAEConfig
    vae: TensorSource
    """The VAE's tensors under their official names."""
    adapter_config: AdapterConfig | None
    adapter: TensorSource | None
    """Prior and fusion of DVFace; None where the DiT runs without them."""
    flow: OneStepFlow
    """The step that the DiT or its LoRAs were trained by."""
    trained: tuple[TensorSource, ...]
    """The DiT and its LoRAs, whose metadata says what they were trained for."""
    roll: HeadRoll | None
    """How the DiT's last blocks run; None for one step."""
    prompt: Tensor
    """The prompt embedding, (1, 512, text_dim)."""


def open_wan_files(request: LoadRequest) -> WanFiles:
    """Open a Wan model's files; VAE and prompt embedding are looked for where the request's options name none.

    Raises VFEError for files that are missing, are not what they should be, or do not fit together.
    """
    options = request.options
    _check_is_dit(request.path)
    dit_config, dit = open_dit(request.path)
    if is_known_dit(request.name):
        _check_asked_for(request.path, dit_config, DiTConfig())
    vae_config, vae = open_vae(options.vae or find_component("wan_vae", request.folders))
    prompt_path = options.prompt_embedding or find_component("prompt_embedding", request.folders)
    prompt = read_prompt_embedding(prompt_path, dit_config.text_dim)
    adapter = None if options.adapter is None else open_adapter(options.adapter)
    loras, experts = _experts_among(options.loras, dit_config)
    trained = (dit, *(open_tensors(lora.path) for lora in loras))
    flow = _flow_of(trained, experts)
    return WanFiles(
        dit_config=dit_config,
        dit=dit,
        loras=loras,
        experts=experts,
        vae_config=vae_config,
        vae=vae,
        adapter_config=None if adapter is None else _fitting_config(adapter, dit_config, vae_config),
        adapter=adapter,
        flow=flow,
        trained=trained,
        roll=choose_roll(request.path, trained, options.steps, dit_config, flow),
        prompt=prompt,
    )


def is_known_dit(name: str | None) -> bool:
    """Whether a name is that of a DiT in the catalogue or of its file; all of these have 1.3 billion parameters."""
    known = [entry for entry in CATALOGUE if entry.folder == "diffusion_models"]
    names = {called for entry in known for called in (entry.name, entry.file_name, Path(entry.file_name).stem)}
    return name is not None and name.casefold() in {called.casefold() for called in names}


def _check_is_dit(path: Path) -> None:
    """Raise VFEError that says what the file is instead. A folder may hold more than a DiT, so it is not looked at."""
    if path.is_file():
        found = recognise(path)
        if found.kind != "wan_dit":
            lora = ", to which --lora adds this one" if found.kind == "lora" else ""
            needed = f"--model needs a vfe restorer or a Wan2.1 DiT{lora}"
            raise VFEError(f"{path}: {found.description}", command=needed)


def _check_asked_for(path: Path, config: DiTConfig, needed: DiTConfig) -> None:
    """Raise VFEError where a DiT that was found by a name is not of the size that the name stands for."""
    try:
        check_size(path, config, needed)
    except VFEError as error:
        raise VFEError(f"{error}, or its path with --model to use it anyway") from None


def _fitting_config(adapter: TensorSource, dit: DiTConfig, vae: WanVAEConfig) -> AdapterConfig:
    """Return the config of an adapter; VFEError where that is for another DiT."""
    config = adapter_config(adapter)
    if config.fusion is not None:  # `load_adapter` refuses a prior alone
        try:
            check_prior(config.prior, config.fusion, dit, vae.time, vae.space)
        except ValueError as error:
            raise VFEError(f"{adapter.path}: {error}; needed the adapter that was trained with this DiT") from None
    return config


def _experts_among(loras: Sequence[LoraFile], dit: DiTConfig) -> tuple[tuple[LoraFile, ...], OpenExperts | None]:
    """Part files of experts, which are given as LoRAs are, from LoRAs; VFEError where there are several."""
    files = [lora for lora in loras if EXPERTS_FORMAT.is_at(lora.path)]
    if len(files) > 1:
        names = " and ".join(str(lora.path) for lora in files)
        raise VFEError(f"{names} hold experts, of which a model has one file; leave out all but one")
    opened = [open_experts(lora.path, dit, lora.strength) for lora in files]
    return tuple(lora for lora in loras if lora not in files), next(iter(opened), None)


def _flow_of(sources: Sequence[TensorSource], experts: OpenExperts | None) -> OneStepFlow:
    """Return the step that a DiT, its LoRAs or experts were trained by; VFEError where they say different ones."""
    noted = {flow: source.path for source in sources if (flow := read_flow(source)) is not None}
    if experts is not None:
        noted.setdefault(experts.said.flow, experts.source.path)
    if len(noted) > 1:
        said = "; ".join(f"{path} was trained by {flow.rule} at t* = {flow.timestep:g}" for flow, path in noted.items())
        raise VFEError(f"{said}: one step can follow one rule only, leave one of them out")
    return next(iter(noted), OneStepFlow())
