"""The Wan stages against diffusers, same random weights, in turn in one process: `python -m benchmarks.wan`.

The full size (81 frames of 512x512, 30 blocks) on a GPU, a small clip and two blocks on a CPU. For each stage: what it
costs, seconds, share of the device's measured peak, peak memory, and how many times diffusers takes. The whole step is
ours from frames to frames. `--alone` runs ours only, where diffusers is not installed or there is no time for it.
Writes results/wan_<device>.md and .json, or into the folder of --out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vfe.device import choose_device, choose_dtype, dtype_name
from vfe.models.dit.folded import fold
from vfe.models.dit.model import DiTConfig, WanDiT
from vfe.models.wan_vae import VAEPlan, WanVAE, WanVAEConfig, vae_keys_from_diffusers
from vfe.weights.dit_names import from_diffusers

from .machine import MIB, RESULTS, cpu_name, table
from .saving import write_results
from .traffic import Cost, cost_of, peak_bytes

TIMESTEP = 400.0
PROMPT_ROWS = 512
Run = Callable[[], Any]


@dataclass(frozen=True)
class Stage:
    """One stage of the step as two functions without arguments: ours, and diffusers' or None where ours runs alone."""

    name: str
    ours: Run
    theirs: Run | None = None


@dataclass(frozen=True)
class Reference:
    """What was measured of diffusers' stage, and the largest difference between its result and ours."""

    cost: Cost
    seconds: float
    memory: float
    difference: float


@dataclass(frozen=True)
class Row:
    """What was measured of a stage; seconds are the median, of CPU time on a CPU and of the clock elsewhere."""

    name: str
    cost: Cost
    seconds: float
    peak_share: float
    memory: float
    """MiB that were allocated at the peak, beside the weights."""
    theirs: Reference | None


@dataclass(frozen=True)
class Sizes:
    """Sizes of the clip in frames and pixels, and the number of DiT blocks."""

    frames: int
    height: int
    width: int
    layers: int


def reference_networks(layers: int) -> tuple[Any, Any]:
    """diffusers' VAE and 1.3B transformer, random; its classes have no types."""
    from diffusers import AutoencoderKLWan, WanTransformer3DModel

    vae, dit = AutoencoderKLWan(), WanTransformer3DModel(num_attention_heads=12, ffn_dim=8960, num_layers=layers)
    for network in (vae, dit):
        network.eval().requires_grad_(False)  # type: ignore[union-attr]
    return vae, dit


class NetworkPairs:
    """Both implementations with the same random weights: diffusers' are initialised, ours are copies of them."""

    def __init__(self, sizes: Sizes, device: torch.device, dtype: torch.dtype, plan: VAEPlan) -> None:
        torch.manual_seed(0)
        self.device, self.dtype = device, dtype
        self.their_vae, self.their_dit = reference_networks(sizes.layers)
        self.their_vae.to(device, dtype)
        self.vae = WanVAE(WanVAEConfig(), plan=plan).eval().requires_grad_(False)
        self.vae.load_state_dict({vae_keys_from_diffusers(k): v for k, v in self.their_vae.state_dict().items()})
        self.vae.to(device, dtype)
        dit = WanDiT(DiTConfig(layers=sizes.layers)).eval().requires_grad_(False)
        dit.load_state_dict({from_diffusers(k): v for k, v in self.their_dit.state_dict().items()})
        self.prompt = torch.zeros(1, PROMPT_ROWS, 4096)
        self.prompt[:, 0] = torch.randn(4096)
        self.dit = fold(dit, TIMESTEP, self.prompt, dtype).to(device)
        self.their_dit.to(device, dtype)
        self.prompt = self.prompt.to(device, dtype)
        config = self.their_vae.config
        self.mean, self.std = (
            torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )

    def their_encode(self, video: Tensor) -> Tensor:
        mean = self.their_vae.encode(video.to(self.dtype)).latent_dist.mode()
        self.their_vae.clear_cache()
        return (mean.float() - self.mean) / self.std

    def their_velocity(self, z: Tensor) -> Tensor:
        timestep = torch.tensor([TIMESTEP], device=self.device)
        return self.their_dit(z.to(self.dtype), timestep, self.prompt, return_dict=False)[0]

    def their_decode(self, z: Tensor) -> Tensor:
        video: Tensor = self.their_vae.decode((z.float() * self.std + self.mean).to(self.dtype), return_dict=False)[0]
        self.their_vae.clear_cache()
        return video

    def velocity(self, z: Tensor) -> Tensor:
        return self.dit(z.to(self.dtype))

    def step(self, video: Tensor) -> Tensor:
        """z_hq = z_lq - v, from frames to frames."""
        z = self.vae.encode(video)
        return self.vae.decode(z - self.velocity(z).float())

    def their_step(self, video: Tensor) -> Tensor:
        z = self.their_encode(video)
        return self.their_decode(z - self.their_velocity(z).float())

    def stages(self, sizes: Sizes) -> list[Stage]:
        """All stages, on smooth frames, each fed by the one before."""
        video = smooth_video(sizes).to(self.device)
        z = self.their_encode(video)
        return [
            Stage("encode", lambda: self.vae.encode(video), lambda: self.their_encode(video)),
            Stage("DiT", lambda: self.velocity(z), lambda: self.their_velocity(z)),
            Stage("decode", lambda: self.vae.decode(z), lambda: self.their_decode(z)),
            Stage("frames to frames", lambda: self.step(video), lambda: self.their_step(video)),
        ]


class OurNetworks:
    """Our implementation alone, with random weights."""

    def __init__(self, sizes: Sizes, device: torch.device, dtype: torch.dtype, plan: VAEPlan) -> None:
        torch.manual_seed(0)
        self.device, self.dtype = device, dtype
        self.vae = WanVAE(WanVAEConfig(), plan=plan).eval().requires_grad_(False).to(device, dtype)
        prompt = torch.zeros(1, PROMPT_ROWS, 4096)
        prompt[:, 0] = torch.randn(4096)
        dit = WanDiT(DiTConfig(layers=sizes.layers)).eval().requires_grad_(False)
        self.dit = fold(dit.to(device), TIMESTEP, prompt, dtype)

    def step(self, video: Tensor) -> Tensor:
        """z_hq = z_lq - v, from frames to frames."""
        z = self.vae.encode(video)
        return self.vae.decode(z - self.dit(z.to(self.dtype)).float())

    def stages(self, sizes: Sizes) -> list[Stage]:
        """All stages, on smooth frames, each fed by the one before."""
        video = smooth_video(sizes).to(self.device)
        z = self.vae.encode(video)
        return [
            Stage("encode", lambda: self.vae.encode(video)),
            Stage("DiT", lambda: self.dit(z.to(self.dtype))),
            Stage("decode", lambda: self.vae.decode(z)),
            Stage("frames to frames", lambda: self.step(video)),
        ]


def smooth_video(sizes: Sizes) -> Tensor:
    """A clip (1, 3, T, H, W) in [-1, 1] of interpolated noise, whose sides are multiples of 8."""
    noise = torch.randn(1, 3, sizes.frames, sizes.height // 8, sizes.width // 8)
    shape = (sizes.frames, sizes.height, sizes.width)
    return torch.nn.functional.interpolate(noise, shape, mode="trilinear").clamp(-1, 1)


def seconds_of(run: Run, device: torch.device) -> float:
    """Seconds of one call: of CPU time on a CPU, which other programs disturb less, else of wall-clock time."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    _synchronise(device)
    start = clock()
    run()
    _synchronise(device)
    return clock() - start


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second that the device does at its best, per CPU second on a CPU.

    The better of a matrix product and a convolution: on some CPUs their libraries are far apart.
    """
    side, pixels = (4096, 256) if device.type == "cuda" else (1024, 64)
    a = torch.randn(side, side, device=device, dtype=dtype)
    frames = torch.randn(4, 256, pixels, pixels, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.randn(256, 256, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    runs: list[tuple[int, Run]] = [
        (2 * side**3, lambda: a @ a),
        (2 * 9 * 256**2 * 4 * pixels**2, lambda: torch.conv2d(frames, kernel, padding=1)),
    ]
    return max(flops / min(seconds_of(run, device) for _ in range(6)) for flops, run in runs)


def memory_of(run: Callable[[], object], device: torch.device) -> float:
    """MiB that a call allocates at its peak, beside the weights and what else was there before."""
    if device.type != "cuda":
        return peak_bytes(run) / MIB
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / MIB


@torch.no_grad()
def measure(stage: Stage, device: torch.device, rounds: int, peak: float) -> Row:
    """Measure a stage: ours and diffusers' in turn, `rounds` times after one call each to warm up."""
    ours = stage.ours()
    difference = 0.0 if stage.theirs is None else float((ours.float() - stage.theirs().float()).abs().max())
    del ours
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, taken in zip((stage.ours, stage.theirs), times, strict=True):
            if run is not None:
                taken.append(seconds_of(run, device))
    cost, seconds = cost_of(stage.ours), statistics.median(times[0])
    theirs = None
    if stage.theirs is not None:
        memory = memory_of(stage.theirs, device)
        theirs = Reference(cost_of(stage.theirs), statistics.median(times[1]), memory, difference)
    share = cost.flops / seconds / peak
    return Row(stage.name, cost, seconds, share, memory_of(stage.ours, device), theirs)


OUR_COLUMNS = ["stage", "TFLOP", "GB moved", "seconds", "share of peak", "memory, MiB"]
THEIR_COLUMNS = ["diffusers: TFLOP", "GB moved", "seconds", "memory, MiB", "ratio", "largest difference"]


def report(rows: list[Row], about: dict[str, Any]) -> str:
    """The measurements and what they were made on as Markdown."""
    compared = any(row.theirs is not None for row in rows)
    lines = [_ours(row) + (_theirs(row) if compared else []) for row in rows]
    facts = "; ".join(f"{name} {value}" for name, value in about.items())
    return f"{table(OUR_COLUMNS + (THEIR_COLUMNS if compared else []), lines)}\n\n{facts}.\n"


def _ours(row: Row) -> list[str]:
    return [
        row.name,
        f"{row.cost.flops / 1e12:.3g}",
        f"{row.cost.bytes / 1e9:.3g}",
        f"{row.seconds:.3g}",
        f"{row.peak_share:.0%}",
        f"{row.memory:.0f}",
    ]


def _theirs(row: Row) -> list[str]:
    theirs = row.theirs
    if theirs is None:
        return [""] * len(THEIR_COLUMNS)
    return [
        f"{theirs.cost.flops / 1e12:.3g}",
        f"{theirs.cost.bytes / 1e9:.3g}",
        f"{theirs.seconds:.3g}",
        f"{theirs.memory:.0f}",
        f"{theirs.seconds / row.seconds:.2f}",
        f"{theirs.difference:.1g}",
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default=None, help="default: fp32 on a CPU, as diffusers is exact there")
    parser.add_argument("--frames", type=int, help="default: 81, on a CPU 5")
    parser.add_argument("--side", type=int, help="default: 512, on a CPU 96")
    parser.add_argument("--layers", type=int, help="default: 30, on a CPU 2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latents-per-step", type=int, default=1)
    parser.add_argument("--fuse", action="store_true", help="compile the VAE's element-wise passes")
    parser.add_argument("--alone", action="store_true", help="ours only, without diffusers")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    device = choose_device(args.device)
    small = device.type == "cpu"
    dtype = choose_dtype(args.dtype or ("fp32" if small else "auto"), device)
    side = args.side or (96 if small else 512)
    sizes = Sizes(args.frames or (5 if small else 81), side, side, args.layers or (2 if small else 30))
    plan = VAEPlan(latents_per_step=args.latents_per_step, fuse=args.fuse)
    networks = (OurNetworks if args.alone else NetworkPairs)(sizes, device, dtype, plan)
    peak = peak_flops(device, dtype)
    rows = [measure(stage, device, args.rounds, peak) for stage in networks.stages(sizes)]
    about = {
        "device": cpu_name() if small else torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "dtype": dtype_name(dtype),
        "threads": torch.get_num_threads(),
        **asdict(sizes),
        "plan": plan,
        "peak": f"{peak / 1e12:.3g} TFLOP/s",
        "torch": torch.__version__,
    }
    text = report(rows, about)
    print(text)
    title = "Wan stages, random weights" if args.alone else "Wan stages against diffusers"
    data = {"about": {k: str(v) for k, v in about.items()}, "rows": [asdict(row) for row in rows]}
    write_results(args.out, f"wan_{device.type}", f"# {title}\n\n{text}", data)


if __name__ == "__main__":
    main()
