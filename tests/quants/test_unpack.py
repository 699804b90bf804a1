"""Unpacked blocks against those of the gguf package, bit for bit."""

from __future__ import annotations

import pytest
import torch

from vfe.quants.block_format import BlockFormat
from vfe.quants.blocks_of_32 import Q4_0, Q4_1, Q5_0, Q5_1, Q8_0
from vfe.quants.blocks_of_256 import Q2_K, Q3_K, Q4_K, Q5_K, Q6_K

gguf = pytest.importorskip("gguf")

FORMATS = (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K)


def random_blocks(form: BlockFormat, rows: int = 40, blocks: int = 3) -> torch.Tensor:
    """Every byte is drawn but the scales, which are finite float16 numbers of both signs."""
    generator = torch.Generator().manual_seed(form.bytes)
    packed = torch.randint(0, 256, (rows, blocks, form.bytes), dtype=torch.uint8, generator=generator)
    for start in form.halves:
        scale = torch.randn(rows, blocks, 1, generator=generator).half()
        packed[..., start : start + 2] = scale.view(torch.uint8)
    return packed


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_equals_the_gguf_package_bit_for_bit(form: BlockFormat) -> None:
    packed = random_blocks(form)
    kind = gguf.GGMLQuantizationType[form.name]
    assert gguf.GGML_QUANT_SIZES[kind] == (form.values, form.bytes)
    expected = torch.from_numpy(gguf.quants.dequantize(packed.flatten(1).numpy(), kind))
    unpacked = form.unpack(packed)
    assert unpacked.shape == (40, 3 * form.values)
    assert torch.equal(unpacked, expected)
    assert unpacked.std() > 0


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_what_is_not_finite_is_seen(form: BlockFormat, bad: float) -> None:
    packed = random_blocks(form)
    assert form.is_finite(packed)
    for start in form.halves:
        damaged = packed.clone()
        damaged[7, 1, start : start + 2] = torch.tensor([bad], dtype=torch.float16).view(torch.uint8)
        assert not form.is_finite(damaged)
        assert not form.unpack(damaged).isfinite().all()


def test_the_largest_numbers_are_finite() -> None:
    """So that finite scales are all that there is to look at."""
    for form in FORMATS:
        packed = torch.full((2, 1, form.bytes), 255, dtype=torch.uint8)
        for start in form.halves:
            packed[..., start : start + 2] = torch.tensor([65504.0], dtype=torch.float16).view(torch.uint8)
        assert form.unpack(packed).isfinite().all()


def test_rows_are_whole_blocks() -> None:
    assert Q4_K.blocks_of(1536) == 6
    with pytest.raises(ValueError, match="a row of 1500 numbers, needed a multiple of 256 for Q4_K"):
        Q4_K.blocks_of(1500)
