"""What version 0.2.0 called otherwise still works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import vfe
from vfe.options import ModelOptions
from vfe.restore import restorer


def test_context_is_the_prompt_embedding() -> None:
    options = ModelOptions(context=Path("empty.safetensors"))
    assert options == ModelOptions(prompt_embedding=Path("empty.safetensors"))
    assert replace(options, fp8=True).prompt_embedding == Path("empty.safetensors")
    with pytest.raises(ValueError, match="given twice"):
        ModelOptions(context=Path("a"), prompt_embedding=Path("b"))


@pytest.mark.parametrize("name", ["notify", "tell"])
def test_plans_are_told_under_both_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    given = []
    monkeypatch.setattr(restorer, "load_pipeline", lambda _request, notify: given.append(notify))
    vfe.load("lite", "cpu", options=ModelOptions(face_model="none"), **{name: told.append})  # type: ignore[arg-type]
    given[0]("a plan")
    assert told == ["a plan"]
