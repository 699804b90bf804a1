"""What one process makes of a film in a single pass: what a job of many must equal."""

from __future__ import annotations

from pathlib import Path

import torch

from vfe.jobs.request import ModelRequest
from vfe.options import RestoreOptions


def by_one_process(source: Path, model: ModelRequest, to: Path, options: RestoreOptions) -> bytes:
    """The bytes of a film that was restored into `to` with one thread, as workers with one processor have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model.load().restore_file(source, to, options)
    finally:
        torch.set_num_threads(before)
    return to.read_bytes()
