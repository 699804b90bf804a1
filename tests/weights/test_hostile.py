"""Damaged and hostile files: one clear line each, nothing run, memory bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.paths import ROOT
from tests.support.weight_layouts import assert_refused, holds
from vfe.tensor_io.open import open_tensors
from vfe.tensor_io.safetensors_file import MAX_HEADER
from vfe.types import VFEError

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(4, dtype=torch.bfloat16)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"x", "not a file of weights"),
        (b"hello, these are no weights at all", "not a file of weights"),
        (b"GGUF\3\0\0\0" + b"\0" * 50, "a GGUF file without tensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html><html>401</html>", "a web page"),
        (b'{"weight_map": 3}', "a JSON file"),
        (b"\x80", "not a file of weights"),
        (b"\x80\x02", "damaged or unsupported torch file"),
        (b"PK\x03\x04" + b"\0" * 40, "truncated or damaged torch file"),
    ],
)
def test_other_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert_refused(path, message)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.pth", "no such file")
    assert_refused(tmp_path, "a folder without weights")
    (tmp_path / "transformer").mkdir()
    assert_refused(tmp_path, "a folder without weights")


# safetensors


def safetensors_of(header: object, values: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def note(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((1 << 40).to_bytes(8, "little") + b"{}", "says 1099511627776 bytes and the file has 10: truncated or damaged"),
        (safetensors_of({}), "without tensors"),
        (safetensors_of({"__metadata__": {"a": "b"}}), "without tensors"),
        (safetensors_of({"__metadata__": {"a": 3}, "x": note()}, b"\0" * 8), "metadata is no mapping to text"),
        (safetensors_of(b'{"x": '), "header is damaged"),
        (safetensors_of(b'{"x":' * 100_000), "header is damaged"),
        (safetensors_of(b"{\xff\xff"), "header is damaged"),
        (safetensors_of({"x": 3}), "x has a damaged entry"),
        (safetensors_of({"x": note(shape=[-1, -2])}, b"\0" * 8), "x has a damaged entry"),
        (safetensors_of({"x": note(shape=[2.0])}, b"\0" * 8), "x has a damaged entry"),
        (safetensors_of({"x": note(shape=[1 << 70])}, b"\0" * 8), "x has a damaged entry"),
        (safetensors_of({"x": note(offsets=[0])}, b"\0" * 8), "x has a damaged entry"),
        (safetensors_of({"x": note(shape=[3])}, b"\0" * 8), r"x is \(3,\) in 8 bytes"),
        (safetensors_of({"x": note(offsets=[8, 0])}, b"\0" * 8), "in -8 bytes"),
        (safetensors_of({"x": note("F4")}, b"\0" * 8), "x is F4, a quantisation that is not supported"),
        (safetensors_of({"x": note("F8_E8M0")}, b"\0" * 8), "x is F8_E8M0, a quantisation that is not supported"),
        (safetensors_of({"x": note()}, b"\0" * 7), "truncated: "),
        (safetensors_of({"x": note()}, b"\0" * 9), "longer than its header says"),
        (safetensors_of({"x": note(), "y": note()}, b"\0" * 8), "overlap or leave gaps"),
        (safetensors_of({"x": note(), "y": note(offsets=[9, 17])}, b"\0" * 17), "overlap or leave gaps"),
        (safetensors_of({"x": note()}, b"\0\0\xc0\x7f" * 2), "x holds NaN or infinity"),
    ],
)
def test_damaged_safetensors(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert_refused(path, message)


@pytest.mark.parametrize("name", ["a\nb.weight", "\x1b[2Jb.weight", "n" * 5000, "\udc80.weight"])
def test_names_that_would_garble_a_terminal_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors_of({name: note()}, b"\0" * 8))
    assert_refused(path, "a tensor is called")
    path.write_bytes(safetensors_of({name: 3}))
    assert_refused(path, "has a damaged entry")
    torch.save({name: torch.ones(2), name * 2: {"a.b": 3}}, tmp_path / "m.pth")
    assert_refused(tmp_path / "m.pth", "a tensor is called|unsupported")


def test_a_header_of_any_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((MAX_HEADER + 1).to_bytes(8, "little") + b"{")
        file.truncate(MAX_HEADER + 100)
    assert_refused(path, f"a safetensors header of {MAX_HEADER + 1} bytes")


FORMATS = (torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn)
NO_NUMBERS = (float("nan"), float("inf"), float("-inf"))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(dtype, value) for dtype in FORMATS for value in NO_NUMBERS[: 1 if dtype == torch.float8_e4m3fn else 3]],
)
def test_values_that_are_no_numbers_are_found_in_every_format(dtype: torch.dtype, value: float, tmp_path: Path) -> None:
    """float8_e4m3fn has no infinity."""
    bad = torch.linspace(-1, 1, 30)
    bad[17] = value
    save_file({"fine": torch.ones(3).to(dtype), "bad.weight": bad.to(dtype)}, tmp_path / "m.safetensors")
    assert open_tensors(tmp_path / "m.safetensors").get("fine").dtype == dtype
    assert_refused(tmp_path / "m.safetensors", r"bad.weight holds NaN or infinity")


def test_a_file_cut_anywhere_is_refused_and_a_whole_one_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(STATE, path, {"a": "b"})
    whole = path.read_bytes()
    assert holds(path, STATE)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert_refused(path, "truncated|empty|not a file of weights|damaged")


def test_a_file_that_is_cut_while_it_is_open_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(STATE, path)
    source = open_tensors(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VFEError, match="ends early"):
        [source.get(name) for name in source]


# indexes of shards


def shards(folder: Path, places: object) -> Path:
    save_file({"a.weight": STATE["a.weight"]}, folder / "1.safetensors")
    torch.save({"b.bias": STATE["b.bias"]}, folder / "2.bin")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps(places))
    return index


def test_shards_of_any_kind_are_one_model(tmp_path: Path) -> None:
    index = shards(tmp_path, {"weight_map": {"a.weight": "1.safetensors", "b.bias": "2.bin"}})
    assert holds(index, STATE)
    assert holds(tmp_path, STATE)
    assert open_tensors(index).files == (index, tmp_path / "1.safetensors", tmp_path / "2.bin")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"weight_map": {"a.weight": "3.safetensors"}}, r"1 of 1 shards are missing: 3.safetensors"),
        ({"weight_map": {"c.weight": "1.safetensors"}}, r"c.weight is not in 1.safetensors"),
        ({"weight_map": {"a.weight": "../1.safetensors"}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": "/etc/passwd"}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": ".."}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": "x\\1.safetensors"}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": "C:1.safetensors"}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": ""}}, "outside of its own folder"),
        ({"weight_map": {"a.weight": 3}}, "no index of shards"),
        ({"weight_map": {}}, "no index of shards"),
        ([], "no index of shards"),
    ],
)
def test_an_index_that_does_not_fit(places: object, message: str, tmp_path: Path) -> None:
    assert_refused(shards(tmp_path, places), message)


def test_a_damaged_index_is_one_line(tmp_path: Path) -> None:
    index = shards(tmp_path, {})
    for text in ("{", "[" * 100_000, "\udcff"):
        index.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert_refused(index, "not a readable JSON file")


# memory

MEASURED = """
import resource, sys
from pathlib import Path
from vfe.types import VFEError
from vfe.tensor_io.open import open_tensors
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in map(Path, sys.argv[1:]):
    try:
        source = open_tensors(path)
        print("opened", len(source))
    except VFEError:
        print("refused")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Files of 64 GB, holes but for their headers: opening them takes a few MB."""
    size = 1 << 36
    large = {"a.weight": {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}}
    for name, content in (("good", safetensors_of(large)), ("bad", (1 << 30).to_bytes(8, "little") + b"{")):
        with (tmp_path / name).open("wb") as file:
            file.write(content)
            file.truncate(size + len(content))
    torch.save({"a.weight": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "expanded")
    names = ["good", "bad", "expanded"]
    command = [sys.executable, "-c", MEASURED, *(str(tmp_path / name) for name in names)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *verdicts, megabytes = done.stdout.split("\n")[:4]
    assert verdicts == ["opened 1", "refused", "refused"]
    assert int(megabytes) < 64
