"""The files for clusters that cannot run here: their own validators take them, and they fit each other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"


def read(name: str) -> Any:  # noqa: ANN401
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def assert_takes(*command: str, file: str) -> None:
    """A validator, which is skipped by name where it is not installed, has nothing to say against a file."""
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which(command[0], path=beside_python)
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:], str(DEPLOY / file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (("hadolint",), "Dockerfile"),
        (("bash", "-n"), "slurm.sh"),
        (("shellcheck",), "slurm.sh"),
        (("openjd", "check"), "openjd.yaml"),
        (("kubernetes-validate", "--strict"), "kubernetes.yaml"),
    ],
    ids=lambda part: part if isinstance(part, str) else part[0],
)
def test_a_validator_takes_a_file(command: tuple[str, ...], file: str) -> None:
    assert_takes(*command, file=file)


def test_ray_takes_its_cluster() -> None:
    autoscaler = pytest.importorskip("ray.autoscaler", reason="no schema to test with: Ray is not installed")
    schema = json.loads(Path(autoscaler.__file__).with_name("ray-schema.json").read_text(encoding="utf-8"))
    from jsonschema import ValidationError, validate

    validate(read("ray-cluster.yaml"), schema)
    with pytest.raises(ValidationError):
        validate(read("ray-cluster.yaml") | {"no_such_part": 1}, schema)


def test_kubernetes_and_ray_name_the_commands_that_exist() -> None:
    job = read("kubernetes.yaml")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "segment"
    assert container["args"][2] == "all"
    assert job["spec"]["completionMode"] == "Indexed"
    cluster = read("ray-cluster.yaml")
    assert cluster["docker"]["image"] == container["image"] == "vfe"
    assert 'ENTRYPOINT ["vfe"]' in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
