"""Where in a file a model's names start: whole pipelines and training runs put "dit." and more before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .source import TensorSource


class Found(NamedTuple):
    """A tensor by which a model is known."""

    prefix: str  # "", "model.diffusion_model.", "pipe.dit.", ...
    mark: str  # the name after it, by which the model is known


def find_marks(source: TensorSource, marks: Iterable[str]) -> list[Found]:
    """Each tensor whose name is one of `marks` or ends in a dot and one of them."""
    return [found for mark in marks for found in _find(source, mark)]


def _find(source: TensorSource, mark: str) -> Iterator[Found]:
    for name in source.names:
        if name == mark or name.endswith(f".{mark}"):
            yield Found(name[: -len(mark)], mark)


def names_after(source: TensorSource, prefix: str) -> dict[str, str]:
    """{name without the prefix: name} of the tensors whose names start with it; the others are of other models."""
    return {name[len(prefix) :]: name for name in source.names if name.startswith(prefix)}


def label(found: Found) -> str:
    """The prefix as a part of a sentence for people; empty where there is none."""
    return f", prefix {found.prefix}" if found.prefix else ""
