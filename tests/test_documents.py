"""The documents name what users can ask for, and what they name exists; checks are also shown texts that break them."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import vfe
from benchmarks.quality import FIGURES
from tests.support.node_sources import node_facts
from tests.support.paths import CONFIGS, ROOT
from training.burst.plan import STAGE_SHARES
from vfe.cli.parser import build_parser
from vfe.degradations.mix import Shares
from vfe.library.catalogue import CATALOGUE
from vfe.library.find import KIND_TITLES
from vfe.weights.recognise import Kind

FOLDERS = ("benchmarks", "docs", "locales", "nodes", "tests", "training", "vfe", "web", "workflows")
README_LINES = 110


def documents() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *found]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- what users can ask for is named ----------------------------------------------------------------------------------


def missing(names: Iterable[str], text: str) -> list[str]:
    """The names that the text does not have as words of their own: `--crf` is not named by `--crf-max`."""
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]


def section(heading: str, text: str) -> str:
    """What stands under a heading of the second level, "" where there is none."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(heading, "")


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers below this one, by name."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: below for group in groups for name, below in group.choices.items()}


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a command and of those below it; of several spellings of one, the first long one."""
    own = {
        next(name for name in action.option_strings if name.startswith("--"))
        for action in parser._actions
        if action.option_strings and action.help is not argparse.SUPPRESS and "--help" not in action.option_strings
    }
    return own.union(*(options(below) for below in subcommands(parser).values()))


def commands_without_a_section(text: str) -> list[str]:
    return [name for name in subcommands(build_parser()) if not section(f"vfe {name}", text)]


def options_not_described(text: str) -> list[str]:
    """The options that the section of their command in this text does not name."""
    return [
        f"vfe {command} {option}"
        for command, parser in subcommands(build_parser()).items()
        for option in missing(sorted(options(parser)), section(f"vfe {command}", text))
    ]


def stages() -> set[str]:
    """The names that `training.train.recipe` knows, from its `match`."""
    tree = ast.parse(read("training/train.py"))
    patterns = [node for node in ast.walk(tree) if isinstance(node, ast.MatchValue)]
    return {p.value.value for p in patterns if isinstance(p.value, ast.Constant) and isinstance(p.value.value, str)}


def stage_of(path: Path) -> str:
    """The stage that a YAML file of a run names."""
    found = re.search(r"^stage: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def runs() -> list[str]:
    return [path.name for path in CONFIGS.rglob("*.yaml")]


def distilled() -> set[str]:
    """The methods and extras for which there is a run distill_NAME_lite.yaml or distill_NAME_wan.yaml."""
    found = (re.fullmatch(r"distill_(\w+)_(?:lite|wan)\.yaml", name) for name in runs())
    return {match[1] for match in found if match}


def programs() -> set[str]:
    """Modules that are run with `python -m`."""
    paths = [path for folder in ("training", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    }


def extras() -> set[str]:
    table = read("pyproject.toml").partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    return set(re.findall(r"^(\w+) = \[", table, re.MULTILINE))


NAMED: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "nodes": ("docs/comfyui.md", lambda: (fact.display_name for fact in node_facts())),
    "stages": ("docs/training.md", stages),
    "stages of a burst": ("docs/training.md", lambda: (f"`{name}`" for name in STAGE_SHARES)),
    "runs": ("docs/training.md", lambda: (name for name in runs() if not name.startswith("distill_"))),
    "runs of distillation": ("docs/distillation.md", lambda: (f"`{name}`" for name in distilled())),
    "degradations": ("docs/training.md", lambda: (part.name for part in fields(Shares))),
    "figures": ("docs/quality.md", FIGURES.values),
    "extras": ("docs/python.md", extras),
    "models to pull": ("docs/wan.md", lambda: (entry.name for entry in CATALOGUE)),
    "kinds of weights": ("docs/wan.md", lambda: (KIND_TITLES[kind].removeprefix("Wan ") for kind in get_args(Kind))),
    "public names": (
        "docs/python.md",
        lambda: (f"vfe.{name}" for name in ("load", "RestoreOptions", "VFEError", "Job", "JobRequest", "ModelRequest")),
    ),
}
"""What is looked for -> the document that names it, and the names."""


@pytest.mark.parametrize("what", NAMED)
def test_everything_is_named(what: str) -> None:
    document, names = NAMED[what]
    wanted = sorted(names())
    assert wanted, f"no {what} were found to look for"
    assert missing(wanted, read(document)) == [], f"{document} does not name these {what}"


@pytest.mark.parametrize("what", NAMED)
def test_a_missing_name_is_found(what: str) -> None:
    document, names = NAMED[what]
    for name in names():
        assert missing([name], read(document).replace(name, "")) == [name]


def test_every_command_and_option_has_its_place() -> None:
    text = read("docs/options.md")
    assert commands_without_a_section(text) == []
    assert options_not_described(text) == []


def test_a_missing_option_is_found() -> None:
    text = read("docs/options.md")
    assert options_not_described(text.replace("`--face-model M`", "")) == ["vfe enhance --face-model"]
    assert commands_without_a_section(text.replace("## vfe faces", "## faces")) == ["faces"]
    assert missing(["--crf"], "`--crf-max N`") == ["--crf"]


def test_every_program_is_named() -> None:
    everything = "\n".join(path.read_text(encoding="utf-8") for path in documents())
    assert missing(sorted(programs()), everything) == []
    assert missing(["training.preview"], "`python -m training.previews`") == ["training.preview"]


def test_every_stage_has_a_run() -> None:
    assert {stage_of(path) for path in CONFIGS.glob("*.yaml")} == stages()


def test_the_version_has_a_heading_in_the_changelog() -> None:
    assert f"\n## {vfe.__version__}\n" in read("CHANGELOG.md")


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= README_LINES


# --- what is named exists ---------------------------------------------------------------------------------------------

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./*-]*")
MODULE = re.compile(r"python3? -m ((?:training|benchmarks|tests)\.[\w.]*\w)")


def anchor(heading: str) -> str:
    """As GitHub writes it: lower case, hyphens for spaces, no other signs."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    return {anchor(heading) for heading in headings}


HELP = ROOT / "web" / "docs"


def broken_links(text: str, document: Path) -> list[str]:
    """Relative links whose file is not there, or whose heading is not in it."""
    broken = []
    for target in LINK.findall(BLOCK.sub("", text)):
        name, _, heading = target.partition("#")
        if "://" in target:
            continue
        # ComfyUI's page looks for the pictures of help pages in all languages in the folder of the English ones.
        folder = HELP if HELP in document.parents else document.parent
        file = folder / name if name else document
        content = (
            text
            if file == document
            else file.read_text(encoding="utf-8")
            if file.suffix == ".md" and file.is_file()
            else ""
        )
        if not file.exists() or (heading and heading not in anchors(content)):
            broken.append(target)
    return broken


def missing_places(text: str, document: Path) -> list[str]:
    """Paths of this repository that are not there; of a folder's own README, its paths may be relative to it."""
    found = {place.rstrip(".") for place in PLACE.findall(LINK.sub("", text))}
    return sorted(place for place in found if not any(any(base.glob(place)) for base in (ROOT, document.parent)))


def missing_modules(text: str, document: Path) -> list[str]:
    """Modules that a command runs and that are not there."""
    del document
    return [name for name in MODULE.findall(text) if not (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of the lines of code blocks that call `vfe`, with what a placeholder in capitals stands for."""
    for _, language, block in BLOCK.findall(text):
        for line in block.splitlines() if language == "sh" else ():
            words = shlex.split(line, comments=True)
            if words[:1] == ["vfe"]:
                yield words[1:]


def wrong_commands(text: str, document: Path) -> list[str]:
    """Command lines that `vfe` would refuse as wrong usage."""
    del document
    wrong = []
    for words in command_lines(text):
        try:
            build_parser().parse_args(words)
        except SystemExit as stop:
            if stop.code:
                wrong.append(" ".join(words))
    return wrong


Check = Callable[[str, Path], list[str]]
CHECKS: tuple[Check, ...] = (broken_links, missing_places, missing_modules, wrong_commands)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_documents_name_exists(check: Check) -> None:
    errors = [
        f"{document.relative_to(ROOT)}: {error}"
        for document in documents()
        for error in check(document.read_text(encoding="utf-8"), document)
    ]
    assert not errors, "\n".join(errors)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (broken_links, "[a page](docs/nothing.md)"),
        (broken_links, "![a picture](docs/nothing.webp)"),
        (broken_links, "[a heading](docs/wan.md#no-such-heading)"),
        (broken_links, "# Here\n[a heading](#there)"),
        (missing_places, "see `vfe/nothing.py`"),
        (missing_places, "```sh\npython -m training.train training/configs/nothing.yaml\n```"),
        (missing_places, "all of `training/configs/nothing_*.yaml`"),
        (missing_modules, "run `python -m benchmarks.nothing --help`"),
        (wrong_commands, "```sh\nvfe enhance a.mp4 -o b.mp4 --no-such-option\n```"),
        (wrong_commands, "```sh\nvfe faces a.mp4   # without an output\n```"),
    ],
)
def test_what_is_not_there_is_found(check: Check, text: str) -> None:
    assert check(text, ROOT / "README.md")


@pytest.mark.parametrize(
    "text",
    [
        "[a page](docs/wan.md#memory-and-speed) of `vfe/cli/parser.py` and [elsewhere](https://example.org/nothing.md)",
        "# One, two\n[a heading](#one-two)",
        "`training/configs/prior_*.yaml` and `python -m training.train training/configs/lite.yaml`",
        "```sh\nvfe enhance 'frames/*.png' -o out --scale 2     # a comment\n```",
    ],
)
def test_what_is_there_passes(text: str) -> None:
    assert [error for check in CHECKS for error in check(text, ROOT / "README.md")] == []
