"""YAML files that people write are read as plain data; a hostile one ends in one line. Importing it imports PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..types import VFEError

LARGEST = 1 << 20  # bytes: options for ten thousand files


class _WithoutAliases(yaml.SafeLoader):
    """Refuses aliases, by which a few lines stand for more data than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - as PyYAML has it
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"line {mark.line + 1} has an alias (*), which is not taken; write the value itself")
        return super().compose_node(parent, index)


def read_yaml(path: Path, *, aliases: bool = False) -> object:
    """Return what a YAML file holds, of plain types; None for an empty one. `aliases` lets it repeat parts by name.

    Raises VFEError for a file that cannot be read, is no YAML or is larger than LARGEST.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise VFEError(f"{path}: is larger than {LARGEST >> 20} MiB, which no file of options is")
        read: object = yaml.load(data, yaml.SafeLoader if aliases else _WithoutAliases)
    except VFEError:
        raise
    except RecursionError as error:
        raise VFEError(f"{path}: cannot be read as YAML: it is nested too deeply") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: dates and numbers that are none
        raise VFEError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    return read
