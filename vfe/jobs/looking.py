"""The first pass over a source, which goes on after a kill: what the nets answered on faces is kept until the plan is.

The source is decoded again, for the pass learns times and checksums from that; but the nets look at no frame twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from .. import __version__
from ..face.detect.weights import BUNDLED
from ..face.track.remembered import FaceMemory
from ..files.answer_log import open_answers
from ..files.fingerprint import fingerprint
from ..options import RestoreOptions
from ..restore.restorer import Restorer
from ..restore.survey import Survey
from ..types import Progress
from ..video.errors import reading, writing
from ..video.read import Source
from .identity import SourceIdentity
from .layout import answers_file


def look_through(
    source: Source,
    identity: SourceIdentity,
    folder: Path,
    restorer: Restorer,
    options: RestoreOptions,
    on_progress: Progress,
) -> Survey:
    """Survey a source for the job in a folder. Raises VFEError for what cannot be read or written."""
    if not restorer.finds_faces(options) or options.tracks is not None:
        return restorer.survey(source, options, on_progress)
    with _memory_of(answers_file(folder), identity) as memory:
        return restorer.survey(source, options, on_progress, memory)


@contextmanager
def _memory_of(path: Path, identity: SourceIdentity) -> Iterator[FaceMemory | None]:
    """Open what was answered on the faces of a source; None where another process writes there."""
    with reading(BUNDLED):
        net = fingerprint(BUNDLED)
    known = {
        "source": asdict(identity),
        "net": net,
        "vfe": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    with ExitStack() as stack:
        with writing(path):
            log = stack.enter_context(open_answers(path, json.dumps(known, sort_keys=True)))
        yield None if log is None else FaceMemory(path, log)
