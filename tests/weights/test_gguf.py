"""GGUF files of Wan DiTs: every tensor is what the gguf package makes of it; other files end in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor

gguf = pytest.importorskip("gguf")

from tests.support.gguf_files import MIXTURES, WIDE_DIT, dequantised_by_gguf, finish, uniform, write_gguf  # noqa: E402
from tests.support.tiny_dit import psnr  # noqa: E402
from tests.support.weight_layouts import assert_refused, random_dit  # noqa: E402
from vfe.tensor_io.gguf_header import read_header  # noqa: E402
from vfe.tensor_io.open import open_tensors  # noqa: E402
from vfe.types import VFEError  # noqa: E402
from vfe.weights.convert import ConvertOptions, convert_file  # noqa: E402
from vfe.weights.recognise import recognise  # noqa: E402
from vfe.weights.wan_dit import load_dit, open_dit, read_dit  # noqa: E402

State = dict[str, Tensor]


def wide_state() -> State:
    return random_dit(WIDE_DIT).state_dict()


def velocity(state: State) -> Tensor:
    model = random_dit(WIDE_DIT)
    model.load_state_dict(state)
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(1, 16, 2, 4, 6, generator=generator)
    with torch.no_grad():
        return model(latent, 400.0, torch.randn(1, 5, WIDE_DIT.text_dim, generator=generator))


@pytest.mark.parametrize("mixture", MIXTURES)
def test_tensors_are_those_of_the_gguf_package(mixture: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "dit.gguf", wide_state(), MIXTURES[mixture])
    source, expected = open_tensors(path), dequantised_by_gguf(path)
    assert set(source.names) == set(expected)
    for name, value in expected.items():
        assert source.shape(name) == tuple(value.shape)
        assert torch.equal(source.get(name).float(), value)
    config, state = read_dit(path)
    assert config == WIDE_DIT
    assert all(torch.equal(state[name].float(), value) for name, value in expected.items())


# Decibels of the velocity of a random DiT against that of the weights in fp16: what was measured, less 3. A bit less in
# a weight costs 6.
LEAST = {"F16": 190, "BF16": 58, "Q8_0": 51, "Q6_K": 41, "Q5_K": 35, "Q5_0": 33, "Q4_K_M": 28, "Q4_0": 27}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_the_velocity_stays_near_that_of_fp16(mixture: str, tmp_path: Path) -> None:
    halved = {name: value.half().float() for name, value in wide_state().items()}
    path = write_gguf(tmp_path / "dit.gguf", halved, MIXTURES[mixture])
    _, state = read_dit(path, torch.float32)
    near = psnr(velocity(state), velocity(halved))
    assert LEAST[mixture] < near < LEAST[mixture] + 15


def relative_error(form: str) -> float:
    """The largest error of a weight, as a part of the largest of its block."""
    steps = {"Q8_0": 1 / 127, "Q6_K": 1 / 31, "Q5_K": 2 / 31, "Q5_0": 1 / 16, "Q4_K": 2 / 15, "Q4_0": 1 / 8}
    return steps[form]


@pytest.mark.parametrize("form", ["Q8_0", "Q6_K", "Q5_K", "Q5_0", "Q4_K", "Q4_0"])
def test_a_weight_is_off_by_one_step_at_most(form: str, tmp_path: Path) -> None:
    """Half a step of its block, a little more for rounded scales, and a whole one at the end of signed ranges."""
    value = torch.randn(64, 512, generator=torch.Generator().manual_seed(2))
    path = write_gguf(tmp_path / "w.gguf", {"w": value}, uniform(form))
    error = (open_tensors(path).get("w") - value).abs().unflatten(1, (-1, 256)).amax(2)
    largest = value.abs().unflatten(1, (-1, 256)).amax(2)
    assert (error <= relative_error(form) * largest).all()
    assert error.max() > 0


@pytest.mark.parametrize("architecture", ["wan", "pig", None])
@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_whose_ever_conversion_it_is(architecture: str | None, prefix: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a", wide_state(), uniform("Q8_0"), architecture, prefix)
    found = recognise(path)
    assert found.kind == "wan_dit"
    assert "Q8_0" in found.description
    assert "GGUF" in found.description
    assert load_dit(path).config == WIDE_DIT


def flattened(name: str, value: Tensor) -> tuple[int, ...]:
    if name.endswith("modulation"):
        return tuple(value.shape[1:])
    return (value.shape[0], value[0].numel()) if value.ndim == 5 else tuple(value.shape)


@pytest.mark.parametrize("axes", ["two", "four"])
def test_axes_that_ggml_drops_come_back(axes: str, tmp_path: Path) -> None:
    state = wide_state()
    stored = {name: value.reshape(flattened(name, value)) for name, value in state.items()}
    if axes == "four":
        stored["patch_embedding.weight"] = state["patch_embedding.weight"].flatten(0, 1)
    path = write_gguf(tmp_path / "dit.gguf", stored, uniform("F16"))
    _, loaded = read_dit(path, torch.float32)
    for name, value in state.items():
        assert loaded[name].shape == value.shape
        assert (loaded[name] - value).abs().max() <= 2**-11 * value.abs().max()


@pytest.mark.parametrize("form", ["F16", "Q8_0"])
def test_the_noted_shape_is_taken(form: str, tmp_path: Path) -> None:
    """As ComfyUI-GGUF notes that of what it arranged in rows of 256."""
    state = wide_state()
    value = state["patch_embedding.weight"]
    writer = gguf.GGUFWriter(None, "wan")
    writer.add_array("comfy.gguf.orig_shape.patch_embedding.weight", list(value.shape))
    for name, other in state.items():
        data, kind = (value.reshape(-1, 256), form) if other is value else (other, "F32")
        number = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quants.quantize(data.numpy(), number), raw_dtype=number)
    path = finish(writer, tmp_path / "dit.gguf")
    _, loaded = read_dit(path, torch.float32)
    assert loaded["patch_embedding.weight"].shape == value.shape
    assert (loaded["patch_embedding.weight"] - value).abs().max() <= value.abs().max() / 200


def test_a_file_of_123_tensors_is_no_safetensors(tmp_path: Path) -> None:
    """Whose ninth byte is a brace, as is that of safetensors."""
    path = write_gguf(tmp_path / "w.gguf", {f"w{n}": torch.ones(2) for n in range(123)}, uniform("F32"))
    assert len(open_tensors(path)) == 123
    assert path.read_bytes()[8:9] == b"{"


def test_it_is_converted_to_bf16_without_being_told(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "dit.gguf", wide_state(), MIXTURES["Q4_K_M"])
    convert_file(path, tmp_path / "dit.safetensors", ConvertOptions())
    _, state = read_dit(tmp_path / "dit.safetensors")
    assert {value.dtype for value in state.values()} == {torch.bfloat16}
    expected = dequantised_by_gguf(path)
    assert all(torch.equal(state[name], value.bfloat16()) for name, value in expected.items())


# What is broken


def small(folder: Path) -> bytes:
    state = {"a.weight": torch.randn(4, 64), "b": torch.ones(5)}
    return write_gguf(folder / "w.gguf", state, uniform("Q8_0")).read_bytes()


def header(tensors: int = 0, entries: int = 0, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def note(name: bytes, shape: tuple[int, ...], kind: int = 0, start: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, start)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "only the magic": (b"GGUF", "ends early"),
    "version": (header(version=1), "of version 1"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 1, 0), "another byte order"),
    "no tensors": (header(), "without tensors"),
    "tensors": (header(tensors=1 << 60), "at most 65536"),
    "entries": (header(entries=1 << 60), "at most 65536"),
    "long text": (header(entries=1, rest=struct.pack("<Q", 1 << 62)), "over 16777216 bytes"),
    "long array": (header(entries=1, rest=text(b"a") + struct.pack("<IIQ", 9, 0, 1 << 60)), "over 16777216 bytes"),
    "array of texts": (header(entries=1, rest=text(b"a") + struct.pack("<IIQ", 9, 8, 1 << 60)), "ends early"),
    "array of arrays": (header(entries=1, rest=text(b"a") + struct.pack("<IIQ", 9, 9, 2)), "array of type 9"),
    "type of entry": (header(entries=1, rest=text(b"a") + struct.pack("<I", 77)), "a value of type 77"),
    "no text": (header(entries=1, rest=text(b"\xff\xfe") + struct.pack("<II", 4, 1)), "damaged"),
    "axes": (header(tensors=1, rest=text(b"a") + struct.pack("<I", 1 << 30)), "has 1073741824 axes"),
    "large": (header(tensors=1, rest=note(b"a", (1 << 62, 1 << 62))), "more than the file holds"),
    "beyond": (header(tensors=1, rest=note(b"a", (9,), start=1 << 50)), "truncated"),
    "unknown type": (header(tensors=1, rest=note(b"a", (32,), kind=99)), "is type 99, which is not supported"),
    "IQ4_XS": (header(tensors=1, rest=note(b"a", (256,), kind=23)), "is IQ4_XS, which is not supported"),
    "odd row": (header(tensors=1, rest=note(b"a", (33,), kind=8)), "a row of 33 numbers"),
    "no row": (header(tensors=1, rest=note(b"a", (), kind=8)), "a row of 1 numbers"),
    "twice": (header(tensors=2, rest=2 * note(b"a", (1,)) + bytes(64)), "in it twice"),
    "overlap": (header(tensors=2, rest=note(b"a", (4,)) + note(b"b", (4,), start=8) + bytes(64)), "overlap"),
    "control characters": (header(tensors=1, rest=note(b"a\x1b[2J", (1,)) + bytes(64)), "damaged or hostile"),
    "alignment": (
        header(tensors=1, entries=1, rest=text(b"general.alignment") + struct.pack("<II", 4, 3) + note(b"a", (1,))),
        "alignment is 3",
    ),
    "architecture": (
        header(tensors=1, entries=1, rest=text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")),
        "ends early",
    ),
    "orig_shape": (
        header(
            tensors=1,
            entries=1,
            rest=text(b"comfy.gguf.orig_shape.a") + struct.pack("<IIQii", 9, 5, 2, -2, -2) + note(b"a", (4,)),
        ),
        "which does not fit",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_end_in_one_line(case: str, tmp_path: Path) -> None:
    content, message = HOSTILE[case]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert_refused(path, message)


@pytest.mark.parametrize("architecture", ["llama", "flux", "t5encoder"])
def test_another_architecture_is_named(architecture: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"a": torch.ones(3)}, uniform("F32"), architecture)
    assert_refused(path, f"a GGUF file of {architecture}")


def test_every_truncation_ends_in_one_line(tmp_path: Path) -> None:
    whole, path = small(tmp_path), tmp_path / "cut.gguf"
    used = max(note.start for note in read_header(tmp_path / "w.gguf").tensors)
    for length in [*range(4, used, 7), used]:
        path.write_bytes(whole[:length])
        assert_refused(path, "ends early|truncated")


@pytest.mark.parametrize("step", [1, 5])
def test_every_changed_byte_is_read_or_refused(step: int, tmp_path: Path) -> None:
    """Nothing but a VFEError ever comes out."""
    whole, path = small(tmp_path), tmp_path / "changed.gguf"
    refused = 0
    for at in range(4, len(whole), step):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            source = open_tensors(path)
            for name in source:
                source.get(name)
        except VFEError as error:
            assert str(error).isprintable()
            refused += 1
    assert refused > 10


def test_what_is_not_finite_is_refused(tmp_path: Path) -> None:
    whole = bytearray(small(tmp_path))
    (place,) = [note.start for note in read_header(tmp_path / "w.gguf").tensors if note.name == "a.weight"]
    whole[place : place + 2] = b"\x00\x7c"
    path = tmp_path / "infinite.gguf"
    path.write_bytes(whole)
    source = open_tensors(path)
    for read in (source.get, source.get_packed):
        with pytest.raises(VFEError, match=r"a\.weight holds NaN or infinity"):
            read("a.weight")


def test_a_wan_dit_of_another_kind_is_named(tmp_path: Path) -> None:
    state = {**wide_state(), "img_emb.proj.0.weight": torch.ones(3)}
    path = write_gguf(tmp_path / "i2v.gguf", state, uniform("Q8_0"))
    with pytest.raises(VFEError, match="an image-to-video Wan DiT"):
        open_dit(path)
