"""What was measured, written for people and for programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any


def write_results(folder: Path, name: str, text: str, raw: object) -> None:
    """Write `name`.md with a text, and `name`.json with what JSON can hold of the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(f"{text}\n", encoding="utf-8")
    plain = json.dumps(without_nan(raw), indent=1, allow_nan=False)
    (folder / f"{name}.json").write_text(f"{plain}\n", encoding="utf-8")


def without_nan(tree: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """What JSON can hold of a tree: null for figures that nothing judged."""
    if isinstance(tree, dict):
        return {key: without_nan(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [without_nan(value) for value in tree]
    return None if isinstance(tree, float) and math.isnan(tree) else tree
