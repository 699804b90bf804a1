"""Choose dtype, window, VAE step, tiles and resident blocks so that a Wan model fits the free memory.

Measures that do not change the result come first, from the least costly in time to the most; shorter windows are last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..device import GIB
from ..models.dit.model import DiTConfig
from ..models.dit.packed import PIECE, PIECE_BYTES
from ..models.prior import PriorConfig
from ..models.wan import PROMPT_ROWS, WanCompute
from ..models.wan_vae import VAEPlan, WanVAEConfig, clip_bytes
from ..types import Remedy, VFEError, VideoShape
from .one_step import WindowConfig

RESERVE = 0.08  # of the memory: fragmentation, library workspaces, and what the system takes meanwhile
DEFAULT_FRAMES = 81  # what Wan2.1 was trained on
SHORTER_FRAMES = (49, 33, 21, 13, 5)
NOMINAL_SIDE = 512  # pixels: the dtype is chosen before a frame is seen, for frames of this size
STREAM_SLOTS = 2  # blocks on the device while all are streamed: the one that works and the next
TILE_PARTS = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # of the longer side: after the first, at most a third less each
CPU_ATTENTION_TILE = (256, 512)  # queries by keys, the largest of PyTorch's flash attention on a CPU
SMALLEST_PLANNED_TILE = 16  # latent pixels: with its margin such a tile of the encoder costs four times its own area


@dataclass(frozen=True, kw_only=True)
class WanSizes:
    """The bytes of a Wan model's weights, and the sizes from which those of its activations follow."""

    dit: DiTConfig
    vae: WanVAEConfig
    block_bytes: int
    """The bytes of the weights of one DiT block, the largest."""
    fixed_bytes: int
    """The bytes of all other weights: VAE, embeddings, head, adapter."""
    compute: WanCompute
    """Where and in which number formats the model computes."""
    prior: PriorConfig | None = None
    """The prior of an adapter, whose weights are among the fixed ones."""
    unpacks: bool = False
    """Whether weights of the DiT stay in packed numbers, and are unpacked when a layer runs."""


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """How a clip is restored, and how much memory that should take."""

    window: WindowConfig
    vae: VAEPlan
    resident: int
    """How many DiT blocks stay on the device; the others are streamed from the host."""
    bytes: int
    """The highest number of bytes in use on the device at one time."""

    def describe(self, sizes: WanSizes) -> str:
        """Return the plan as one line for people."""
        dtype, vae_dtype = (
            str(dtype).removeprefix("torch.") for dtype in (sizes.compute.dtype, sizes.compute.vae_dtype)
        )
        dtype += "" if vae_dtype == dtype else f", VAE {vae_dtype}"
        tile = "whole frames" if self.vae.tile is None else f"tiles of {sizes.vae.space * self.vae.tile} px"
        layers = sizes.dit.layers
        blocks = "all blocks resident" if self.resident >= layers else f"{self.resident} of {layers} blocks resident"
        window = f"windows of {self.window.frames} frames, overlap {self.window.overlap}"
        step = f"{self.vae.latents_per_step} latent{'' if self.vae.latents_per_step == 1 else 's'} a VAE step"
        return f"{dtype}; {window}; {step}, {tile}; {blocks}; about {self.bytes / GIB:.1f} GiB"


def first_fitting(possible: Sequence[WanSizes], free: int, window: WindowConfig | None = None) -> WanSizes:
    """Return the first of a model's sizes in several dtypes, best first, with which a whole window fits; else the last.

    The window is `window`, or one of 81 frames. Its frames count as 512x512, because weights are cast while they are
    loaded, which is before the first frame is seen: larger frames may then need a smaller plan, smaller ones none.
    """
    for sizes in possible:
        plans = plan_candidates(sizes, NOMINAL_SIDE, NOMINAL_SIDE, window)
        if any(plan.window == plans[0].window and plan.bytes <= _room(free) for plan in plans):
            return sizes
    return possible[-1]


def plan_candidates(sizes: WanSizes, height: int, width: int, window: WindowConfig | None = None) -> list[MemoryPlan]:
    """Return plans for frames of height x width pixels, fastest first; each needs less memory than the one before.

    Blocks are streamed before frames are tiled: on an H200 a block of the 1.3B DiT is copied in 3 ms and computes for 6
    on 81 frames of 512x512, on slower devices for longer, while half the side makes the VAE's work 1.6 times as much.
    Several latents at once fill a large GPU; on a CPU they gain nothing. A `window` that was asked for is the longest.
    """
    first = window or WindowConfig(DEFAULT_FRAMES, 9)
    layers, streamed = sizes.dit.layers, 0 if sizes.compute.has_own_memory else sizes.dit.layers
    tiles = tile_sides(-(-max(height, width) // sizes.vae.space))
    ladder: list[tuple[WindowConfig, int, int | None, int]] = []
    if sizes.compute.has_own_memory:
        ladder += [(first, latents, None, layers) for latents in (4, 2)]
        ladder += [(first, 1, None, resident) for resident in (layers, layers // 2)]
    for frames in (first, *(WindowConfig.of(n) for n in SHORTER_FRAMES if n < first.frames)):
        ladder += [(frames, 1, tile, streamed) for tile in (None, *tiles)]
    plans: list[MemoryPlan] = []
    for frames, latents, tile, resident in ladder:
        vae = VAEPlan(latents_per_step=latents, tile=tile)
        needed = peak_bytes(sizes, VideoShape(frames.frames, height, width), vae, resident)
        if not plans or needed < plans[-1].bytes:
            plans.append(MemoryPlan(window=frames, vae=vae, resident=resident, bytes=needed))
    return plans


def tile_sides(longest: int) -> list[int]:
    """Return sides of tiles in latent pixels, the largest first, that cut the `longest` side into equal parts.

    Sides between them, as `tile_for` tries, cut it into as many parts; and stepping down needs a list to step along.
    """
    sides = (-(-longest // parts) for parts in TILE_PARTS)
    return [side for side in dict.fromkeys(sides) if side >= SMALLEST_PLANNED_TILE]


def choose_plan(plans: list[MemoryPlan], free: int) -> int:
    """Return the index of the first plan that fits into `free` bytes; VFEError where none does."""
    for index, plan in enumerate(plans):
        if plan.bytes <= _room(free):
            return index
    least = plans[-1].bytes / (1 - RESERVE) / GIB
    raise VFEError(
        f"{free / GIB:.1f} GiB of memory are free, the smallest plan needs {least:.1f}",
        Remedy.SHRINK_FRAMES,
        "close other programs, restore smaller frames (--size), or use --device cpu",
    )


def _room(free: int) -> int:
    return int(free * (1 - RESERVE))


def peak_bytes(sizes: WanSizes, shape: VideoShape, vae: VAEPlan, resident: int) -> int:
    """Return the bytes of weights on the device, the frames of a window, and the activations of the largest stage.

    `shape` is the window in pixels; it is padded as the pipeline does.
    """
    on_device = resident + (STREAM_SLOTS if resident < sizes.dit.layers else 0)
    weights = sizes.fixed_bytes + on_device * sizes.block_bytes
    latents = latent_shape(sizes, shape)
    coding = clip_bytes(latents, sizes.vae, sizes.compute.vae_dtype.itemsize, vae.tile, vae.latents_per_step)
    working = max(dit_bytes(sizes, latents), coding, prior_bytes(sizes, latents))
    return weights + window_bytes(sizes, latents) + working


def latent_shape(sizes: WanSizes, shape: VideoShape) -> VideoShape:
    """Return the shape of the latents of a window in pixels that is padded to whole latents and patches."""
    space, time = sizes.vae.space, sizes.vae.time
    return shape.padded(space * max(sizes.dit.patch[1:]), time).to_latent(space, time)


def window_bytes(sizes: WanSizes, latents: VideoShape) -> int:
    """Return the bytes of a window's frames, and of its three latents in float32: degraded, velocity, restored.

    A device with memory of its own holds the clip before the VAE or after it. Else all copies count: the frames as they
    were read, of this window and of the one before, the clip made of them, the decoded one, and that in float32.
    """
    frames, height, width = latents.from_latent(sizes.vae.space, sizes.vae.time)
    decoded = sizes.compute.vae_dtype.itemsize
    copies = max(4, decoded) if sizes.compute.has_own_memory else 3 * 4 + decoded + (0 if decoded == 4 else 4)
    values = sizes.vae.latent_channels * latents.frames * latents.height * latents.width
    return 3 * copies * frames * height * width + 3 * 4 * values


def prior_bytes(sizes: WanSizes, latents: VideoShape) -> int:
    """Return the bytes of the prior's activations: of the encoder's largest scale, or of a predictor's block.

    The encoder works on a group of frames and holds input, shortcut, normalised and convolved features and result. The
    predictor works on all tokens as the DiT does (`dit_bytes`). Latents and codes are counted beside both.
    """
    if sizes.prior is None:
        return 0
    prior = sizes.prior
    pixels = latents.height * latents.width * sizes.vae.space**2
    scales, frames = [], prior.time
    for scale in prior.scales:
        frames, pixels = frames // scale.time, pixels // scale.space**2
        scales.append(5 * frames * pixels * scale.width)
    tokens = latents.frames * pixels
    predictor = tokens * (9 * prior.predictor.width + 2 * prior.predictor.ffn_dim)
    return sizes.compute.dtype.itemsize * (max(*scales, predictor) + 6 * tokens * prior.dim)


def dit_bytes(sizes: WanSizes, latents: VideoShape) -> int:
    """Return the bytes of a DiT block's activations, a few copies of tokens (L, D), and of what does not grow with the
    clip.

    Feed-forward: the block's input, that of its last branch, it normalised, the result; and the wide layer. Attention:
    the input, it normalised, q, k, v, the result, it rearranged and projected; one more in kernels that want another
    layout. Cosines and sines are kept. A weight is cast, or repacked by its kernel; a packed one is unpacked a piece at
    a time, and then as much. To these, on a CPU, comes what its threads work in.
    """
    config = sizes.dit
    down, across = config.patch[1:]
    tokens = latents.frames * (latents.height // down) * (latents.width // across)
    attention, feed_forward = 9 * config.dim, 4 * config.dim + config.ffn_dim
    angles = 2 * config.head_dim
    widest = config.dim * config.ffn_dim
    fixed = (2 if sizes.compute.fp8 or sizes.unpacks else 1) * widest + PROMPT_ROWS * config.dim
    unpacking = PIECE_BYTES * min(PIECE, widest) if sizes.unpacks else 0
    values = tokens * (max(attention, feed_forward) + angles) + fixed
    return sizes.compute.dtype.itemsize * values + unpacking + thread_bytes(sizes.compute, config.head_dim)


def thread_bytes(compute: WanCompute, head_dim: int) -> int:
    """Return the bytes that PyTorch's attention on a CPU works in, for all threads: scores of a tile of queries by one
    of keys, their sums and the tile's result in float32, and the scores and keys again in a smaller format (the keys
    where the CPU multiplies tiles of it, as by AMX). 0 on a device."""
    if compute.device.type != "cpu":
        return 0
    queries, keys = CPU_ATTENTION_TILE
    reduced = 0 if compute.dtype.itemsize == 4 else compute.dtype.itemsize * keys * (queries + head_dim)
    return torch.get_num_threads() * (4 * queries * (keys + 2 + head_dim) + reduced)
