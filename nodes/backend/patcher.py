"""Networks under ComfyUI's ModelPatcher: loaded, partly loaded, patched and unloaded by ComfyUI alone.

A patcher moves and patches layers of comfy.ops. What is no such layer (modulations, codebooks, buffers) cannot be
fetched when it is used. It is called the rest here; it is small, and is put on the device as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import comfy.patcher_extension
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

NAME = "vfe"
"""The name under which a patcher has what this pack adds to it."""
PREFIX = "network."
"""What the names of a network's parameters begin with in its patcher."""


class PatchedModule(nn.Module):
    """The module that a patcher gets: it sets `device` and more on it, which our networks have as properties."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


def patcher_of(network: nn.Module, load_device: torch.device, offload_device: torch.device) -> ModelPatcher:
    """Return a patcher of a network that is on the offload device."""
    patcher = ModelPatcher(PatchedModule(network), load_device, offload_device)
    patcher.set_injections(f"{NAME} rest", [comfy.patcher_extension.PatcherInjection(_load_rest, _nothing)])
    patcher.add_callback_with_key(comfy.patcher_extension.CallbacksMP.ON_LOAD, NAME, _patch_rest)
    return patcher


def is_whole(patcher: ModelPatcher) -> bool:
    """Return whether all weights are on the device and patched, which they are not in ComfyUI's low VRAM mode."""
    return not patcher.model.model_lowvram and patcher.loaded_size() > 0


def _rest(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that are no layers of comfy.ops, with their names."""
    return ((name, part) for name, part in module.named_modules() if not hasattr(part, "comfy_cast_weights"))


def _load_rest(patcher: ModelPatcher) -> None:
    """Put parameters and buffers of the rest on the device."""
    unpin = getattr(patcher, "unpin_weight", None)  # newer ComfyUI pins the weights that it has unloaded
    for module, part in _rest(patcher.model):
        for name, parameter in list(part.named_parameters(recurse=False)):
            if parameter.device == patcher.load_device:
                continue
            if unpin is not None:
                unpin(f"{module}.{name}")
            part.register_parameter(name, nn.Parameter(parameter.detach().to(patcher.load_device), requires_grad=False))
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = buffer.to(patcher.load_device)


def _nothing(patcher: ModelPatcher) -> None:
    """Do nothing: what was put on the device goes back with the whole model when ComfyUI unloads it."""


def _patch_rest(patcher: ModelPatcher, device: torch.device, *_how: object) -> None:
    """Patch the parameters of the rest, on `device`.

    ComfyUI patches no parameter of a module that holds other modules, such as the modulation of a block.
    """
    for name, part in _rest(patcher.model):
        for parameter, _ in part.named_parameters(recurse=False):
            key = f"{name}.{parameter}"
            if key in patcher.patches and key not in patcher.backup:
                patcher.patch_weight_to_device(key, device_to=device)
