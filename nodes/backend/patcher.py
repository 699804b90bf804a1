"""Networks under ComfyUI's ModelPatcher: loaded, partly loaded, patched and unloaded by ComfyUI alone.

A patcher moves and patches layers of comfy.ops. What is no such layer (modulations, codebooks, buffers) cannot be
fetched when it is used; it is small, and is put on the device as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import comfy.patcher_extension
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

NAME = "vfe"
PREFIX = "network."
"""Of a network's parameters, as its patcher calls them."""


class Held(nn.Module):
    """What a patcher holds: it writes `device` and more to it, which the network has properties of."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


def patcher_of(network: nn.Module, load_device: torch.device, offload_device: torch.device) -> ModelPatcher:
    """A patcher of a network that is on the offload device."""
    patcher = ModelPatcher(Held(network), load_device, offload_device)
    patcher.set_injections(f"{NAME} rest", [comfy.patcher_extension.PatcherInjection(_place_rest, _nothing)])
    patcher.add_callback_with_key(comfy.patcher_extension.CallbacksMP.ON_LOAD, NAME, _patch_rest)
    return patcher


def is_whole(patcher: ModelPatcher) -> bool:
    """Whether all weights are on the device and patched: not in ComfyUI's low VRAM mode."""
    return not patcher.model.model_lowvram and patcher.loaded_size() > 0


def _rest(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules, with their names, that are no layers of comfy.ops."""
    return ((name, part) for name, part in module.named_modules() if not hasattr(part, "comfy_cast_weights"))


def _place_rest(patcher: ModelPatcher) -> None:
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
    """What was placed goes back with the rest of the model when ComfyUI unloads it."""


def _patch_rest(patcher: ModelPatcher, device: torch.device, *_how: object) -> None:
    """ComfyUI patches no parameter of a module that holds others, as a block's modulation is one."""
    for name, part in _rest(patcher.model):
        for parameter, _ in part.named_parameters(recurse=False):
            key = f"{name}.{parameter}"
            if key in patcher.patches and key not in patcher.backup:
                patcher.patch_weight_to_device(key, device_to=device)
