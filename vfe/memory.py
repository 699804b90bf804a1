"""What fits: window, VAE step, tiles and resident blocks from the bytes that are free. Pure, so tested without a model.

Exact measures come first, from the cheapest in time to the dearest; only then shorter windows, which change the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from .models.dit import DiTConfig
from .models.wan_vae import VAEPlan, WanVAEConfig, step_bytes
from .pipeline import WindowConfig
from .types import VFEError, VideoShape

GIB = 1024**3
RESERVE = 0.08  # of the memory: fragmentation, library workspaces, and what the system takes meanwhile
DEFAULT_FRAMES = 81  # what Wan2.1 was trained on
SHORTER_FRAMES = (49, 33, 21, 13, 5)
STREAM_SLOTS = 2  # blocks on the device while all are streamed: the one that works and the next


@dataclass(frozen=True, kw_only=True)
class WanSizes:
    """Bytes of a model's weights, and what its activations are computed from."""

    dit: DiTConfig
    vae: WanVAEConfig
    block_bytes: int
    """Of one DiT block."""
    fixed_bytes: int
    """Of all other weights: VAE, embeddings, head."""
    dit_itemsize: int = 2
    vae_itemsize: int = 2
    streams: bool = True
    """Whether blocks can wait in other memory than the device's; on a CPU they cannot."""


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """How a clip is worked through, and the peak of memory that this should need."""

    window: WindowConfig
    vae: VAEPlan
    resident: int
    """DiT blocks that stay on the device; the others are streamed from the host."""
    bytes: int

    def describe(self, layers: int) -> str:
        """The plan in one line."""
        tile = "whole frames" if self.vae.tile is None else f"tiles of {8 * self.vae.tile} px"
        blocks = "all blocks resident" if self.resident >= layers else f"{self.resident} of {layers} blocks resident"
        window = f"windows of {self.window.frames} frames, overlap {self.window.overlap}"
        step = f"{self.vae.latents_per_step} latent{'' if self.vae.latents_per_step == 1 else 's'} a VAE step"
        return f"{window}; {step}, {tile}; {blocks}; about {self.bytes / GIB:.1f} GiB"


def plan_candidates(sizes: WanSizes, height: int, width: int, window: WindowConfig | None = None) -> list[MemoryPlan]:
    """Plans for frames of height x width pixels, fastest first; each needs less memory than the one before.

    A `window` that was asked for is the longest that is tried.
    """
    first = window or WindowConfig(DEFAULT_FRAMES, 9)
    layers = sizes.dit.layers
    tiles = [side for side in (64, 48, 32, 24, 16) if 8 * side < max(height, width)]
    ladder: list[tuple[WindowConfig, int, int | None, int]] = [(first, k, None, layers) for k in (4, 2, 1)]
    ladder += [(first, 1, tile, layers) for tile in tiles]
    smallest = tiles[-1] if tiles else None
    if sizes.streams:
        ladder += [(first, 1, smallest, resident) for resident in (layers // 2, 0)]
    resident = 0 if sizes.streams else layers
    ladder += [(WindowConfig.of(n), 1, smallest, resident) for n in SHORTER_FRAMES if n < first.frames]
    plans: list[MemoryPlan] = []
    for frames, latents, tile, resident in ladder:
        needed = peak_bytes(sizes, VideoShape(frames.frames, height, width), latents, tile, resident)
        if not plans or needed < plans[-1].bytes:
            vae = VAEPlan(latents_per_step=latents, tile=tile)
            plans.append(MemoryPlan(window=frames, vae=vae, resident=resident, bytes=needed))
    return plans


def choose_plan(plans: list[MemoryPlan], free: int) -> int:
    """The first plan that fits into `free` bytes, as its index.

    Raises VFEError where none does.
    """
    room = int(free * (1 - RESERVE))
    for index, plan in enumerate(plans):
        if plan.bytes <= room:
            return index
    least = plans[-1].bytes / (1 - RESERVE) / GIB
    raise VFEError(
        f"{free / GIB:.1f} GiB of memory are free, the smallest plan needs {least:.1f}; "
        "close other programs, restore smaller frames (--size), or use --device cpu"
    )


def peak_bytes(sizes: WanSizes, shape: VideoShape, latents: int, tile: int | None, resident: int) -> int:
    """Weights on the device, the clip there and back, and the larger of the two stages' activations."""
    clip = 2 * 3 * 4 * shape.frames * shape.height * shape.width
    on_device = resident + (STREAM_SLOTS if resident < sizes.dit.layers else 0)
    weights = sizes.fixed_bytes + on_device * sizes.block_bytes
    frame = VideoShape(latents, -(-shape.height // 8), -(-shape.width // 8))
    vae = step_bytes(frame, sizes.vae, sizes.vae_itemsize, tile)
    return weights + clip + max(dit_bytes(sizes.dit, shape, sizes.dit_itemsize), vae)


def dit_bytes(config: DiTConfig, shape: VideoShape, itemsize: int) -> int:
    """Activations of a block: tokens, normalised, projected and rotated, or widened before and after its GELU."""
    _, down, across = config.patch
    tokens = ((shape.frames + 2) // 4 + 1) * -(-shape.height // 8 // down) * -(-shape.width // 8 // across)
    attention, feed_forward = 9 * config.dim, 2 * config.dim + 2 * config.ffn_dim
    angles = 2 * config.head_dim
    return tokens * itemsize * (max(attention, feed_forward) + angles)
