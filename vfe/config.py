"""Fill frozen dataclasses from mappings: the one way by which YAML files and metadata of models become configs."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def from_mapping(cls: type[T], raw: Mapping[str, Any], where: str = "") -> T:
    """Return the dataclass `cls` filled from a mapping, and nested ones too.

    Raises ValueError that names the key, after `where`, for unknown and missing keys and for values of another type.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(f"{where or cls.__name__}: got {raw!r}, needed keys of {cls.__name__}")
    hints = typing.get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise ValueError(f"{where or cls.__name__}: unknown keys {unknown}, known are {known}")
    values = {name: _convert(hints[name], value, f"{where}.{name}".lstrip(".")) for name, value in raw.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{where or cls.__name__}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - any type
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _convert(next(a for a in args if a is not type(None)), value, where)
    if is_dataclass(hint):
        return from_mapping(typing.cast("type[Any]", hint), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where}: got {value!r}, needed a list")
        element = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else args
        if len(value) != len(element):
            raise ValueError(f"{where}: got {value!r}, needed a list of {len(element)}")
        return tuple(
            _convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(element, value, strict=True))
        )
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{where}: got a number that is too large") from None
    if origin is dict and not isinstance(value, dict):
        raise ValueError(f"{where}: got {value!r}, needed keys and values")
    if isinstance(hint, type) and type(value) is not hint:
        raise ValueError(f"{where}: got {value!r}, needed {hint.__name__}")
    return value
