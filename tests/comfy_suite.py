"""The tests inside ComfyUI and on its page: `python -m tests.comfy_suite [OPTIONS OF PYTEST]`.

ComfyUI needs torchvision and some hundred other packages, so it has an environment beside the checkout's cache, made
once for its requirements (several GB). COMFYUI_PYTHON names another Python that can run ComfyUI. Without a checkout,
or where the packages cannot be had, nothing is tested, and the last line says why. Needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.comfy_checkout import CACHE, comfyui_checkout, why_no_comfyui
from tests.support.paths import ROOT

CONSTRAINTS = ROOT / "tests" / "comfy_constraints.txt"
TOOLS = ("pytest", "playwright", "diffusers", "scikit-image", "accelerate", "peft", "gguf")
"""What the tests need beside ComfyUI's requirements."""
INSTALL = ("--disable-pip-version-check", "--no-input", "-q", "-c", str(CONSTRAINTS))
INSTALL_SECONDS = 900


class NotPrepared(Exception):
    """Why there is no environment, in one line."""


def environment(checkout: Path) -> Path:
    """The Python that runs ComfyUI; made the first time. Raises NotPrepared."""
    named = os.environ.get("COMFYUI_PYTHON")
    if named:
        return Path(named)
    wanted = (checkout / "requirements.txt").read_bytes() + CONSTRAINTS.read_bytes() + sys.version.encode()
    folder = CACHE / f"comfyui-env-{hashlib.sha256(wanted).hexdigest()[:12]}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        print(f"making {folder.name} for ComfyUI (several GB, once) ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)], "creating the environment")
        packages = ["torch", "torchvision", "torchaudio", "-r", str(checkout / "requirements.txt"), *TOOLS]
        _run([str(python), "-m", "pip", "install", *INSTALL, *packages], "installing ComfyUI's requirements")
        complete.touch()
    return python


def _run(command: Sequence[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NotPrepared(f"{what} took more than {INSTALL_SECONDS} s") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotPrepared(f"{what} failed: {(errors or ['no reason given'])[-1]}")


def main(options: Sequence[str]) -> int:
    """pytest's exit code; 0 where nothing can be tested."""
    reason = why_no_comfyui()
    if reason is not None:
        return _skipped(reason)
    checkout = comfyui_checkout()
    try:
        python = environment(checkout)
    except NotPrepared as error:
        return _skipped(str(error))
    # Warnings are no errors here: ComfyUI's requirements are of other versions than ours, and warn of each other.
    chosen = ["-m", "comfy or page", "-o", "filterwarnings=default"]
    command = [str(python), "-m", "pytest", *chosen, *options]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "COMFYUI_DIR": str(checkout)}).returncode


def _skipped(reason: str) -> int:
    line = f"comfy, page: skipped ({reason})"
    print(line)
    if named := os.environ.get("VFE_SUITES"):  # see tests/support/suites.py, which needs pytest
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
