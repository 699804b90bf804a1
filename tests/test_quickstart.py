"""quickstart.py: what it accepts, when it installs, what it says; with commands recorded instead of run."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import quickstart
from quickstart import Environment, QuickstartError, Request, Stamp, parse, plan_clip
from tests.support.paths import ROOT
from vfe.video.output_name import output_for


class Recorder:
    """Stands in for running commands: keeps them, makes the venv's Python, and fails where told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[list[str]] = []
        self.folders: list[Path] = []
        self.codes: dict[str, int] = {}
        self.log = ""
        self.interrupt = ""

    def __call__(self, command: Sequence[str], cwd: Path) -> int:
        self.commands.append(list(command))
        self.folders.append(cwd)
        line = " ".join(command)
        if "-m venv" in line:
            python = Environment(self.root, self, self).python
            python.parent.mkdir(parents=True)
            python.touch()
        if self.interrupt and self.interrupt in line:
            raise KeyboardInterrupt
        with (self.root / quickstart.LOG).open("a") as log:
            log.write(self.log)
        return next((code for part, code in self.codes.items() if part in line), 0)

    def did(self) -> list[str]:
        """The module that each command ran, with the subcommand of vfe."""
        return [" ".join(c[2:4]) if c[2] == "vfe" else c[2] for c in self.commands]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def recorder(clone: Path) -> Recorder:
    return Recorder(clone)


@pytest.fixture
def environment(clone: Path, recorder: Recorder) -> Environment:
    return Environment(clone, recorder, recorder)


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").touch()
    return Path("clip.mp4")


# --- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], Request("demo")),
        (["--help"], Request("help")),
        (["--test"], Request("test")),
        (["--test", "-k", "dit"], Request("test", extra=("-k", "dit"))),
        (["--test", "--quick", "-k", "dit"], Request("test", extra=(*quickstart.QUICK, "-k", "dit"))),
        (["clip.mp4"], Request("clip", Path("clip.mp4"))),
        (["clip.mp4", "--crf", "12"], Request("clip", Path("clip.mp4"), ("--crf", "12"))),
    ],
)
def test_parse(argv: list[str], expected: Request) -> None:
    assert parse(argv) == expected


@pytest.mark.parametrize("argv", [["--tests"], ["--crf", "12", "clip.mp4"], [""]])
def test_wrong_usage(argv: list[str]) -> None:
    with pytest.raises(QuickstartError) as error:
        parse(argv)
    assert error.value.code == 2


def test_output_names(tmp_path: Path) -> None:
    for folder in ("frames", "v1.0", "[My] frames"):
        (tmp_path / "out" / folder).mkdir(parents=True)
    names = {
        "clip.mp4": "clip.restored.mp4",
        "Clip.MOV": "Clip.restored.MOV",
        "a.b.mkv": "a.b.restored.mkv",
        "clip.webm": "clip.restored.mp4",
        "photo.JPG": "photo.restored.png",
        "frames": "frames_restored",
        "frames/*.png": "frames_restored",
        "v1.0": "v1_0_restored",
        "[My] frames": "[My] frames_restored",
        "[My] frames/*.png": "[My] frames_restored",
        "f*/1.png": "out_restored",
        "é" * 120 + ".webm": "é" * 120 + ".restored.mp4",
        "é" * 125 + ".mp4": "é" * 121 + ".restored.mp4",
        "x" * 251 + ".png": "x" * 242 + ".restored.png",
    }
    tmp_path = tmp_path / "out"
    assert {name: output_for(tmp_path / name).name for name in names} == names
    assert output_for(tmp_path / "frames/*.png") == tmp_path / "frames_restored"


def test_missing_clip_is_said_before_anything_is_installed(environment: Environment, recorder: Recorder) -> None:
    with pytest.raises(QuickstartError, match=r"nowhere\.mp4: there is no such file"):
        quickstart.run(["nowhere.mp4"], environment)
    assert not recorder.commands


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_pipe_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(QuickstartError, match="is a pipe or a device"):
        plan_clip(Request("clip", tmp_path / "pipe.mp4"))


def test_existing_output_is_not_replaced_unless_asked(clip: Path) -> None:
    Path("clip.restored.mp4").touch()
    with pytest.raises(QuickstartError, match="--overwrite"):
        plan_clip(Request("clip", clip))
    arguments, _ = plan_clip(Request("clip", clip, ("--overwrite",)))
    assert arguments == ["enhance", "clip.mp4", "-o", "clip.restored.mp4", "--overwrite"]


@pytest.mark.parametrize("named", [("-o", "x.mkv"), ("-ox.mkv",), ("--output=x.mkv",)])
def test_the_users_own_output(clip: Path, named: tuple[str, ...]) -> None:
    Path("clip.restored.mp4").touch()
    assert plan_clip(Request("clip", clip, named)) == (["enhance", "clip.mp4", *named], None)


# --- when it installs -----------------------------------------------------------------------------------------------


def test_first_run_sets_up_and_the_second_reuses(clip: Path, environment: Environment, recorder: Recorder) -> None:
    assert quickstart.run([str(clip)], environment) == 0
    assert recorder.did() == ["venv", "pip", "vfe enhance"]
    assert recorder.folders == [environment.root, environment.root, Path.cwd()]
    install = shlex.join(recorder.commands[1])
    assert "-c constraints.txt" in install
    assert install.endswith("-e .")
    assert quickstart.run([str(clip)], environment) == 0
    assert recorder.did()[3:] == ["vfe enhance"]


def test_extras_are_added_and_kept(environment: Environment, recorder: Recorder) -> None:
    environment.prepare(frozenset({"test"}))
    environment.prepare(frozenset({"demo"}))
    environment.prepare(frozenset())
    assert recorder.did() == ["venv", "pip", "pip"]
    assert [command[-1] for command in recorder.commands[1:]] == [".[test]", ".[demo,test]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_venv(
    name: str, environment: Environment, recorder: Recorder
) -> None:
    environment.prepare(frozenset())
    with (environment.root / name).open("a") as file:
        file.write("\n# changed\n")
    environment.prepare(frozenset())
    assert recorder.did() == ["venv", "pip", "pip"]


def test_another_python_or_a_moved_clone_makes_a_new_venv(environment: Environment, recorder: Recorder) -> None:
    for key in ("python", "root"):
        environment.prepare(frozenset())
        stamp = json.loads(environment.stamp_file.read_text())
        environment.stamp_file.write_text(json.dumps({**stamp, key: "another"}))
        recorder.commands.clear()
        environment.prepare(frozenset())
        assert recorder.did() == ["venv", "pip"]


def test_a_broken_venv_is_made_anew(environment: Environment, recorder: Recorder) -> None:
    environment.prepare(frozenset())
    environment.python.unlink()
    environment.prepare(frozenset())
    environment.stamp_file.write_text("not json")
    environment.prepare(frozenset())
    assert recorder.did() == ["venv", "pip"] * 3


@pytest.mark.parametrize(("step", "again"), [("-m venv", ["venv", "pip"]), ("-m pip", ["pip"])])
def test_an_interrupted_installation_is_taken_up_again(
    step: str, again: list[str], environment: Environment, recorder: Recorder
) -> None:
    recorder.interrupt = step
    with pytest.raises(KeyboardInterrupt):
        environment.prepare(frozenset())
    recorder.interrupt = ""
    recorder.commands.clear()
    environment.prepare(frozenset())
    assert recorder.did() == again


def test_a_venv_of_the_user_is_left_alone(environment: Environment, recorder: Recorder) -> None:
    environment.folder.mkdir()
    with pytest.raises(QuickstartError, match="is not from quickstart"):
        environment.prepare(frozenset())
    assert not recorder.commands


def test_stamp_round_trip(clone: Path, tmp_path: Path) -> None:
    stamp = Stamp.wanted(clone, frozenset({"test", "demo"}))
    stamp.write(tmp_path / "stamp.json")
    assert Stamp.read(tmp_path / "stamp.json") == stamp
    assert Stamp.read(tmp_path / "none.json") is None


# --- what it says when something fails ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            "ERROR: No matching distribution found for torch\nerror: subprocess-exited\n",
            "No matching distribution found",
        ),
        ("WARNING: Retrying after NewConnectionError\nERROR: No matching distribution\n", "index cannot be reached"),
        ("because ensurepip is not\navailable.\nFailing command: python\n", "install python3-venv"),
        ("Killed\n", "Killed"),
        ("", "exit code 3"),
    ],
)
def test_failed_step_is_one_line_with_the_log(
    log: str, expected: str, environment: Environment, recorder: Recorder
) -> None:
    recorder.codes, recorder.log = {"-m pip": 3}, log
    with pytest.raises(QuickstartError) as error:
        environment.prepare(frozenset())
    message = str(error.value)
    assert message.startswith("installing the packages failed: ")
    assert expected in message
    assert str(environment.log) in message
    assert "\n" not in message
    assert environment.log.exists()


def test_main_prints_one_line_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "quickstart.py"), "missing.mp4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "quickstart: missing.mp4: there is no such file\n"


def test_main_is_interrupted_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: Environment, recorder: Recorder
) -> None:
    recorder.interrupt = "-m venv"
    monkeypatch.setattr(quickstart, "Environment", lambda *_: environment)
    assert quickstart.main([]) == 130
    assert capsys.readouterr().err == "quickstart: interrupted\n"


# --- what it runs ---------------------------------------------------------------------------------------------------


def test_demo_makes_restores_and_compares(
    environment: Environment, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quickstart.run([], environment) == 0
    assert recorder.did() == ["venv", "pip", "training.demo", "vfe enhance", "vfe compare"]
    assert recorder.commands[1][-1] == ".[demo]"
    out = capsys.readouterr().out
    assert all(str(environment.root / "demo" / n) in out for n in ("degraded.mp4", "restored.mp4", "before_after.png"))
    recorder.codes = {"training.demo": 1}
    with pytest.raises(QuickstartError, match="making the degraded clip failed"):
        quickstart.run([], environment)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({}, 0),
        ({"-m ruff": 1}, 1),
        ({"-m mypy": 2}, 2),
        ({"-m tests.mypy_nodes": 1}, 1),
        ({"-m pytest": 5}, 5),
        ({"-m ruff": 1, "-m pytest": 5}, 1),
    ],
)
def test_test_mode_runs_all_of_them_and_passes_the_exit_code_on(
    codes: dict[str, int], expected: int, environment: Environment, recorder: Recorder
) -> None:
    recorder.codes = codes
    assert quickstart.run(["--test", "-k", "dit"], environment) == expected
    assert recorder.did() == ["venv", "pip", "ruff", "mypy", "tests.mypy_nodes", "pytest"]
    assert recorder.commands[1][-1] == ".[test]"
    assert recorder.commands[-1][-2:] == ["-k", "dit"]


def test_exit_code_of_enhance_is_passed_on(clip: Path, environment: Environment, recorder: Recorder) -> None:
    recorder.codes = {"-m vfe": 1}
    assert quickstart.run([str(clip)], environment) == 1


def test_a_signal_is_reported_as_shells_do() -> None:
    assert [quickstart.exit_code(code) for code in (0, 3, -2, -9)] == [0, 3, 130, 137]


def test_quiet_commands_go_into_the_log(tmp_path: Path) -> None:
    code = quickstart.run_quiet([sys.executable, "-c", "import sys; print('out'); sys.exit('err')"], tmp_path)
    assert code == 1
    assert (tmp_path / quickstart.LOG).read_text().splitlines()[1:] in (["out", "err"], ["err", "out"])


def test_the_code_of_the_clone_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "PYTHONPATH" not in quickstart.clean_environment(tmp_path)
    assert quickstart.clean_environment(tmp_path)["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in quickstart.clean_environment(ROOT)


def test_ci_calls_the_second_command() -> None:
    assert "python3 quickstart.py --test" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_has_commands_that_quickstart_takes() -> None:
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    commands = [shlex.split(line, comments=True)[2:] for line in lines if line.startswith("python3 quickstart.py")]
    requests = [parse(argv) for argv in commands]
    assert Request("clip", Path("clip.mp4")) in requests
    assert Request("test") in requests


@pytest.mark.parametrize("version", ["3.9", "3.6"])
def test_the_file_parses_where_python_is_too_old(version: str) -> None:
    major, minor = version.split(".")
    ast.parse((ROOT / "quickstart.py").read_text(encoding="utf-8"), feature_version=(int(major), int(minor)))
