"""An .otio file is read in a process of its own first: OpenTimelineIO's reader ends the process for some damaged ones.

What comes back is what the process read, written anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ..types import VFEError

SECONDS = 300.0
"""How long reading may take: our own choice."""
_MAIN = "from vfe.timeline.apart import main; main()"


def read_apart(path: Path) -> str:
    """Return what an .otio file says, as OpenTimelineIO writes it. Raises VFEError for a file that is none."""
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {_MAIN}", str(path)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise VFEError(f"{path}: could not be read in {SECONDS:.0f} s; export it anew") from error
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() if done.returncode == 1 else []
    fact = " ".join(said[-1].split())[:200] if said else "its reader ended"
    raise VFEError(f"{path}: is no timeline that can be read ({fact}); export it anew")


def main() -> None:
    """Read the file that the command line names, look at all of it, and write it to standard output."""
    import opentimelineio as otio

    from .uses import clip_uses

    read = otio.adapters.read_from_file(sys.argv[1], adapter_name="otio_json")
    for timeline in [read] if isinstance(read, otio.schema.Timeline) else []:
        timeline.duration()
        list(clip_uses(timeline))
    text = otio.adapters.write_to_string(read, adapter_name="otio_json").encode("utf-8", "replace")
    while text:
        text = text[os.write(1, text) :]
