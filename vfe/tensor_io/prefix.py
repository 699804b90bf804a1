"""Where in a file a model's names start: whole pipelines and training runs put "dit." and more before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .source import TensorSource


class Found(NamedTuple):
    prefix: str  # "", "model.diffusion_model.", "pipe.dit.", ...
    mark: str  # the name after it, by which the model is known


def find_marks(source: TensorSource, marks: Iterable[str]) -> list[Found]:
    """Every place in a file where one of `marks` is a name, or the end of one."""
    return [found for mark in marks for found in _find(source, mark)]


def _find(source: TensorSource, mark: str) -> Iterator[Found]:
    for name in source.names:
        if name == mark or name.endswith(f".{mark}"):
            yield Found(name[: -len(mark)], mark)


def names_after(source: TensorSource, prefix: str) -> dict[str, str]:
    """{name without the prefix: name} of the tensors behind it: others in the file belong to other models."""
    return {name[len(prefix) :]: name for name in source.names if name.startswith(prefix)}


def label(found: Found) -> str:
    """For people: where the model was."""
    return f", prefix {found.prefix}" if found.prefix else ""
