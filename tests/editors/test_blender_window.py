"""The add-on in a window of Blender, restoring for real while somebody could go on working.

The variable VFE_BLENDER names Blender; it and xvfb-run are needed. VFE_SCREENSHOTS names a folder for the pictures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from editors.blender.make_zip import make_zip
from tests.support.paths import ROOT

BLENDERS = [name for name in os.environ.get("VFE_BLENDER", "").split(os.pathsep) if Path(name).stem == "blender"]
WINDOW = ("--factory-startup", "--app-template", "Video_Editing", "--window-geometry", "0", "0", "1280", "720")
XVFB = shutil.which("xvfb-run")
BEFORE = ["Astronaut 1", "Astronaut 2"]
AFTER = [*BEFORE, "Astronaut 1 restored", "Astronaut 2 restored"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BLENDERS, reason="VFE_BLENDER names no Blender"),
    pytest.mark.skipif(XVFB is None, reason="there is no xvfb-run"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened in the window."""
    folder = tmp_path_factory.mktemp("window")
    clip = folder / "astronaut.mp4"
    subprocess.run([sys.executable, "-m", "training.demo", str(clip)], cwd=ROOT, check=True, capture_output=True)
    program = folder / "vfe"
    program.write_text(f'#!/bin/sh\ncd "{ROOT}"\nexec "{sys.executable}" -m vfe "$@"\n')
    program.chmod(0o755)
    order = {"package": str(make_zip(folder)), "program": str(program), "clip": str(clip), "folder": str(folder)}
    (folder / "order.json").write_text(json.dumps(order))
    own = {f"BLENDER_USER_{kind}": str(folder / "user" / kind) for kind in ("RESOURCES", "CONFIG", "SCRIPTS")}
    script = ROOT / "tests" / "support" / "blender_window.py"
    start = [str(XVFB), "-a", "-s", "-screen 0 1280x720x24", BLENDERS[0], *WINDOW, "-P", str(script)]
    with (folder / "log").open("w") as log:
        command = [*start, "--", str(folder / "order.json")]
        subprocess.run(command, env=os.environ | own, stdout=log, stderr=log, timeout=600, check=False)
    told = folder / "told.json"
    assert told.exists(), (folder / "log").read_text()[-2000:]
    kept = os.environ.get("VFE_SCREENSHOTS")
    for picture in folder.glob("*.png") if kept else ():
        shutil.copy(picture, Path(str(kept)) / f"blender_{picture.name}")
    read: dict[str, Any] = json.loads(told.read_text())
    return read


def test_results_appear_when_the_run_has_ended(told: dict[str, Any]) -> None:
    assert told["after"] == AFTER


def test_the_panel_says_how_far_it_is(told: dict[str, Any]) -> None:
    stages = ("starting", "finding faces", "restoring")
    seen = [stage for stage in stages if any(stage in text for text in told["texts"])]
    assert seen == list(stages)


def test_one_run_at_a_time(told: dict[str, Any]) -> None:
    assert told["poll while it runs"] is False


def test_cancelling_leaves_nothing_behind(told: dict[str, Any]) -> None:
    assert told["after cancel"] == BEFORE
    assert told["left by cancel"] == []


def test_undo_and_redo_are_one_step(told: dict[str, Any]) -> None:
    assert told["undone"] == BEFORE
    assert told["redone"] == AFTER
