"""Where the parts of a job lie in its folder, but for those of segments."""

from __future__ import annotations

from pathlib import Path

from ..files.aside import fitting_name

PLAN = "job.json"
"""What was planned; nothing changes it."""
SURVEY = "survey"
"""The folder of what a first pass over the source learned."""
ASSEMBLED = "assembled"
"""The stem of the whole output, on its way to its place."""
VOUCHED = "assembled.ok"
"""What vouches for it."""
ASSEMBLY = "assembly"
"""What stands in place of a segment's id where a process says that it assembles the output."""


def survey_folder(folder: Path) -> Path:
    """Return where a job has its survey."""
    return folder / SURVEY


def answers_file(folder: Path) -> Path:
    """Return where the answers on faces are kept while a job is planned: beside its folder, which is not there yet."""
    return folder.with_name(fitting_name(f".{folder.name.lstrip('.')}", ".faces"))
