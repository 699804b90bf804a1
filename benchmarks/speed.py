"""How fast files are restored, and in how much memory: `python -m benchmarks.speed`.

For each length, a process of its own restores a clip end to end (decode, restore, encode) and reports seconds for each
stage, frames per second and its peak memory. Two lengths show whether memory grows with the clip. `--against MODEL`
restores the same clip with two models in turn, several times, and reports the ratio of their speeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .machine import MIB, RESULTS, cpu_name, peak_rss, table
from .saving import write_results

CLIP_CRF = 23  # of the synthetic clip: what a phone or a web site would have
CLIP_DRIFT = 48  # pixels that the view wanders
CLIP_NOISE = 4.0  # sigma of 255; a clip without any would be decoded and encoded too fast


@dataclass(frozen=True)
class Measurement:
    """One clip restored by a process of its own. Seconds are wall-clock, memory is MiB."""

    frames: int
    width: int
    height: int
    load_seconds: float
    """Imports and model, once per process; not in `seconds`."""
    seconds: float
    cpu_seconds: float
    """CPU time of all threads, which other programs on the machine disturb less than wall-clock time."""
    decode: float
    restore: float
    encode: float
    memory_loaded: float | None
    memory_peak: float | None
    gpu_peak: float | None

    @property
    def fps(self) -> float:
        return self.frames / self.seconds


@dataclass(frozen=True)
class Machine:
    """What the clips were restored on and with."""

    cpu: str
    device: str
    dtype: str
    threads: int
    model: str
    torch: str
    python: str


def make_clip(path: Path, frames: int, size: tuple[int, int]) -> None:
    """Write a noisy texture that pans slowly, the same on every call; no need for a portrait or a download."""
    import av
    import numpy as np

    width, height = size
    rng = np.random.default_rng(0)
    scene = np.full((height + CLIP_DRIFT, width + CLIP_DRIFT, 3), 128.0)
    for block in (128, 64, 32, 16, 8, 4):  # as in photographs, detail is the weaker the finer it is
        rows, columns = (side // block + 1 for side in scene.shape[:2])
        detail = rng.normal(0, 4 * block**0.5, (rows, columns, 1)) + rng.normal(0, block**0.5, (rows, columns, 3))
        scene += np.kron(detail, np.ones((block, block, 1)))[: scene.shape[0], : scene.shape[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", {"crf": str(CLIP_CRF)}
        for index in range(frames):
            drift = round(CLIP_DRIFT * (0.5 - 0.5 * np.cos(index / 40)))
            view = scene[drift : drift + height, drift : drift + width]
            noisy = view + rng.normal(0, CLIP_NOISE, view.shape)
            picture = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def measure(clip: Path, args: argparse.Namespace) -> tuple[Measurement, Machine]:
    """Restore `clip` in this process, once, and measure it."""
    start = time.perf_counter()
    import torch

    import vfe
    from vfe.device import choose_device, choose_dtype, dtype_name
    from vfe.options import ModelOptions
    from vfe.own_process import keep_freed_memory
    from vfe.video.probe import probe

    keep_freed_memory()  # as the command does
    if args.threads:
        torch.set_num_threads(args.threads)
    options = ModelOptions(face_model=args.face_model)
    restorer = vfe.load(args.model, args.device, args.dtype, options=options)
    loaded, memory = time.perf_counter() - start, peak_rss()
    with tempfile.TemporaryDirectory() as folder:
        cpu_seconds_used = time.process_time()
        report = restorer.restore_file(clip, Path(folder) / "restored.mp4", vfe.RestoreOptions(size=args.size))
        cpu_seconds_used = time.process_time() - cpu_seconds_used
        info = probe(report.output)
    device = choose_device(args.device)
    gpu = torch.cuda.max_memory_allocated() / MIB if device.type == "cuda" else None
    measurement = Measurement(
        frames=report.frames,
        width=info.width,
        height=info.height,
        load_seconds=loaded,
        seconds=report.seconds,
        cpu_seconds=cpu_seconds_used,
        **report.stages._asdict(),
        memory_loaded=memory,
        memory_peak=peak_rss(),
        gpu_peak=gpu,
    )
    machine = Machine(
        cpu=cpu_name(),
        device=torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        dtype=dtype_name(choose_dtype(args.dtype, device)),
        threads=torch.get_num_threads(),
        model=args.model,
        torch=torch.__version__,
        python=sys.version.split()[0],
    )
    return measurement, machine


def measure_apart(clip: Path, arguments: list[str]) -> tuple[Measurement, Machine]:
    """`measure` in a fresh process, so that the memory of one clip is not counted for another.

    Ends the program where the process fails.
    """
    command = [sys.executable, "-m", "benchmarks.speed", *arguments, "--measure", str(clip)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"restoring {clip.name} failed, see above")
    raw = json.loads(done.stdout.splitlines()[-1])
    return Measurement(**raw["measurement"]), Machine(**raw["machine"])


class Ratios(NamedTuple):
    """How many times as fast a model is as another, once for each round."""

    frames: int
    wall: list[float]
    cpu: list[float]


def compare(clip: Path, args: argparse.Namespace) -> Ratios:
    """Restore `clip` with `--model` and `--against` in turn, in processes of their own."""
    wall, cpu = [], []
    for number in range(args.rounds):
        models = (args.model, args.against) if number % 2 == 0 else (args.against, args.model)
        runs = {model: measure_apart(clip, run_arguments(args, model))[0] for model in models}
        wall.append(runs[args.against].seconds / runs[args.model].seconds)
        cpu.append(runs[args.against].cpu_seconds / runs[args.model].cpu_seconds)
    return Ratios(runs[args.model].frames, wall, cpu)


def comparison_text(ratios: Ratios, model: str, against: str) -> str:
    """A line with the ratios of the speeds of two models."""
    listed = [", ".join(f"{ratio:.3f}" for ratio in each) for each in (ratios.wall, ratios.cpu)]
    return (
        f"{model} against {against}, {ratios.frames} frames, in turn, a process each: "
        f"{median(ratios.wall):.3f} of its speed by the clock ({listed[0]}), "
        f"{median(ratios.cpu):.3f} by CPU time ({listed[1]})"
    )


def run_arguments(args: argparse.Namespace, model: str) -> list[str]:
    """The command line of the process that measures one model."""
    size = f"{args.size[0]}x{args.size[1]}"
    return [
        "--model",
        model,
        "--device",
        args.device,
        "--dtype",
        args.dtype,
        "--size",
        size,
        "--threads",
        str(args.threads),
        *(["--face-model", args.face_model] if args.face_model else []),
    ]


def report_text(runs: list[Measurement], machine: Machine) -> str:
    """The measurements as Markdown."""
    header = ["clip", "frames/s", "seconds", "decode", "restore", "encode", "memory, peak", "of it before the clip"]
    gpu = any(run.gpu_peak is not None for run in runs)
    rows = []
    for run in runs:
        seconds = [f"{value:.1f}" for value in (run.fps, run.seconds, run.decode, run.restore, run.encode)]
        memory = [_mib(run.memory_peak), _mib(run.memory_loaded), *([_mib(run.gpu_peak)] if gpu else [])]
        rows.append([f"{run.frames} frames {run.width}x{run.height}", *seconds, *memory])
    lines = [
        table([*header, *(["GPU memory, peak"] if gpu else [])], rows),
        "",
        f"Model {machine.model} on {machine.cpu}; device {machine.device}, {machine.dtype}, {machine.threads} threads; "
        f"torch {machine.torch}, Python {machine.python}.",
        f"Seconds are wall-clock, from the first frame read to the file in place; starting up took "
        f"{max(run.load_seconds for run in runs):.1f} s more.",
    ]
    return "\n".join(lines)


def _mib(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f} MiB"


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("clip", nargs="?", type=Path, help="a video; default: synthetic clips of --frames")
    parser.add_argument("--frames", type=int, nargs="+", default=[100], help="lengths of the synthetic clips")
    parser.add_argument("--size", type=_size, default=(512, 512), metavar="WxH", help="default: 512x512")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--against", metavar="MODEL", help="another model, to compare with; the first clip is taken")
    parser.add_argument("--rounds", type=int, default=3, help="of a comparison")
    parser.add_argument("--face-model", help="the part for faces, or none; default: the model's own")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="default: what torch chooses")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--save", action="store_true", help=f"also write {RESULTS.name}/speed.md and .json")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return int(width), int(height)


def main(argv: list[str]) -> None:
    args = parse(argv)
    if args.measure:
        measurement, machine = measure(args.measure, args)
        print(json.dumps({"measurement": asdict(measurement), "machine": asdict(machine)}))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for frames in [0] if args.clip else args.frames:
            clip = args.clip or Path(folder) / f"{frames}.mp4"
            if not args.clip:
                make_clip(clip, frames, args.size)
            if args.against:
                print(comparison_text(compare(clip, args), args.model, args.against))
                return
            results.append(measure_apart(clip, run_arguments(args, args.model)))
    runs, machine = [run for run, _ in results], results[0][1]
    raw = {"machine": asdict(machine), "runs": [{**asdict(run), "fps": run.fps} for run in runs]}
    text = report_text(runs, machine)
    print(json.dumps(raw, indent=1) if args.json else text)
    if args.save:
        write_results(RESULTS, "speed", text, raw)


if __name__ == "__main__":
    main(sys.argv[1:])
