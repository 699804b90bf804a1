"""torch pickles, damaged and hostile: one clear line each, and no code in them is ever run."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.support.weight_layouts import assert_refused, holds
from vfe.tensor_io.open import open_tensors
from vfe.tensor_io.pickle_scan import MAX_PICKLE
from vfe.types import VFEError

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b.bias": torch.ones(4, dtype=torch.bfloat16)}


class Runs:
    """Unpickled by Python's pickle, this writes a file."""

    def __init__(self, target: Path, run: Callable[..., object] = os.mkdir) -> None:
        self.target, self.run = target, run

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return self.run, (str(self.target),)


@pytest.mark.parametrize("layout", ["zip", "old", "bare"])
@pytest.mark.parametrize("run", [os.mkdir, eval, exec, open, __import__], ids=lambda run: run.__name__)
def test_code_in_a_pickle_is_never_run(run: Callable[..., object], layout: str, tmp_path: Path) -> None:
    path, trap = tmp_path / "vividface.ckpt", tmp_path / "trap"
    hostile = {"a.run": Runs(trap, run), **STATE}
    if layout == "bare":
        path.write_bytes(pickle.dumps(hostile, protocol=2))
    else:
        torch.save(hostile, path, _use_new_zipfile_serialization=layout == "zip")
    assert_refused(path, f"asks for [\\w.]*{run.__name__}, which is not tensor data; nothing of it was run")
    assert not trap.exists()


def test_the_trap_of_this_test_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Runs(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()


def test_objects_of_a_training_program_are_named(tmp_path: Path) -> None:
    import argparse

    torch.save({"state_dict": STATE, "args": argparse.Namespace(lr=1)}, tmp_path / "m.ckpt")
    assert_refused(tmp_path / "m.ckpt", "asks for argparse.Namespace, which is not tensor data; nothing of it was run")


@pytest.mark.parametrize("old", [False, True])
def test_a_pickle_cut_anywhere_is_refused(old: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=not old)
    whole = path.read_bytes()
    assert holds(path, STATE)
    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        assert_refused(
            path, "truncated|empty|not a file of weights|damaged|not one of torch.save|nothing of it was run"
        )


@pytest.mark.parametrize("old", [False, True])
def test_a_damaged_byte_gives_one_line_or_the_tensors(old: bool, tmp_path: Path) -> None:
    """Wherever it is: no other exception, whatever the unpickler makes of it."""
    path = tmp_path / "m.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=not old)
    whole = bytearray(path.read_bytes())
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        place = int(torch.randint(len(whole), (1,), generator=generator))
        damaged = bytearray(whole)
        damaged[place] ^= int(torch.randint(1, 256, (1,), generator=generator))
        path.write_bytes(damaged)
        try:
            source = open_tensors(path)
            assert all(isinstance(source.get(name), Tensor) for name in source)
        except VFEError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "asks",
    [b"__builtin__\nbytearray\n", b"builtins\nbytearray\n", b"torch._utils\n_rebuild_device_tensor_from_cpu_tensor\n"],
)
def test_what_takes_memory_of_any_size_is_not_built(asks: bytes, tmp_path: Path) -> None:
    """torch lets these pass: bytearray(n) fills n bytes."""
    bomb = b"\x80\x02c" + asks + b"\x8a\x08" + struct.pack("<q", 1 << 40) + b"\x85R."
    (tmp_path / "old.pth").write_bytes(bomb)
    assert_refused(tmp_path / "old.pth", "asks for .*, which is not tensor data; nothing of it was run")
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("m/data.pkl", bomb)
        archive.writestr("m/version", "3")
    assert_refused(tmp_path / "m.pth", "asks for .*, which is not tensor data; nothing of it was run")


def test_a_second_pickle_of_an_archive_is_not_overlooked(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "m.pth")
    for name in ("m/data.pkl", "m/DATA.PKL", "n/data.pkl"):
        with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "m.pth", "a") as archive:
            warnings.simplefilter("ignore")  # of a name that is there already
            archive.writestr(name, b"\x80\x02N.")
        assert_refused(tmp_path / "m.pth", r"not one of torch.save")


def test_a_pickle_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfe.tensor_io.pickle_scan.MAX_PICKLE", 5000)
    (tmp_path / "old.pth").write_bytes(b"\x80\x02(" + b"N" * 5010 + b"t.")
    assert_refused(tmp_path / "old.pth", "a pickle of over 5000 bytes")


def test_packed_and_huge_archives_are_not_unpacked(tmp_path: Path) -> None:
    """A zip of zeros would take a thousand times its size."""
    torch.save(STATE, tmp_path / "m.pth")
    with zipfile.ZipFile(tmp_path / "m.pth") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for name, packing, extra in (
        ("packed", zipfile.ZIP_DEFLATED, {}),
        ("huge", zipfile.ZIP_STORED, {"m/data.pkl": b"\0" * (MAX_PICKLE + 1)}),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", packing) as archive:
            for entry, data in {**contents, **extra}.items():
                archive.writestr(entry, data)
        assert_refused(tmp_path / name, "packed or huge entries")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no weights")
    assert_refused(tmp_path / "other.zip", r"not one of torch.save")


def test_tensors_larger_than_what_is_stored_are_not_read(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "expanded.pth")
    assert_refused(tmp_path / "expanded.pth", r"a.weight claims \(1000000, 1000000\) values")
    one = torch.ones(10_000)
    torch.save({f"{index}.weight": one for index in range(100)}, tmp_path / "shared.pth")
    assert_refused(tmp_path / "shared.pth", "tensors of 4000000 bytes in a file of")
    torch.save({"a.weight": one, "b.weight": one}, tmp_path / "tied.pth")
    assert len(open_tensors(tmp_path / "tied.pth")) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, r"without named tensors \(it holds epoch\)"),
        ([1, 2], r"without named tensors \(it holds list\)"),
        ({0: torch.ones(3)}, "without named tensors"),
        ({"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}, "an optimizer state"),
        ({"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}}, "an optimizer state"),
        ({"model": STATE, "ema": STATE | {"c.d": torch.ones(1)}}, r"several state dicts \(ema, model\)"),
        ({"a": {"b": {"c": {"d": {"e": STATE}}}}}, "without named tensors"),
        ({"a.weight": torch.ones(3).to_sparse()}, "a.weight is a sparse, quantised or empty"),
        ({"a.weight": torch.ones(3, device="meta")}, "a.weight is a sparse, quantised or empty"),
        ({"a.weight": torch.tensor([1.0, float("nan")])}, "a.weight holds NaN or infinity"),
    ],
)
def test_pickles_without_one_state_dict(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "m.pth")
    assert_refused(tmp_path / "m.pth", message)


def test_a_dict_that_holds_itself_ends(tmp_path: Path) -> None:
    nested: dict[str, object] = {"model": STATE}
    nested["again"] = nested
    torch.save(nested, tmp_path / "m.pth")
    assert holds(tmp_path / "m.pth", STATE)


@pytest.mark.parametrize("old", [False, True])
def test_the_name_of_a_file_says_nothing(old: bool, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "m.safetensors", _use_new_zipfile_serialization=not old)
    assert holds(tmp_path / "m.safetensors", STATE)
    save_file(STATE, tmp_path / "m.ckpt")
    assert holds(tmp_path / "m.ckpt", STATE)


def test_parameters_and_a_bare_tensor_are_tensors(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 2).state_dict(keep_vars=True), tmp_path / "m.pth")
    assert not open_tensors(tmp_path / "m.pth").get("weight").requires_grad
    torch.save([torch.ones(2)], tmp_path / "t.pth")
    assert holds(tmp_path / "t.pth", {"tensor": torch.ones(2)})
