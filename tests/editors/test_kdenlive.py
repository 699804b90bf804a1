"""The clip job of Kdenlive: its lines are what Kdenlive reads, its command runs, and other jobs stay as they were."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from editors.kdenlive import install
from tests.support.clips import Clip, write_clip
from tests.support.vfe_program import vfe_program
from vfe.video.probe import probe

GROUPS = {
    "Ids", "Binary", "Parameters", "Output", "FolderName", "FolderUse", "EnabledTypes", "Param1Type", "Param1List",
    "Param1Name", "Param2Type", "Param2List", "Param2Name", "Description",
}  # fmt: skip
"""Those that ClipJobManager of Kdenlive reads."""

OTHERS = """#Built in jobs have no name
[Ids]
stabilize=
custom=My Custom job
{7c2}=Loud

[Parameters]
{7c2}=-i {source} -af volume=2 {output}

[Binary]
{7c2}=/usr/bin/ffmpeg
"""


def settings_of(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text(encoding="utf-8"))
    return {name: dict(parser[name]) for name in parser.sections()}


def job_of(path: Path) -> dict[str, str]:
    return {group: entries["vfe"] for group, entries in settings_of(path).items() if "vfe" in entries}


def command_of(job: dict[str, str], source: Path, choice: str) -> tuple[list[str], Path]:
    """The command line as CustomJobTask of Kdenlive makes it, and the file that it waits for."""
    output = source.with_name(f"{source.name.partition('.')[0]}.{job['Output']}")
    words = [word for word in job["Parameters"].split(" ") if word]
    for name, value in (("output", output), ("source", source), ("param1", choice)):
        words = [word.replace(f"{{{name}}}", str(value)) for word in words]
    return [job["Binary"], *words], output


def test_every_line_is_one_that_kdenlive_reads(tmp_path: Path) -> None:
    job = job_of(install.install(tmp_path, "/opt/vfe"))
    assert job.keys() <= GROUPS
    assert {"Ids", "Binary", "Parameters", "Output"} <= job.keys()  # fewer, and Kdenlive takes it for none
    assert job["Binary"] == "/opt/vfe"
    assert job["FolderUse"] in {"replace", "rootfolder", "subfolder"}
    assert job["Param1Type"] in {"file", "list"}


KREADCONFIG = shutil.which("kreadconfig6") or shutil.which("kreadconfig5")


@pytest.mark.skipif(KREADCONFIG is None, reason="needs kreadconfig, of KDE's libraries")
def test_the_library_of_kdenlive_reads_the_same(tmp_path: Path) -> None:
    path = install.install(tmp_path, "/opt/with space/vfe")
    for group, expected in job_of(path).items():
        asked = [str(KREADCONFIG), "--file", str(path), "--group", group, "--key", "vfe"]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == f"{expected}\n"


def test_paths_of_windows_need_no_escapes(tmp_path: Path) -> None:
    job = job_of(install.install(tmp_path, "C:\\Program Files\\vfe.exe"))
    assert job["Binary"] == "C:/Program Files/vfe.exe"


def test_other_jobs_stay_and_ours_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / install.FILE
    path.write_text(OTHERS, encoding="utf-8")
    install.install(tmp_path, "/old/vfe")
    install.install(tmp_path, "/new/vfe")
    before = {group: entries for group, entries in settings_of(write(tmp_path / "before", OTHERS)).items()}
    for group, entries in before.items():
        after = settings_of(path)[group]
        assert {name: value for name, value in after.items() if name != "vfe"} == entries
    assert job_of(path)["Binary"] == "/new/vfe"
    assert path.read_text(encoding="utf-8").count("vfe=") == len(job_of(path))
    assert [line for line in OTHERS.splitlines() if line not in path.read_text(encoding="utf-8").splitlines()] == []


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_that_cannot_be_read_stay(tmp_path: Path) -> None:
    (tmp_path / install.FILE).write_bytes(b"[Ids]\nx=\xff\n")
    with pytest.raises(UnicodeDecodeError):
        install.install(tmp_path, "/opt/vfe")
    assert (tmp_path / install.FILE).read_bytes() == b"[Ids]\nx=\xff\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the program of the test is a script of Unix")
@pytest.mark.parametrize("choice", ["face", "auto", "frame"])
def test_the_command_restores_a_clip(choice: str, tmp_path: Path) -> None:
    folder = tmp_path / "with spaces"
    folder.mkdir()
    job = job_of(install.install(tmp_path, str(vfe_program(folder))))
    assert choice in job["Param1List"].split("  ")
    source = write_clip(folder / "my clip.mp4", Clip(frames=6, width=128, height=96))
    command, output = command_of(job, source, choice)
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert output.name == "my clip.restored.mkv"
    assert probe(output).frames == 6
    assert [line for line in done.stderr.splitlines() if line.startswith("percentage: ")][-1] == "percentage: 100"
