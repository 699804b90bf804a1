"""Which values of a run's config are recorded in the metadata of the files that the run exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

NOT_RECORDED: Mapping[Any, Any] = MappingProxyType({"recorded": False})
"""`field(metadata=NOT_RECORDED)` marks a field that says where files lie on the training machine, or whose value has a
place of its own in the exported file."""


def recorded(config: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass instance
    """A dataclass as plain values, without the fields marked `NOT_RECORDED`, in it and in the dataclasses in it."""
    return {
        each.name: _plain(getattr(config, each.name)) for each in fields(config) if each.metadata.get("recorded", True)
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a config holds
    if is_dataclass(value):
        return recorded(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
