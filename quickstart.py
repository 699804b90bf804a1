#!/usr/bin/env python3
"""From a fresh clone to a restored clip, with nothing installed but Python 3.10 or newer.

  python3 quickstart.py CLIP [OPTIONS]   restore CLIP; writes clip.restored.mp4 beside clip.mp4
  python3 quickstart.py                  make a degraded clip, restore it, show before and after (folder demo/)
  python3 quickstart.py --test [OPTIONS] run ruff, mypy and the test suite; with --quick first, only what takes seconds

The first run sets up .venv from constraints.txt, which downloads PyTorch and takes minutes; later runs reuse it.
OPTIONS go to `vfe enhance` (for example --strength 0.7 --overwrite) or to pytest.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 -- this file is the one that an older Python may meet
    sys.exit(f"quickstart.py needs Python 3.10 or newer, this is {sys.version_info[0]}.{sys.version_info[1]}")

import hashlib
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # Python may have been told not to look beside this file
from vfe.video.output_name import is_glob, output_for  # noqa: E402 -- needs nothing but Python

LOG = "quickstart.log"
QUICK = ("-m", "not slow and not comfy and not gpu")  # what pytest gets for --quick
MOST_TEST_PROCESSES = 4  # of pytest: each may take 2 GB
CHILD_PATIENCE = 20.0  # seconds that a child gets after Ctrl-C to remove what it has half written
KNOWN_REASONS = {  # what a log says -> what it means
    "NewConnectionError": "the package index cannot be reached",
    "NameResolutionError": "the package index cannot be reached",
    "ConnectTimeoutError": "the package index cannot be reached",
    "ProxyError": "the package index cannot be reached",
    "No space left on device": "no space left on the disk",
    "ensurepip is not": "this Python cannot make virtual environments; on Debian and Ubuntu install python3-venv",
}
INTERRUPTED, USAGE = 130, 2

Mode = Literal["help", "clip", "demo", "test"]


class QuickstartError(Exception):
    """What stops the run: one line for the user, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    mode: Mode
    clip: Path | None = None
    extra: tuple[str, ...] = ()

    @property
    def extras(self) -> frozenset[str]:
        """The optional dependencies of pyproject.toml that this needs."""
        return frozenset({"demo": ("demo",), "test": ("test",)}.get(self.mode, ()))


def parse(argv: Sequence[str]) -> Request:
    """The command line as a Request; QuickstartError where it makes no sense."""
    if not argv:
        return Request("demo")
    first, *rest = argv
    if first in ("-h", "--help"):
        return Request("help")
    if first == "--test":
        quick = rest[:1] == ["--quick"]
        return Request("test", extra=(*QUICK, *rest[1:]) if quick else tuple(rest))
    if not first or first.startswith("-"):
        raise QuickstartError(f"the clip comes first, then its options; got {first!r} (see --help)", USAGE)
    return Request("clip", Path(first), tuple(rest))


def plan_clip(request: Request) -> tuple[list[str], Path | None]:
    """The arguments of `vfe`, and the output unless the user named one or asked for help.

    What can be known before the minutes of an installation is checked here.
    """
    clip, extra = request.clip, request.extra
    assert clip is not None  # parse() gives every clip request one
    if clip.exists() and not (clip.is_file() or clip.is_dir()):
        raise QuickstartError(f"{clip}: is a pipe or a device; give the name of a file")
    if not clip.exists() and not is_glob(clip):
        raise QuickstartError(f"{clip}: there is no such file")
    if any(option.startswith(("-o", "--ou")) or option in ("-h", "--help") for option in extra):
        return ["enhance", str(clip), *extra], None
    output = output_for(clip)
    if output.exists() and "--overwrite" not in extra:
        raise QuickstartError(f"{output} exists; move it away, add --overwrite, or name another file with -o")
    return ["enhance", str(clip), "-o", str(output), *extra], output


# --- the environment ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stamp:
    """What .venv was made from; it lies in .venv as JSON. A .venv without one is not ours and stays untouched."""

    python: str
    root: str
    requirements: str = ""
    """Hash of pyproject.toml and constraints.txt, empty while the installation is not complete."""
    extras: frozenset[str] = frozenset()

    @classmethod
    def wanted(cls, root: Path, extras: frozenset[str]) -> "Stamp":
        """The stamp of a .venv that is up to date for these extras."""
        digest = hashlib.sha256()
        for name in ("pyproject.toml", "constraints.txt"):
            digest.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
        python = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]} {sys.platform}"
        return cls(python, str(root), digest.hexdigest(), extras)

    @classmethod
    def read(cls, path: Path) -> "Stamp | None":
        """The stamp at `path`; None where there is none, an unreadable one counts as incomplete."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return cls(str(raw["python"]), str(raw["root"]), str(raw["requirements"]), frozenset(raw["extras"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return cls("", "")

    def write(self, path: Path) -> None:
        content = {**vars(self), "extras": sorted(self.extras)}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def same_interpreter(self, other: "Stamp") -> bool:
        """Whether packages installed for the one can be used by the other."""
        return (self.python, self.root) == (other.python, other.root)

    def serves(self, wanted: "Stamp") -> bool:
        """Whether nothing has to be installed."""
        return (
            self.same_interpreter(wanted) and self.requirements == wanted.requirements and self.extras >= wanted.extras
        )


Run = Callable[[Sequence[str], Path], int]
"""Runs a command in a folder and returns its exit code."""


@dataclass(frozen=True)
class Environment:
    """The virtual environment of a clone. `quiet` runs a command into the log, `loud` on the user's terminal."""

    root: Path
    quiet: Run
    loud: Run

    @property
    def folder(self) -> Path:
        return self.root / ".venv"

    @property
    def stamp_file(self) -> Path:
        return self.folder / "quickstart.json"

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def log(self) -> Path:
        return self.root / LOG

    def prepare(self, extras: frozenset[str]) -> None:
        """Create or update .venv unless it is up to date; QuickstartError says in one line what failed."""
        wanted = Stamp.wanted(self.root, extras)
        found = Stamp.read(self.stamp_file)
        if found is not None and found.serves(wanted) and self.python.exists():
            return
        if found is None and self.folder.exists():
            raise QuickstartError(f"{self.folder} exists but is not from quickstart.py; move it away or delete it")
        self.log.write_text("", encoding="utf-8")
        start = time.monotonic()
        keep = found is not None and found.same_interpreter(wanted) and self.python.exists()
        say(f"{'Updating' if keep else 'Setting up'} {self.folder} (the first time takes minutes) ...")
        if not keep:
            self._create()
        installed = found.extras if keep and found is not None else frozenset()
        complete = Stamp(wanted.python, wanted.root, wanted.requirements, wanted.extras | installed)
        Stamp(wanted.python, wanted.root).write(self.stamp_file)  # an interrupted installation is incomplete
        self._install(complete.extras)
        complete.write(self.stamp_file)
        say(f"Ready after {time.monotonic() - start:.0f} s.")

    def _create(self) -> None:
        if Path(sys.prefix).resolve() == self.folder.resolve():
            raise QuickstartError(f"{self.folder} must be made anew but is in use; run `deactivate` first")
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        Stamp("", "").write(self.stamp_file)  # ours, and of no use to any Python until it is complete
        self._step("creating .venv", [sys.executable, "-m", "venv", str(self.folder)])

    def _install(self, extras: frozenset[str]) -> None:
        # Editable: what runs is the code of this clone, also after a `git pull`.
        target = f".[{','.join(sorted(extras))}]" if extras else "."
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-c", "constraints.txt"]
        self._step("installing the packages", [str(self.python), "-m", "pip", "install", *options, "-e", target])

    def _step(self, what: str, command: list[str]) -> None:
        code = self.quiet(command, self.root)
        if code:
            raise QuickstartError(f"{what} failed: {reason(self.log) or f'exit code {code}'} (log: {self.log})")

    def run(self, arguments: Sequence[str], cwd: Path) -> int:
        """Run the environment's Python on the user's terminal."""
        return self.loud([str(self.python), *arguments], cwd)


def reason(log: Path) -> str:
    """Why a step failed, from its log: a reason that we know, else the last error, else the last line."""
    text = log.read_text(encoding="utf-8", errors="replace")
    known = [KNOWN_REASONS[sign] for sign in sorted(KNOWN_REASONS, key=text.rfind, reverse=True) if sign in text]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]  # pip's "error: subprocess-exited-..." says nothing
    return (known or errors[-1:] or lines[-1:] or [""])[0][:300]


# --- what is done in it ---------------------------------------------------------------------------------------------


def restore_clip(environment: Environment, request: Request) -> int:
    """`vfe enhance` on the user's clip."""
    arguments, output = plan_clip(request)
    environment.prepare(request.extras)
    # Relative paths among the options are the user's, so it runs in their folder.
    code = environment.run(["-m", "vfe", *arguments], Path.cwd())
    if code == 0 and output is not None:
        say(f"The restored clip is {output.resolve()}")
    return code


def demonstrate(environment: Environment, request: Request) -> int:
    """Make a degraded clip of a public-domain portrait, restore it, and put both side by side."""
    environment.prepare(request.extras)
    folder = environment.root / "demo"
    before, after, picture = folder / "degraded.mp4", folder / "restored.mp4", folder / "before_after.png"
    steps = {
        "making the degraded clip": ["-m", "training.demo", str(before)],
        "restoring it": ["-m", "vfe", "enhance", str(before), "-o", str(after), "--overwrite"],
        "comparing the two": ["-m", "vfe", "compare", str(before), str(after), "-o", str(picture), "--overwrite"],
    }
    for what, arguments in steps.items():
        code = environment.run(arguments, environment.root)
        if code:
            raise QuickstartError(f"{what} failed, see above", code)
    say(f"\nThe degraded clip: {before}\nThe restored clip: {after}\nBefore and after:  {picture}")
    return 0


def run_tests(environment: Environment, request: Request) -> int:
    """ruff, mypy and pytest, all of them whatever the first ones find; the first exit code that is not 0."""
    environment.prepare(request.extras)
    codes = {}
    checks = {"ruff": ["ruff", "check", "."], "mypy": ["mypy"], "mypy of the nodes": ["tests.mypy_nodes"]}
    for check, arguments in checks.items():
        say(f"{check} ...")
        codes[check] = environment.run(["-m", *arguments], environment.root)
    failed = " and ".join(check for check, code in codes.items() if code)
    say(f"pytest ...{f' ({failed} failed above, so the exit code is not 0 either way)' if failed else ''}")
    shared_out = ["-n", str(min(os.cpu_count() or 1, MOST_TEST_PROCESSES)), "--dist", "loadfile"]
    codes["pytest"] = environment.run(["-m", "pytest", *shared_out, *request.extra], environment.root)
    return next((code for code in codes.values() if code), 0)


# --- talking to the terminal and to other programs ------------------------------------------------------------------


def say(text: str) -> None:
    """Print at once: what other programs print must come after it."""
    print(text, flush=True)


def clean_environment(cwd: Path) -> dict[str, str]:
    """Variables with which the code of this clone runs, even where PYTHONPATH or the folder `cwd` has another `vfe`."""
    ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    ours.pop("PYTHONSAFEPATH", None)  # `python -m training.demo` is found in the clone because it runs there
    return ours if cwd == ROOT else {**ours, "PYTHONSAFEPATH": "1"}


def run_loud(command: Sequence[str], cwd: Path) -> int:
    """Run on the user's terminal."""
    with subprocess.Popen(list(command), cwd=cwd, env=clean_environment(cwd)) as child:
        try:
            return exit_code(child.wait())
        except KeyboardInterrupt:
            settle(child)
            raise


def run_quiet(command: Sequence[str], cwd: Path) -> int:
    """Run into the log, showing on a terminal the line that the program is at."""
    with (cwd / LOG).open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        with subprocess.Popen(
            list(command),
            cwd=cwd,
            env=clean_environment(cwd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as child:
            try:
                follow(child, log)
                return exit_code(child.wait())
            except KeyboardInterrupt:
                settle(child)
                raise


def follow(child: "subprocess.Popen[str]", log: TextIO) -> None:
    """Copy a child's output into the log, and the newest line of it onto a terminal."""
    assert child.stdout is not None  # run_quiet asks for a pipe
    terminal = sys.stdout.isatty()
    for line in child.stdout:
        log.write(line)
        log.flush()
        if terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line.strip()[:width].ljust(width), end="", flush=True)
    if terminal:
        print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="", flush=True)


def settle(child: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Give a child time to tidy up after Ctrl-C, which it got at the same time as we did."""
    try:
        child.wait(CHILD_PATIENCE)
    except subprocess.TimeoutExpired:
        child.terminate()


def exit_code(code: int) -> int:
    """The exit code of a child as shells report it: 128 + n for the signal n."""
    return code if code >= 0 else 128 - code


def run(argv: Sequence[str], environment: Environment) -> int:
    """Do what the command line asks for and return the exit code."""
    request = parse(argv)
    if request.mode == "help":
        say((__doc__ or "").strip())
        return 0
    actions = {"clip": restore_clip, "demo": demonstrate, "test": run_tests}
    return actions[request.mode](environment, request)


def main(argv: Sequence[str]) -> int:
    """`run` on this clone; what stops it is one line on stderr."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold what the terminal cannot show
    try:
        return run(argv, Environment(ROOT, run_quiet, run_loud))
    except QuickstartError as error:
        message, code = str(error), error.code
    except OSError as error:  # a read-only clone, a full disk
        message, code = str(error), 1
    except KeyboardInterrupt:
        message, code = "interrupted", INTERRUPTED
    print(f"quickstart: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
