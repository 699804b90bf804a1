"""The folded DiT equals the unfolded one, diffusers' and ComfyUI's on the same random weights, and is smaller."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.tiny_dit import (
    TIMESTEP,
    diffusers_name,
    padded_prompt,
    psnr,
    random_dit,
    random_latent,
    reference_dit,
    tiny_config,
)
from vfe.models.dit import folded
from vfe.models.dit.compiled import compile_blocks
from vfe.models.dit.fold_prompt import PromptRows, RowAttention, RowMixture
from vfe.models.dit.folded import FoldedBlock, fold, fold_block
from vfe.models.dit.model import Block, DiTConfig, WanDiT, timestep_embedding
from vfe.types import VFEError

EXACT = 1e-5  # largest difference in float32; the outputs' spread is about 1
FLOAT32_TIME = 3e-5  # beside references whose sinusoids are of float32: an angle of 400 is then off by 2e-5
NETWORKS_OF_TIME_AND_TEXT = ("time_embedding", "time_projection", "text_embedding", "modulation", "norm3", "norm_k")


def unfolded(model: WanDiT, latent: Tensor, prompt: Tensor) -> Tensor:
    with torch.no_grad():
        return model(latent, TIMESTEP, prompt.to(latent.dtype))


def diffusers_velocity(model: WanDiT, latent: Tensor, prompt: Tensor, exact_time: bool) -> Tensor:
    """Of WanTransformer3DModel, with the very tensors of `model`.

    `exact_time` gives it the official sinusoids, in float64: its own are of float32 and off by 2e-5 at t* = 400.
    """
    config = model.config
    with torch.device("meta"):
        reference = reference_dit(config)
    state = {diffusers_name(name): value for name, value in model.state_dict().items()}
    reference.load_state_dict(state, assign=True)
    if exact_time:
        sinusoids = timestep_embedding(TIMESTEP, config.freq_dim, latent.device)
        reference.condition_embedder.timesteps_proj.forward = lambda _: sinusoids
    reference.rope = type(reference.rope)(config.head_dim, config.patch, 1024)  # its buffers are in no state dict
    with torch.no_grad():
        return reference.eval()(latent, torch.tensor([int(TIMESTEP)]), prompt).sample


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "grid", "rows"),
    [(tiny_config(), (3, 8, 6), 32), (DiTConfig(layers=2), (2, 4, 4), 512)],
    ids=["tiny", "full-width"],
)
def test_equals_unfolded_and_diffusers(config: DiTConfig, grid: tuple[int, int, int], rows: int) -> None:
    model, latent, prompt = random_dit(config), random_latent(config, grid), padded_prompt(1, rows, config.text_dim)
    expected = unfolded(model, latent, prompt)
    reference, rounded = (diffusers_velocity(model, latent, prompt, exact_time) for exact_time in (True, False))
    velocity = fold(model, TIMESTEP, prompt)(latent)
    assert velocity.std() > 0.5
    assert (velocity - expected).abs().max() <= EXACT
    assert (velocity - reference).abs().max() <= EXACT
    assert (velocity - rounded).abs().max() <= FLOAT32_TIME


@pytest.mark.parametrize(
    ("tokens", "rows", "kind"),
    [(0, 5, type(None)), (1, 32, RowMixture), (3, 32, RowMixture), (9, 32, RowAttention), (9, 9, RowAttention)],
)
def test_every_number_of_distinct_rows_is_exact(tokens: int, rows: int, kind: type[nn.Module | None]) -> None:
    config = tiny_config()
    model, latent, prompt = random_dit(config), random_latent(config, (2, 6, 4), 2), padded_prompt(tokens, rows, 16)
    expected = unfolded(model, latent, prompt)
    small = fold(model, TIMESTEP, prompt)
    assert isinstance(small.blocks[0].cross_attn, kind)
    assert (small(latent) - expected).abs().max() <= EXACT


def test_tokens_lie_in_order_whatever_layout_latents_have() -> None:
    """Blocks keep the layout that they are given, and are slow where channels lie far apart."""
    config = tiny_config()
    model, latent, prompt = random_dit(config), random_latent(config, (2, 6, 4), 2), padded_prompt(3, 5, 16)
    for dit in (model, fold(model, TIMESTEP, prompt)):
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            tokens = dit._embed(latent.contiguous(memory_format=layout))[0]
            assert tokens.is_contiguous()


def test_equal_rows_count_as_one_wherever_they_stand() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 7).unbind(0)
    distinct = PromptRows.of(torch.stack([a, b, a, a])[None])
    assert torch.equal(distinct.rows, torch.stack([b, a]))
    assert distinct.counts.tolist() == [1, 3]
    nearly = PromptRows.of(torch.stack([a, a * (1 + 1e-6)])[None])
    assert len(nearly.rows) == 2


@pytest.mark.parametrize("shape", [(2, 4, 16), (4, 16), (1, 0, 16)])
def test_only_one_prompt_can_be_folded(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one fixed prompt"):
        fold(random_dit(tiny_config()), TIMESTEP, torch.zeros(shape))


@pytest.mark.parametrize("grid", [(2, 8, 8), (3, 7, 5)], ids=["whole windows", "padded windows"])
def test_windows_and_local_mixing_of_lite_are_exact(grid: tuple[int, int, int]) -> None:
    config = tiny_config(patch=(1, 1, 1), window=(1, 4, 4), local_kernel=3)
    model, latent, prompt = random_dit(config), random_latent(config, grid), padded_prompt(4, 4, 16)
    expected = unfolded(model, latent, prompt)
    assert (fold(model, TIMESTEP, prompt)(latent) - expected).abs().max() <= EXACT


def test_timestep_and_prompt_are_those_that_were_folded() -> None:
    config = tiny_config()
    latent = random_latent(config, (2, 4, 4))
    velocities = [
        fold(random_dit(config), timestep, padded_prompt(tokens, 8, 16))(latent)
        for timestep, tokens in ((400.0, 1), (399.0, 1), (400.0, 2))
    ]
    assert all((velocities[0] - other).abs().max() > 1e-3 for other in velocities[1:])


def test_what_depends_on_time_and_text_leaves_memory() -> None:
    model = random_dit(tiny_config())
    gone = {name: weakref.ref(p) for name, p in model.named_parameters() if _is_of_time_or_text(name)}
    assert len(gone) > 20
    before = _bytes(model)
    small = fold(model, TIMESTEP, padded_prompt(1, 32, 16))
    assert [name for name, parameter in gone.items() if parameter() is not None] == []
    names = [name for name, _ in small.named_parameters()]
    assert not [name for name in names if _is_of_time_or_text(name) and "cross_attn" not in name]
    of_prompt = {name.partition("cross_attn.")[2] for name in names if "cross_attn" in name}
    assert of_prompt == {"q.weight", "q.bias", "scores", "bias", "mixture", "constant"}
    assert not list(small.buffers())
    assert _bytes(small) < before - sum(24 * 24 * 4 * factor for factor in (1, 6, 3))  # text, time, and cross k v o
    assert not any(parameter.requires_grad for parameter in small.parameters())


def _is_of_time_or_text(name: str) -> bool:
    cross = "cross_attn" in name and ".q." not in name and "norm_q" not in name
    return cross or any(part in name for part in NETWORKS_OF_TIME_AND_TEXT if "self_attn" not in name)


def _bytes(model: nn.Module) -> int:
    return sum(value.nbytes for value in model.state_dict().values())


def test_blocks_are_consumed_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a block is folded, the weights of those before it are gone: the peak is one model and one block."""
    model = random_dit(tiny_config())
    sources = [weakref.ref(block.ffn[0].weight) for block in model.blocks]  # type: ignore[index, union-attr]
    alive: list[int] = []

    def watch(block: Block, time: Tensor, rows: PromptRows, dtype: torch.dtype) -> FoldedBlock:
        alive.append(sum(source() is not None for source in sources))
        return fold_block(block, time, rows, dtype)

    monkeypatch.setattr(folded, "fold_block", watch)
    fold(model, TIMESTEP, padded_prompt(1, 32, 16))
    assert alive == [3, 2, 1]


def test_the_source_tensors_are_not_written_to() -> None:
    """They may be a mapped file, or be shared with a model that goes on."""
    model = random_dit(tiny_config())
    source = {name: (value, value.clone()) for name, value in model.state_dict().items()}
    fold(model, TIMESTEP, padded_prompt(1, 32, 16), torch.bfloat16)
    assert all(torch.equal(value, clone) for value, clone in source.values())


def test_fusion_is_called_before_each_block_and_counts() -> None:
    config = tiny_config()
    model, latent, prompt = random_dit(config), random_latent(config, (2, 4, 4)), padded_prompt(1, 8, 16)
    calls: list[int] = []

    def fuse(index: int, tokens: Tensor) -> Tensor:
        calls.append(index)
        return tokens * (1 + 0.1 * index)

    with torch.no_grad():
        expected = model(latent, TIMESTEP, prompt, fuse)
    small = fold(model, TIMESTEP, prompt)
    calls.clear()
    assert (small(latent, fuse) - expected).abs().max() <= EXACT
    assert calls == [0, 1, 2]
    assert (small(latent) - expected).abs().max() > 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tokens", [0, 1, 3, 9])
def test_half_precision_is_as_near_as_without_folding(tokens: int, dtype: torch.dtype) -> None:
    config = tiny_config()
    model, latent, prompt = random_dit(config), random_latent(config, (2, 6, 4)), padded_prompt(tokens, 32, 16)
    exact = unfolded(model, latent, prompt)
    plain = psnr(unfolded(copy.deepcopy(model).to(dtype), latent.to(dtype), prompt), exact)
    small = fold(model, TIMESTEP, prompt, dtype)
    assert {parameter.dtype for parameter in small.parameters() if parameter.ndim > 1} == {dtype}
    assert psnr(small(latent.to(dtype)), exact) > max(plain - 1.0, 40.0)


def test_another_size_after_the_first_is_exact_too() -> None:
    """Positions are kept between calls."""
    config = tiny_config()
    prompt = padded_prompt(1, 8, 16)
    model = random_dit(config)
    small = fold(copy.deepcopy(model), TIMESTEP, prompt)
    for grid in ((2, 4, 4), (1, 6, 4), (2, 4, 4)):
        latent = random_latent(config, grid)
        assert (small(latent) - unfolded(model, latent, prompt)).abs().max() <= EXACT


class CountingCompiler:
    """Compiles nothing, and counts how often it was asked."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward


@pytest.mark.slow
def test_one_compilation_serves_all_blocks() -> None:
    config = tiny_config()
    small, latent = fold(random_dit(config), TIMESTEP, padded_prompt(1, 8, 16)), random_latent(config, (2, 4, 4))
    expected, compiler = small(latent), CountingCompiler()
    torch._dynamo.reset()
    compile_blocks(small, compiler)
    tried = compiler.graphs
    with torch.no_grad():
        velocity = small(latent)
    assert torch.allclose(velocity, expected, atol=EXACT)
    assert compiler.graphs == tried + 1


def test_a_compiler_that_does_not_work_is_reported() -> None:
    def broken(_graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., Any]:
        raise RuntimeError("no C++ compiler")

    torch._dynamo.reset()
    with pytest.raises(VFEError, match=r"does not work on cpu.*leave compilation off"):
        compile_blocks(fold(random_dit(tiny_config()), TIMESTEP, padded_prompt(1, 8, 16)), broken)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_compiled_blocks_are_exact() -> None:
    config = tiny_config(layers=2)
    small, latent = fold(random_dit(config), TIMESTEP, padded_prompt(1, 8, 16)), random_latent(config, (2, 4, 4))
    expected = small(latent)
    torch._dynamo.reset()
    compile_blocks(small)
    with torch.no_grad():
        assert torch.allclose(small(latent), expected, atol=EXACT)


COMFY_SCRIPT = """
import sys
folder, comfyui = sys.argv[1:]
sys.path.insert(0, comfyui)
import comfy.cli_args
comfy.cli_args.args.cpu = True
import torch
from safetensors.torch import load_file, save_file
import comfy.ops
from comfy.ldm.wan.model import WanModel
model = WanModel(in_dim=4, out_dim=4, dim=48, ffn_dim=64, freq_dim=32, text_dim=16, num_heads=2, num_layers=2,
                 cross_attn_norm=True, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
model.load_state_dict(load_file(folder + "/weights.safetensors"), strict=True)
inputs = load_file(folder + "/inputs.safetensors")
with torch.no_grad():
    velocity = model(inputs["latent"], torch.tensor([400.0]), inputs["prompt"])
save_file({"velocity": velocity.contiguous()}, folder + "/velocity.safetensors")
"""


@pytest.mark.comfy
def test_equals_comfyui(tmp_path: Path) -> None:
    """In a process of its own: ComfyUI's import sets devices and patches torch."""
    config = tiny_config(dim=48, ffn_dim=64, layers=2)
    model, latent, prompt = random_dit(config), random_latent(config, (3, 6, 4)), padded_prompt(1, 32, 16)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    save_file({"latent": latent, "prompt": prompt}, tmp_path / "inputs.safetensors")
    command = [sys.executable, "-c", COMFY_SCRIPT, str(tmp_path), str(comfyui_checkout())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = load_file(tmp_path / "velocity.safetensors")["velocity"]
    assert expected.std() > 0.5
    assert (unfolded(model, latent, prompt) - expected).abs().max() <= FLOAT32_TIME
    assert (fold(model, TIMESTEP, prompt)(latent) - expected).abs().max() <= FLOAT32_TIME
