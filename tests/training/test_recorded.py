"""What of a run's config is recorded in its files: all but where files lie, and told by field, not by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import CONFIGS
from training.run.recorded import NOT_RECORDED, recorded
from training.train import load_config


@dataclass(frozen=True)
class Part:
    root: str = "a value that happens to have that name"
    folder: str = field(default="/home/somebody", metadata=NOT_RECORDED)


@dataclass(frozen=True)
class Whole:
    root: str = field(default="/home/somebody", metadata=NOT_RECORDED)
    part: Part = Part()
    parts: tuple[Part, ...] = (Part(), Part())
    rate: float = 0.5


def strings(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def test_a_field_is_left_out_where_it_is_marked_alone() -> None:
    part = {"root": "a value that happens to have that name"}
    assert recorded(Whole()) == {"part": part, "parts": [part, part], "rate": 0.5}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_config_records_a_path(path: Path) -> None:
    facts = load_config(path).facts()
    assert [text for text in strings(facts) if "/" in text or "\\" in text or text.endswith(".safetensors")] == []


def test_what_was_trained_on_is_recorded() -> None:
    facts = load_config(CONFIGS / "lite.yaml").facts()
    assert facts["data"]["open_only"] is True
    assert "root" not in facts["data"]
