"""Every documented command of a training: its file is there and loads, and its processes can share its batch."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import CONFIGS, ROOT
from training.run.config import RunConfig
from training.run.stage import Slots
from training.stages.clips import ClipRunConfig
from training.stages.face_net import FaceNetTrainConfig
from training.train import load_config
from vfe.cli.parser import build_parser

COMMAND = re.compile(r"(?:python3?|torchrun [^`\n]*?|accelerate launch [^`\n]*?) -m training\.train ([^`\n]*)")
PROCESSES = (1, 2, 4, 8)
ON_SEVERAL = (
    *("lite_gpu", "prior_codebook", "prior_predict", "dvface", "dvface_full", "vividface_fine"),
    *(f"vividface_{space}{size}" for space in ("latent", "pixel") for size in ("", "_full")),
)


@dataclass(frozen=True)
class Command:
    """A command line and the document that has it."""

    document: Path
    line: str

    @property
    def processes(self) -> int:
        """How many processes its launcher starts."""
        launcher = shlex.split(self.line.partition(" -m training.train")[0])
        parser = argparse.ArgumentParser()
        parser.add_argument("--nproc_per_node", type=int, default=1)
        parser.add_argument("--config_file", type=Path)
        parser.add_argument("--num_processes", type=int)
        known, _ = parser.parse_known_args(launcher)
        if known.config_file is None:
            return int(known.nproc_per_node)
        settings = yaml.safe_load((ROOT / known.config_file).read_text(encoding="utf-8"))
        return int(known.num_processes or settings["num_processes"])

    @property
    def config(self) -> tuple[Path, dict[str, Any]]:
        """Its YAML file, and what it changes in it."""
        words = shlex.split(self.line.partition("-m training.train ")[2], comments=True)
        parser = argparse.ArgumentParser()
        parser.add_argument("config", type=Path)
        parser.add_argument("--resume", action="store_true")
        parser.add_argument("--set", nargs="+", default=[])
        args = parser.parse_args(words)
        return ROOT / args.config, {k: yaml.safe_load(v) for k, _, v in (item.partition("=") for item in args.set)}


def plain_text(path: Path) -> str:
    """A document, or the comments of a YAML file, with continued lines put together; [optional] and ... are read as
    given."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".yaml":
        lines = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    text = re.sub(r" *\\\n[# ]*", " ", "\n".join(lines))
    return text.replace("[--resume]", "--resume").replace(" ...", "")


def documents() -> list[Path]:
    folders = ("docs", "training", "vfe", "benchmarks")
    notes = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *notes, *sorted(CONFIGS.rglob("*.yaml"))]


def commands_of(document: Path) -> Iterator[Command]:
    return (Command(document, found.group(0).strip()) for found in COMMAND.finditer(plain_text(document)))


def documented() -> list[Command]:
    return [command for document in documents() for command in commands_of(document)]


def batch_of(config: RunConfig) -> int:
    if isinstance(config, FaceNetTrainConfig):
        return config.batch.frames
    assert isinstance(config, ClipRunConfig)
    return config.data.batch


def error_of(command: Command) -> str | None:
    """What would stop the run before its first step, as far as file, values and arithmetic say it."""
    path, changes = command.config
    if not path.is_file():
        return f"{path} is not there"
    try:
        config = load_config(path, changes)
        batch = batch_of(config)
        Slots(0, batch, batch).part(0, command.processes).part(0, config.accumulate)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("command", documented(), ids=lambda command: f"{command.document.stem}-{command.processes}")
def test_a_documented_command_can_start(command: Command) -> None:
    assert error_of(command) is None, command.line


def test_every_run_has_a_command_of_its_own() -> None:
    lacking = [
        path.name for path in CONFIGS.glob("*.yaml") if path not in {command.config[0] for command in commands_of(path)}
    ]
    assert lacking == []


@pytest.mark.parametrize("name", ON_SEVERAL)
def test_one_two_four_and_eight_processes_have_a_line(name: str) -> None:
    path = CONFIGS / f"{name}.yaml"
    assert {command.processes for command in commands_of(path) if command.config[0] == path} == set(PROCESSES)


def test_what_runs_on_several_processes_is_listed() -> None:
    launched = {path.stem for path in CONFIGS.glob("*.yaml") if "accelerate launch" in plain_text(path)}
    assert launched == set(ON_SEVERAL)


def vfe_commands(path: Path) -> Iterator[list[str]]:
    """The words, but the first, of the `vfe` commands with options that the comments of a YAML file have."""
    return (
        shlex.split(found)[1:] for found in re.findall(r"`(vfe [^`]+ -[^`]+)`", plain_text(path).replace("\n", " "))
    )


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_what_a_file_says_of_vfe_is_no_wrong_usage(path: Path) -> None:
    for words in vfe_commands(path):
        assert build_parser().parse_args(words).command == words[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "accelerate launch --config_file training/configs/accelerate/multi_gpu.yaml -m training.train "
            "training/configs/dvface.yaml",
            "a batch of 4 cannot be shared equally by 8",
        ),
        (
            "torchrun --nproc_per_node 8 -m training.train training/configs/vividface_latent.yaml",
            "a batch of 4 cannot be shared equally by 8",
        ),
        ("python -m training.train training/configs/nothing.yaml", "is not there"),
        ("python -m training.train training/configs/lite.yaml --set data.sides=8", "unknown keys"),
    ],
)
def test_a_command_that_cannot_start_is_found(tmp_path: Path, line: str, message: str) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"Run it:\n\n    {line}\n")
    (command,) = commands_of(document)
    assert message in (error_of(command) or "")


def test_a_line_may_go_on_and_have_options(tmp_path: Path) -> None:
    document = tmp_path / "run.yaml"
    document.write_text(
        "# On GPUs:\n#   accelerate launch --config_file training/configs/accelerate/fsdp.yaml \\\n"
        "#     -m training.train training/configs/lite.yaml [--resume] --set steps=2 data.batch=16\nstage: lite\n"
    )
    (command,) = commands_of(document)
    assert command.processes == 8
    assert command.config == (CONFIGS / "lite.yaml", {"steps": 2, "data.batch": 16})
    assert error_of(command) is None
