"""YAML files from outside: what is read, and hostile ones in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli_run import run_python
from vfe.files.yaml_file import LARGEST, read_yaml
from vfe.types import VFEError

BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


def test_plain_values_are_read(tmp_path: Path) -> None:
    (path := tmp_path / "a.yaml").write_text("a: 1\nb: [x, 0.5]\n", encoding="utf-8")
    assert read_yaml(path) == {"a": 1, "b": ["x", 0.5]}


def test_an_empty_file_is_none(tmp_path: Path) -> None:
    (path := tmp_path / "a.yaml").write_text("# nothing\n")
    assert read_yaml(path) is None


@pytest.mark.parametrize(
    "data",
    [
        b"a: [1",
        b"\xff\xfe\x00",
        b"\x00",
        b"a: \xe9",
        b"[" * 50_000,
        b"a: !!python/object/apply:os.system [exit]",
        b"? [1]\n: 2",
        b"a: 2001-99-99",
        b"a: 0x" + b"f" * 100_000 + b"\nb: " + b"1" * 100_000,
        b"a: b\n" * (LARGEST // 5 + 1),
        BOMB.encode(),
    ],
)
def test_a_hostile_file_is_one_line(data: bytes, tmp_path: Path) -> None:
    (path := tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(VFEError, match=r"a\.yaml: ") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_aliases_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    (path := tmp_path / "a.yaml").write_text(BOMB)
    read = read_yaml(path, aliases=True)
    assert isinstance(read, dict)
    assert read["b"] == [["x", "x"], ["x", "x"]]


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(VFEError, match=r"none\.yaml: cannot be read"):
        read_yaml(tmp_path / "none.yaml")


def test_the_command_does_not_wait_for_pyyaml() -> None:
    run = run_python("-c", "import sys; import vfe.cli.parser, vfe.cli.enhance; sys.exit('yaml' in sys.modules)")
    assert run.code == 0, run.err
