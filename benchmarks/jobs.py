"""What restoring through a job costs, and what a cluster gains: `python -m benchmarks.jobs`.

One clip is restored in a single pass and through a job in turn, several times, and the ratio of their seconds is told;
then through jobs in processes of their own, of a short and a long clip, whose peak memory is compared; then, where Ray
is installed, by one and by two workers of a cluster on this machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

import vfe
from vfe.jobs.request import JobRequest, ModelRequest
from vfe.jobs.whole import WholeRun, restore_whole
from vfe.own_process import keep_freed_memory
from vfe.restore.restorer import Restorer
from vfe.types import no_progress

from .machine import cpu_name, peak_rss, table
from .speed import make_clip


def through_a_job(restorer: Restorer, clip: Path, result: Path, segment: int) -> None:
    """Restore a clip through a job in a folder beside the result, which is deleted."""
    request = JobRequest(clip, result, segment_frames=segment)
    restore_whole(request, WholeRun(result.with_suffix(".job"), overwrite=True), restorer, no_progress, lambda _: None)


def seconds_of(work: Callable[[], object]) -> float:
    """How long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def throughput(clip: Path, folder: Path, segment: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds of a single pass and of a job, in turn, with one model that stays loaded."""
    restorer = vfe.load("lite", "cpu")
    options = vfe.RestoreOptions(overwrite=True)
    restorer.restore_file(clip, folder / "warm.mp4", options)
    pairs = []
    for _ in range(rounds):
        alone = seconds_of(lambda: restorer.restore_file(clip, folder / "one.mp4", options))
        pairs.append((alone, seconds_of(lambda: through_a_job(restorer, clip, folder / "job.mp4", segment))))
    assert (folder / "one.mp4").read_bytes() == (folder / "job.mp4").read_bytes()
    return pairs


def memory(clip: Path, segment: int) -> float:
    """The peak memory in MiB of a process that restores a clip through a job."""
    command = [sys.executable, "-m", "benchmarks.jobs", "--measure", str(clip), "--segment", str(segment)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def on_workers(clip: Path, folder: Path, segment: int, workers: int) -> float:
    """Seconds of a film on a cluster of so many workers with a processor each, which have loaded the model."""
    import ray

    from vfe.cluster.crew import Crew
    from vfe.cluster.tasks import Film, FilmWork, Mishap

    def restore(name: str) -> None:
        request = JobRequest(clip, folder / name, model=ModelRequest("lite", "cpu"), segment_frames=segment)
        work = FilmWork(Film(request, WholeRun(folder / f"{name}.job")))
        while work.outcome is None:
            crew.work([work], None)
        if isinstance(work.outcome, Mishap):
            sys.exit(work.outcome.reason)

    of_checkout = {"env_vars": {"PYTHONPATH": str(Path(vfe.__file__).parents[1])}}
    ray.init(
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env=of_checkout,
    )
    crew = Crew(ray, on_cpu=True, is_lite=True, cpus_per_worker=1)
    try:
        return seconds_of(lambda: restore(f"on_{workers}.mp4"))
    finally:
        crew.dismiss()
        ray.shutdown()


def has_ray() -> bool:
    """Whether a cluster can be started."""
    try:
        import ray
    except ImportError:
        return False
    return bool(ray.__version__)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--frames", type=int, nargs=2, default=(500, 10_000), help="of the short and the long clip")
    parser.add_argument("--side", type=int, default=96, help="of their square frames, in pixels")
    parser.add_argument("--segment", type=int, default=250, help="frames of a segment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.measure is not None:
            through_a_job(vfe.load("lite", "cpu"), args.measure, folder / "job.mp4", args.segment)
            print(json.dumps(peak_rss()))
            return
        size = (args.side, args.side)
        short = folder / "short.mp4"
        make_clip(short, args.frames[0], size)
        pairs = throughput(short, folder, args.segment, args.rounds)
        rows = [["single pass", f"{median(alone for alone, _ in pairs):.1f} s", ""]]
        ratios = [alone / job for alone, job in pairs]
        rows.append(["job", f"{median(job for _, job in pairs):.1f} s", f"{median(ratios):.2f} of its speed"])
        if has_ray():
            one, two = (on_workers(short, folder, args.segment, workers) for workers in (1, 2))
            rows += [["one Ray worker", f"{one:.1f} s", ""], ["two", f"{two:.1f} s", f"{one / two:.2f} times as fast"]]
        if not args.skip_memory:
            long = folder / "long.mp4"
            make_clip(long, args.frames[1], size)
            few, many = memory(short, args.segment), memory(long, args.segment)
            rows.append([f"memory of {args.frames[0]} frames", f"{few:.0f} MiB", ""])
            rows.append([f"memory of {args.frames[1]} frames", f"{many:.0f} MiB", f"{many / few:.2f} times as much"])
        print(table([f"{args.frames[0]} frames {args.side}x{args.side}, segments of {args.segment}", "", ""], rows))
        print(f"\nlite on {cpu_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}")


if __name__ == "__main__":
    main()
