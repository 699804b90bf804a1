"""The end of a curation: which clips are kept, and the manifest that training reads.

Clips lie in `candidates` until they are kept. Those that are kept move to where the manifest says, before it says so;
others leave it afterwards. So a run may die at any moment, and the manifest never names what is not there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files.aside import remove_leftovers
from ..files.durable import write_durably
from ..types import VFEError
from .record import ClipLine, LeftOut, Record, SourceLine, file_of

MANIFEST = "manifest.json"
CANDIDATES = "candidates"
FORMAT = "vfe-curation-1"


@dataclass(frozen=True)
class Judged:
    """A clip with a verdict, and the source that it is of."""

    line: ClipLine
    source: SourceLine


@dataclass(frozen=True)
class Outcome:
    """What all sources came to, in the order of their names and frames."""

    kept: tuple[Judged, ...]
    dropped: tuple[Judged, ...]
    left_out: tuple[tuple[SourceLine, LeftOut], ...]
    unscored: int
    """The clips without a verdict."""
    gone: int
    """The clips that would be kept, but whose files are gone."""


def check_manifest(folder: Path) -> None:
    """Raise VFEError where there is a manifest that no curation wrote: it is the user's."""
    path = folder / MANIFEST
    if not path.exists():
        return
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ours = isinstance(raw, dict) and raw.get("format") == FORMAT
    except (OSError, ValueError, RecursionError):
        ours = False
    if not ours:
        raise VFEError(f"{path}: is not of a curation and would be replaced; choose another folder, or move it away")


def decide(folder: Path, record: Record, keep_above: float) -> Outcome:
    """Return which clips are kept: those with a total of strictly more, whose files are there."""
    kept, dropped, left_out = [], [], []
    unscored = gone = 0
    for source in sorted(record.sources.values(), key=lambda source: (source.source, source.content)):
        left_out += [(source, stretch) for stretch in source.left_out]
        for listed in source.clips:
            line = record.line_of(listed)
            if line is None:
                unscored += 1
            elif line.total <= keep_above:
                dropped.append(Judged(line, source))
            elif where_is(folder, line) is None:
                gone += 1
            else:
                kept.append(Judged(line, source))
    return Outcome(tuple(kept), tuple(dropped), tuple(left_out), unscored, gone)


def where_is(folder: Path, line: ClipLine) -> Path | None:
    """Return the file of a clip, kept or not; None where it, or its labels, are gone."""
    paths = (folder / line.file, folder / CANDIDATES / line.file)
    return next((path for path in paths if path.is_file()), None) if (folder / line.label).is_file() else None


def publish(folder: Path, record: Record, outcome: Outcome, keep_above: float) -> None:
    """Move files to where they belong, and write the manifest. Raises VFEError and OSError."""
    kept = {judged.line.clip for judged in outcome.kept}
    for judged in outcome.kept:
        _move(folder / CANDIDATES / judged.line.file, folder / judged.line.file)
    items = [_item(judged) for judged in outcome.kept]
    scorers = sorted({judged.line.scorer for judged in outcome.kept + outcome.dropped})
    head = {"format": FORMAT, "keep_above": keep_above, "scorers": scorers}
    lines = ",\n".join("  " + json.dumps(item) for item in items)
    text = json.dumps(head, indent=1)[:-2] + ',\n "items": [\n' + lines + "\n ]\n}\n"
    remove_leftovers(folder / MANIFEST)
    write_durably(folder / MANIFEST, text)
    for line in {line.clip: line for line in record.clips}.values():
        if line.clip not in kept:
            _move(folder / line.file, folder / CANDIDATES / line.file)


def candidate_path(folder: Path, kind: str, clip: str) -> Path:
    """Return where the file of a new clip is written."""
    return folder / CANDIDATES / file_of(kind, clip)


def _move(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _item(judged: Judged) -> dict[str, Any]:
    """Return what the manifest says of a clip."""
    line, source = judged.line, judged.source
    return {
        "file": line.file,
        "label": line.label,
        "kind": line.kind,
        "frames": line.count,
        "fps": line.fps,
        "size": [line.side, line.side],
        "sharp": line.sharp,
        "open": source.open,
        "licence": source.licence,
        "person": source.person or source.content[:16],
        "source": source.source,
        "start_frame": line.frames[0],
        "window": list(line.window),
        "face": line.face,
        "mask": line.mask,
        "sha256": line.sha256,
        "scorer": line.scorer,
        "score": line.total,
    }
