"""The files for queues: what they run is what the commands take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.clips import Clip, write_clip
from tests.support.paths import ROOT
from tests.support.tiny_lite import tiny_lite
from vfe.weights.lite import save_lite_model

DEPLOY = ROOT / "deploy"


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


def film_and_environment(folder: Path) -> tuple[Path, dict[str, str]]:
    save_lite_model(folder / "tiny.safetensors", tiny_lite(0.02), {})
    film = write_clip(folder / "film.mkv", Clip(frames=30))
    return film, vfe_on_path(folder, folder / "tiny.safetensors")


@pytest.mark.slow
def test_open_job_description_restores_a_film(tmp_path: Path) -> None:
    pytest.importorskip("openjd.cli", reason="no queue to test with: openjd-cli is not installed")
    film, environment = film_and_environment(tmp_path)
    steps = ["--step", "Assemble", "--run-dependencies"]
    values = [f"Film={film}", f"Job={tmp_path / 'film.job'}", "LastWorker=1"]
    parameters = [part for value in values for part in ("-p", value)]
    command = ["openjd", "run", str(DEPLOY / "openjd.yaml"), *parameters, *steps]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "film.restored.mkv").exists()


SBATCH = """#!/bin/sh
# Runs at once what Slurm would run later: arrays task by task, and what is to be wrapped.
echo "$@" >> "{log}"
for part in "$@"; do case $part in
    --array=*) tasks=${{part#--array=1-}} ;;
    --wrap=*) sh -c "${{part#--wrap=}}" >&2; echo 2; exit ;;
    -*) ;;
    *) break ;;
esac; shift; done
for task in $(seq "$tasks"); do SLURM_ARRAY_TASK_ID=$task "$@" >&2 || exit 1; done
echo 1
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Slurm runs on Linux")
def test_the_script_for_slurm_restores_a_film_and_goes_on(tmp_path: Path) -> None:
    film, environment = film_and_environment(tmp_path)
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text(SBATCH.format(log=tmp_path / "log"), encoding="utf-8")
    sbatch.chmod(0o755)
    command = [str(DEPLOY / "slurm.sh"), str(film), str(tmp_path / "film.job"), "2"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "film.restored.mkv").exists()
    array, assembly = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert "--array=1-2" in array
    assert "--dependency=afterok:1" in assembly


def test_kubernetes_and_ray_name_the_commands_that_exist() -> None:
    job = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "segment"
    assert container["args"][2] == "all"
    assert job["spec"]["completionMode"] == "Indexed"
    cluster = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text(encoding="utf-8"))
    assert cluster["docker"]["image"] == container["image"] == "vfe"
    assert 'ENTRYPOINT ["vfe"]' in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
