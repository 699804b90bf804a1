"""The list of a data set: manifest.json beside its folders, an object whose `items` name files, kinds and terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIELDS = {"file": str, "kind": str, "open": bool}
"""What every item has: its path below the manifest, what it is, and whether it may train weights that are published."""


def read_items(root: Path, setting: str) -> list[dict[str, Any]]:
    """The items of `root`/manifest.json; what else than `FIELDS` they have is for the reader to check.

    Raises ValueError, which names the `setting` that says where the manifest is, where there is none or it is no such
    list.
    """
    path = root / "manifest.json"
    if not path.is_file():
        raise ValueError(f"no manifest.json in {root}: set {setting}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); needed is a manifest: set {setting}") from error
    items = manifest.get("items") if isinstance(manifest, dict) else None
    if not isinstance(items, list):
        raise ValueError(f"{path} has no list `items`; needed is a manifest: set {setting}")
    for number, item in enumerate(items):
        given = item if isinstance(item, dict) else {}
        wrong = [name for name, kind in FIELDS.items() if type(given.get(name)) is not kind]
        if wrong:
            raise ValueError(f"{path}: item {number} has no {' or '.join(wrong)} of the right type: mend the manifest")
    return items
