"""A curation that is killed at any moment goes on: the same set, and nothing is scored twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.counting_scorer import CountingScorer
from tests.support.curated import SMALL, curate, write_raw
from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL and no fork")]
KEEP = ("--keep-above", "20")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_raw(tmp_path_factory.mktemp("raw") / "films")
    for name in ("broken.mp4", "passing.mkv"):
        (folder / name).unlink()
    return folder


@pytest.fixture(scope="module")
def expected(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        assert curate(patch, CountingScorer(folder / "notes"), raw, "-o", folder / "set", *KEEP, *SMALL) == 0
    return folder / "set"


def test_killed_before_each_change_of_the_disk_it_goes_on(raw: Path, expected: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tests.support.killed_curation", str(raw), str(expected), str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 20
