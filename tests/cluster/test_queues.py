"""The files for queues: what they run is what the commands take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.clips import Clip, write_clip
from tests.support.one_process import by_one_process
from tests.support.paths import ROOT
from tests.support.tiny_lite import tiny_lite
from vfe.jobs.request import ModelRequest
from vfe.options import ModelOptions, RestoreOptions
from vfe.weights.lite import save_lite_model

DEPLOY = ROOT / "deploy"
TIMEOUT = 300  # seconds


def vfe_on_path(folder: Path, model: Path) -> dict[str, str]:
    """An environment in which `vfe` is this checkout, whose plans are for a tiny model on the CPU."""
    options = f"--model {model} --face-model none --device cpu --segment-frames 9"
    script = folder / "bin" / "vfe"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\ncommand=$1; shift\n[ "$command" = plan ] && set -- "$@" {options}\n'
        f'exec "{sys.executable}" -m vfe "$command" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class Queue(NamedTuple):
    """A film, and what is needed to restore it by a queue."""

    film: Path
    job: Path
    environment: dict[str, str]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program that finds `vfe`."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )

    def assert_restored(self) -> None:
        """The film is the one of a single pass, and nothing is left of the job."""
        model = ModelRequest(
            str(self.film.with_name("tiny.safetensors")), "cpu", options=ModelOptions(face_model="none")
        )
        single = by_one_process(self.film, model, self.film.with_name("single.mkv"), RestoreOptions())
        assert self.film.with_name("film.restored.mkv").read_bytes() == single
        assert not self.job.exists()


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    save_lite_model(tmp_path / "tiny.safetensors", tiny_lite(0.02), {})
    film = write_clip(tmp_path / "film.mkv", Clip(frames=30))
    return Queue(film, tmp_path / "film.job", vfe_on_path(tmp_path, tmp_path / "tiny.safetensors"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the template runs a script of bash")
def test_open_job_description_restores_a_film(queue: Queue) -> None:
    pytest.importorskip("openjd.cli", reason="no queue to test with: openjd-cli is not installed")
    values = [f"Film={queue.film}", f"Job={queue.job}", "LastWorker=1"]
    parameters = [part for value in values for part in ("-p", value)]
    run = queue.run("openjd", "run", DEPLOY / "openjd.yaml", *parameters, "--step", "Assemble", "--run-dependencies")
    assert run.returncode == 0, run.stdout + run.stderr
    queue.assert_restored()


SBATCH = """#!/bin/bash
# Runs at once what Slurm would run later: arrays task by task, and what is to be wrapped. Of an array, the machines of
# as many tasks are lost, each while it restores a segment, as LOSES says.
echo "$@" >> "{log}"
for part in "$@"; do case $part in
    --array=*) tasks=${{part#--array=1-}} ;;
    --wrap=*) sh -c "${{part#--wrap=}}" >> "{log}" 2>&1; echo 2; exit ;;
    -*) ;;
    *) break ;;
esac; shift; done
for task in $(seq "$tasks"); do
    SLURM_ARRAY_TASK_ID=$task "$@" >> "{log}" 2>&1 & process=$!
    if [ "$task" -le "$LOSES" ]; then
        until compgen -G "$2/*.held" >> "{log}"; do sleep 0.02; done
        kill -KILL $process
    fi
    wait $process 2>> "{log}"
done
echo 1
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Slurm runs on Linux")
def test_slurm_goes_on_where_a_task_was_lost(queue: Queue, tmp_path: Path) -> None:
    """The only task of an array is lost: the assembly says what is missing, and the same line goes on."""
    sbatch, log = tmp_path / "bin" / "sbatch", tmp_path / "log"
    sbatch.write_text(SBATCH.format(log=log), encoding="utf-8")
    sbatch.chmod(0o755)
    queue.environment["LOSES"] = "1"
    run = queue.run(DEPLOY / "slurm.sh", queue.film, queue.job, "1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "are not restored" in log.read_text(encoding="utf-8")
    assert not queue.film.with_name("film.restored.mkv").exists()
    assert "--dependency=afterany:1" in log.read_text(encoding="utf-8")
    queue.environment["LOSES"] = "0"
    run = queue.run(DEPLOY / "slurm.sh", queue.film, queue.job, "1")
    assert run.returncode == 0, run.stdout + run.stderr
    queue.assert_restored()
