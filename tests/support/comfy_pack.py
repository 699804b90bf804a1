"""The pack as ComfyUI loads it, beside the `vfe` of the checkout: for tests that run inside ComfyUI."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import comfy.ldm.wan.vae
import comfy.model_management
import comfy.sd
import pytest
import torch
from torch import Tensor

from tests.support.paths import ROOT

NAME = "vfe_pack"

Loose = Any
"""What the pack under that name gives: its classes are not those that a type checker knows."""
CORE: Loose = sys.modules["nodes"]
"""ComfyUI's own nodes: here the name is theirs."""


def load_pack() -> ModuleType:
    """The package of the pack, loaded once under a name that is not `vfe`'s."""
    if NAME not in sys.modules:
        found = importlib.util.spec_from_file_location(
            NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[NAME] = module
        found.loader.exec_module(module)
    return sys.modules[NAME]


async def _nodes() -> dict[str, Any]:
    extension = await load_pack().comfy_entrypoint()
    return {node.GET_SCHEMA().node_id: node for node in await extension.get_node_list()}


NODES = asyncio.run(_nodes())


def part(name: str) -> Loose:
    """A module of the loaded pack: "nodes.run.step"."""
    return importlib.import_module(f"{NAME}.{name}")


def run(node: str, **inputs: Loose) -> tuple[Loose, ...]:
    """The results of a node, its other inputs at their defaults, as ComfyUI's executor runs it."""
    kind = NODES[f"VFE_{node}"]
    values = {
        given.id: given.default
        for given in kind.define_schema().inputs
        if not given.optional and getattr(given, "default", None) is not None
    }
    with torch.inference_mode():
        return tuple(kind.execute(**{**values, **inputs}).args)


def core_vae(monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor], width: int) -> Loose:
    """ComfyUI's own VAE of these weights, in float32."""
    plain = comfy.ldm.wan.vae.WanVAE  # ComfyUI 0.3 takes every width for 96
    monkeypatch.setattr(comfy.ldm.wan.vae, "WanVAE", lambda **sizes: plain(**{**sizes, "dim": width}))
    return comfy.sd.VAE(sd=state, dtype=torch.float32)


def unload() -> None:
    """What ComfyUI's "Unload Models" does."""
    comfy.model_management.unload_all_models()


def interrupted_everywhere(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], samples: int) -> int:
    """Cancel `work` at so many of its checks, and see it end at that very one; how many checks it has in all."""
    reporter = part("nodes.host.reporter").Reporter
    plain, calls, stop = reporter.check, 0, 0

    def check(self: Loose) -> None:
        nonlocal calls
        calls += 1
        if calls == stop:
            comfy.model_management.interrupt_current_processing()
        plain(self)

    with monkeypatch.context() as patched:
        patched.setattr(reporter, "check", check)
        work()
        every = calls
        for stop in range(1, every, every // samples):
            calls = 0
            with pytest.raises(comfy.model_management.InterruptProcessingException):
                work()
            assert calls == stop
    return every


def images_of(clip: Tensor) -> Tensor:
    """(T, 3, H, W) in [-1, 1] -> an IMAGE."""
    return (clip / 2 + 0.5).permute(0, 2, 3, 1).contiguous()


def frames_of(images: Tensor) -> Tensor:
    """An IMAGE -> (T, 3, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2) * 2 - 1


def smooth_clip(frames: int, height: int, width: int) -> Tensor:
    """(T, 3, H, W) in [-1, 1]: slow waves that move, so that neighbouring frames differ."""
    t, y, x = torch.meshgrid(torch.arange(frames), torch.arange(height), torch.arange(width), indexing="ij")
    channels = [torch.sin((x + 2 * t) / 7 + c) * torch.cos((y - t) / 9 + c) for c in range(3)]
    return torch.stack(channels, dim=1) * 0.9
