"""The embedded prompt: any file with one tensor of its shape, filled up with zeros as Wan does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vfe.models.wan import PROMPT_ROWS
from vfe.types import VFEError
from vfe.weights.prompt import TENSOR_NAME, read_prompt_embedding, write_prompt_embedding

WIDTH = 24


def rows(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("count", [1, 7, PROMPT_ROWS])
def test_what_is_written_is_read_back_exactly(count: int, dtype: torch.dtype, tmp_path: Path) -> None:
    embedding = torch.zeros(1, PROMPT_ROWS, WIDTH, dtype=dtype)
    embedding[0, :count] = rows(count, dtype)
    write_prompt_embedding(tmp_path / "c", embedding, {"prompt": "a face"})
    read = read_prompt_embedding(tmp_path / "c", WIDTH)
    assert read.dtype == dtype
    assert torch.equal(read, embedding)


def test_only_rows_of_the_text_are_stored(tmp_path: Path) -> None:
    """An empty prompt is one row: 8 KB in half precision, where Wan's own layout takes 4 MB."""
    embedding = torch.zeros(512, 4096, dtype=torch.bfloat16)
    embedding[0] = 1
    write_prompt_embedding(tmp_path / "c", embedding, {"prompt": ""})
    assert (tmp_path / "c").stat().st_size < 9000
    with safe_open(tmp_path / "c", "pt") as file:
        assert file.get_slice(TENSOR_NAME).get_shape() == [1, 4096]
        assert file.metadata() == {"format": "vfe-context-1", "prompt": ""}


def test_zero_rows_inside_of_the_text_are_kept(tmp_path: Path) -> None:
    embedding = rows(5)
    embedding[2] = 0
    write_prompt_embedding(tmp_path / "c", embedding)
    assert torch.equal(read_prompt_embedding(tmp_path / "c", WIDTH)[0, :5], embedding)
    write_prompt_embedding(tmp_path / "c", torch.zeros(5, WIDTH))
    assert torch.equal(read_prompt_embedding(tmp_path / "c", WIDTH), torch.zeros(1, PROMPT_ROWS, WIDTH))


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    embedding = rows(3)
    save_file({"prompt_embeds": embedding[None], "lengths": torch.tensor([3])}, tmp_path / "a")
    save_file({"negative": rows(2), "context": embedding}, tmp_path / "b")
    torch.save([embedding], tmp_path / "c")
    torch.save({"context": embedding}, tmp_path / "d")
    for name in "abcd":
        assert torch.equal(read_prompt_embedding(tmp_path / name, WIDTH)[0, :3], embedding)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": torch.ones(3, WIDTH), "b": torch.ones(4, WIDTH)}, r"2 tensors of n x 24 .*it holds a \(3, 24\), b"),
        ({"a": torch.ones(3, WIDTH + 1)}, r"no tensors of n x 24 .*it holds a \(3, 25\)"),
        ({"a": torch.ones(2, 3, WIDTH)}, "no tensors of"),
        ({"a": torch.ones(PROMPT_ROWS + 1, WIDTH)}, "no tensors of n x 24 with n up to 512"),
        ({"a": torch.ones(WIDTH)}, "no tensors of"),
        ({"a": torch.ones(3, WIDTH, dtype=torch.int32)}, "no tensors of"),
        ({"a": torch.full((3, WIDTH), float("nan"))}, "a holds NaN"),
    ],
)
def test_what_is_no_context_is_named(tensors: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "c")
    with pytest.raises(VFEError, match=message):
        read_prompt_embedding(tmp_path / "c", WIDTH)


@pytest.mark.parametrize("shape", [(3,), (0, WIDTH), (PROMPT_ROWS + 1, WIDTH), (2, 3, WIDTH)])
def test_only_a_context_is_written(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needed"):
        write_prompt_embedding(tmp_path / "c", torch.ones(shape))
    assert list(tmp_path.iterdir()) == []
