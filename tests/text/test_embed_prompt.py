"""Prompt contexts: one row for the empty prompt, in a few KB; what cannot be used is named in one line."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from tests.support.tiny_umt5 import DIM, in_transformers_names, official_state, plain_encode, save
from vfe.cli.embed_prompt import run as run_embed_prompt
from vfe.text.embed import embed_prompt, embed_prompt_to_file
from vfe.text.tokens import MAX_TOKENS, clean, token_ids
from vfe.types import VFEError
from vfe.weights.prompt import read_prompt_embedding
from vfe.weights.recognise import recognise

EXACT = 1e-5
PROMPT = "a face, a sharp face"


@pytest.fixture(scope="module")
def spiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real SentencePiece model of few pieces, with umT5's special tokens."""
    sentencepiece = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a sharp face of a person", "a face, a clear face"] * 20),
        model_writer=model,
        vocab_size=18,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("tokenizer") / "spiece.model"
    path.write_bytes(model.getvalue())
    return path


def test_the_empty_prompt_is_one_row_in_a_few_kb(tmp_path: Path) -> None:
    wide = official_state(dim=4096, layers=2)
    encoder, output = save(wide, tmp_path / "encoder.safetensors"), tmp_path / "context.safetensors"
    rows = embed_prompt_to_file(encoder, output)
    assert rows.shape == (1, 4096)
    assert output.stat().st_size < 20_000
    context = read_prompt_embedding(output)
    assert context.shape == (1, 512, 4096)
    assert torch.equal(context[0, :1], rows)
    assert context[0, 1:].abs().max() == 0
    assert torch.allclose(rows, plain_encode(wide, [1], rows=3), atol=EXACT)
    assert recognise(output).kind == "prompt_embedding"
    with safe_open(output, framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["prompt"], metadata["text_encoder"]) == ("", "encoder.safetensors")


def test_the_prompt_is_cleaned_as_wan_does() -> None:
    assert clean(" a\t face &amp;amp; \n hair ") == "a face & hair"
    assert token_ids("") == token_ids(" \n&nbsp; ") == [1]


def test_tokens_end_once_and_are_at_most_512(spiece: Path) -> None:
    ids = token_ids(PROMPT, spiece)
    assert ids == token_ids(PROMPT, spiece.read_bytes())
    assert len(ids) > 3
    assert ids[-1] == 1
    assert 1 not in ids[:-1]
    long = token_ids("sharp " * 600, spiece)
    assert len(long) == MAX_TOKENS
    assert long[-1] == 1
    assert 1 not in long[:-1]


def test_the_tokenizer_inside_of_a_comfyui_file_is_used(
    state: dict[str, Tensor], spiece: Path, official: Path, tmp_path: Path
) -> None:
    proto = torch.frombuffer(bytearray(spiece.read_bytes()), dtype=torch.uint8)
    path = save(in_transformers_names(state) | {"spiece_model": proto}, tmp_path / "umt5.safetensors")
    rows = embed_prompt(path, PROMPT)
    assert torch.equal(rows, embed_prompt(official, PROMPT, spiece))
    assert len(rows) > 3


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


BROKEN: dict[str, tuple[Callable[[dict[str, Tensor]], dict[str, Tensor]], str]] = {
    "a layer's matrix is missing": (lambda s: without(s, "blocks.1.ffn.fc1.weight"), "blocks.1.ffn.fc1.weight"),
    "the first matrix is missing": (lambda s: without(s, "blocks.0.attn.q.weight"), "blocks.0.attn.q.weight"),
    "no tokens": (lambda s: without(s, "token_embedding.weight"), "token_embedding.weight"),
    "wrong shape": (lambda s: s | {"blocks.2.attn.o.weight": torch.ones(3, 3)}, "blocks.2.attn.o.weight is (3, 3)"),
    "no whole heads": (lambda s: s | {"blocks.0.attn.q.weight": torch.ones(7, DIM)}, "not divisible"),
    "NaN": (lambda s: s | {"norm.weight": torch.full((DIM,), torch.nan)}, "norm.weight holds NaN"),
    "a layer far off": (lambda s: s | {"blocks.999999999.norm1.weight": torch.ones(DIM)}, "missing"),
    "T5, not umT5": (
        lambda s: {name: value for name, value in s.items() if "pos_embedding" not in name or ".0." in name},
        "not a umT5 text encoder",
    ),
    "a VAE": (lambda s: {"decoder.middle.0.residual.0.gamma": s["norm.weight"]}, "not a umT5 text encoder"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_does_not_fit_is_named(case: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    change, part = BROKEN[case]
    path = save(change(state), tmp_path / "encoder.safetensors")
    with pytest.raises(VFEError) as caught:
        embed_prompt(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_does_not_fit_is_named(official: Path, spiece: Path, tmp_path: Path) -> None:
    (wrong := tmp_path / "wrong.model").write_bytes(b"no tokenizer")
    with pytest.raises(VFEError, match=r"--tokenizer"):
        embed_prompt(official, PROMPT)
    with pytest.raises(VFEError, match=r"wrong\.model: not a SentencePiece model"):
        embed_prompt(official, PROMPT, wrong)
    with pytest.raises(VFEError, match=r"missing\.model: cannot be read"):
        embed_prompt(official, PROMPT, tmp_path / "missing.model")
    with pytest.raises(VFEError, match="not valid Unicode"):
        embed_prompt(official, "face \udcff", spiece)
    small = save(official_state() | {"token_embedding.weight": torch.ones(4, DIM)}, tmp_path / "small.safetensors")
    with pytest.raises(VFEError, match="has 4 tokens"):
        embed_prompt(small, PROMPT, spiece)


def command(encoder: Path, output: Path, **changes: object) -> argparse.Namespace:
    values = {"encoder": encoder, "output": output, "prompt": "", "tokenizer": None, "overwrite": False}
    return argparse.Namespace(**{**values, **changes})


def test_the_command_writes_once_and_says_what(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "context.safetensors"
    run_embed_prompt(command(official, output))
    size = output.stat().st_size / 1e3
    assert capsys.readouterr() == (f"prompt embedding of 1 token x {DIM}, {size:.1f} KB: {output}\n", "")
    before = output.read_bytes()
    with pytest.raises(VFEError, match="--overwrite"):
        run_embed_prompt(command(official, output))
    run_embed_prompt(command(official, output, overwrite=True))
    assert output.read_bytes() == before


@pytest.mark.parametrize(("name", "part"), [("context.pt", "ends in .safetensors"), ("no/c.safetensors", "folder")])
def test_the_output_is_checked_first(name: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(VFEError, match=part):
        run_embed_prompt(command(tmp_path / "not there", tmp_path / name))
