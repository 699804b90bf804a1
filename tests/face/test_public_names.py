"""The names of faces that the documents give work after `import vfe` alone, which stays light."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import reduce
from importlib.util import find_spec

import pytest

import vfe
from tests.support.paths import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = sorted({
    name for document in DOCUMENTS for name in re.findall(r"\bvfe(?:\.[A-Za-z_]\w*)+", document.read_text("utf-8"))
    if not re.search(r"\.(mp4|md|py|safetensors|json|png|yaml)$", name)
})  # fmt: skip


IMPORTED = {"vfe.degradations", "vfe.vapoursynth"}


def test_the_documents_name_something() -> None:
    assert {"vfe.load", "vfe.face.detect.FaceDetector.load", "vfe.face.track.track_faces"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_documents_are_there(name: str) -> None:
    """Some are modules that are imported by their own names, as `vfe.vapoursynth` where a host has VapourSynth."""
    if name in IMPORTED:
        assert find_spec(name)
    else:
        assert reduce(getattr, name.split(".")[1:], vfe) is not None


@pytest.mark.parametrize(
    ("older", "name"),
    [("vfe.face.tracker.track_faces", "vfe.face.track.track_faces"),
     ("vfe.face.heavy.HeavyFaceDetector", "vfe.face.detect.HeavyFaceDetector")],
)  # fmt: skip
def test_older_names_lead_to_the_same(older: str, name: str) -> None:
    assert reduce(getattr, older.split(".")[1:], vfe) is reduce(getattr, name.split(".")[1:], vfe)


@pytest.mark.parametrize("line", ["from vfe.face.tracker import track_faces", "import vfe.face.heavy"])
def test_older_modules_can_be_imported(line: str) -> None:
    subprocess.run([sys.executable, "-c", line], cwd=ROOT, check=True)


@pytest.mark.parametrize("module", ["vfe", "vfe.face", "vfe.face.detect", "vfe.face.track"])
def test_what_is_not_there_is_said(module: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'nothing'"):
        reduce(getattr, [*module.split(".")[1:], "nothing"], vfe)


def test_no_import_waits_for_torch() -> None:
    script = "import sys, vfe; vfe.face.detect, vfe.face.track; print('torch' in sys.modules)"
    script += "; vfe.face.detect.FaceDetector.load(); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["False", "True"], run.stderr
