"""Where the parts of a job lie in its folder, but for those of segments."""

from __future__ import annotations

from pathlib import Path

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
