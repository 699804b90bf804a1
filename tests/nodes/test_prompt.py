"""A prompt from ComfyUI's own text encoder gives what the file of `vfe embed-prompt` gives, and is kept as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import comfy.text_encoders.wan
import folder_paths
import pytest
import torch
from torch import Tensor

from tests.support.comfy_pack import NODES, Loose, part
from tests.support.comfy_wan_files import CONTEXT, DIT, MODELS, VAE, decoded, enhanced, loaded, write_files
from tests.support.tiny_umt5 import (
    CHANNELS,
    FFN,
    HEADS,
    LAYERS,
    VOCABULARY,
    in_transformers_names,
    official_state,
    save,
)
from tests.support.weight_layouts import TINY_DIT
from vfe.text.embed import embed_prompt_to_file
from vfe.weights.prompt import read_prompt_embedding, write_prompt_embedding

VFE = MODELS / "vfe"
EMPTY = VFE / "empty_prompt.safetensors"
WIDTH = TINY_DIT.text_dim
EXACT = 2e-5


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """No prompt embedding is among the models but what a test writes."""
    write_files()
    CONTEXT.unlink()
    yield
    for path in [*VFE.glob("*prompt*"), *Path(folder_paths.get_temp_directory()).glob("vfe_prompt*")]:
        path.unlink()


def conditioning(rows: int = 3, length: int = 512, width: int = WIDTH, **extra: Loose) -> Loose:
    """What CLIP Text Encode gives: rows of the text, and zeros up to 512."""
    embedded = torch.zeros(1, length, width)
    embedded[:, :rows] = torch.randn(rows, width, generator=torch.Generator().manual_seed(rows))
    return [[embedded, {"pooled_output": None, **extra}]]


def graph(text: Loose = "", kind: str = "CLIPTextEncode") -> Loose:
    return {
        "1": {"class_type": "VFE_LoadWanRestorer", "inputs": {"conditioning": ["7", 0]}},
        "7": {"class_type": kind, "inputs": {"text": text, "clip": ["8", 0]}},
    }


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Loose:
    """Says which graph the node is in, as ComfyUI does."""
    kind = NODES["VFE_LoadWanRestorer"]

    def connect(text: Loose = "", source: str = "CLIPTextEncode") -> None:
        hidden = type("Hidden", (), {"prompt": graph(text, source), "unique_id": "1"})
        monkeypatch.setattr(kind, "hidden", hidden)

    connect()
    return connect


def asks_for_the_encoder(**options: Loose) -> bool:
    values = {"model": DIT.name, "context": "auto", "conditioning": None, **options}
    return bool(NODES["VFE_LoadWanRestorer"].check_lazy_status(**values))


def restored(**options: Loose) -> Tensor:
    restorer = loaded(**options)
    return decoded(enhanced(restorer), restorer=restorer)


def test_the_rows_of_comfyuis_encoder_give_what_a_file_gives(connected: Loose, tmp_path: Path) -> None:
    """ComfyUI's umT5 and ours of the same weights, on the empty prompt."""
    del connected
    state = in_transformers_names(official_state(WIDTH))
    sizes = {"d_model": WIDTH, "d_kv": CHANNELS, "d_ff": FFN, "num_layers": LAYERS, "num_heads": HEADS}
    sizes |= {"vocab_size": VOCABULARY}
    options = {"model_name": "umt5xxl", "umt5xxl_model_config": sizes}
    encoder = comfy.text_encoders.wan.UMT5XXlModel(dtype=torch.float32, model_options=options)
    encoder.transformer.load_state_dict(state, strict=True)
    with torch.no_grad():
        rows, pooled = encoder.encode_token_weights([[(token, 1.0) for token in [1] + [0] * 511]])[:2]
    ours = restored(conditioning=[[rows, {"pooled_output": pooled}]])
    kept = read_prompt_embedding(EMPTY, WIDTH)
    EMPTY.unlink()
    embed_prompt_to_file(save(state, tmp_path / "umt5.safetensors"), CONTEXT)
    assert (kept - read_prompt_embedding(CONTEXT, WIDTH)).abs().max() <= EXACT
    assert (ours - restored(context=CONTEXT.name)).abs().max() <= EXACT


@pytest.mark.parametrize("length", [3, 512, 600])
def test_padding_of_any_length_is_left_out(connected: Loose, length: int) -> None:
    del connected
    given = conditioning(length=length)
    ours = restored(conditioning=given)
    write_prompt_embedding(CONTEXT, given[0][0][0, :3])
    assert torch.equal(ours, restored(context=CONTEXT.name))
    assert torch.equal(read_prompt_embedding(EMPTY, WIDTH), read_prompt_embedding(CONTEXT, WIDTH))


def test_what_is_beyond_a_mask_is_left_out(connected: Loose) -> None:
    del connected
    restored(conditioning=conditioning(5, attention_mask=(torch.arange(512) < 2)[None].long()))
    kept = read_prompt_embedding(EMPTY, WIDTH)[0]
    assert torch.equal(kept[:2], conditioning(5)[0][0][0, :2])
    assert not kept[2:].any()


def test_the_encoder_runs_once_for_a_text(connected: Loose) -> None:
    for text, other in (("", "a face"), ("a face", "(a face:1.2)")):
        connected(text)
        assert asks_for_the_encoder()
        first = restored(conditioning=conditioning(len(text) + 1))
        assert not asks_for_the_encoder()
        assert torch.equal(restored(conditioning=None), first)
        connected(other)
        assert asks_for_the_encoder()
    assert len(list(VFE.glob("*prompt*"))) == 2


def test_the_file_of_the_command_counts_for_the_empty_text(connected: Loose) -> None:
    write_prompt_embedding(VFE / "by_command.safetensors", conditioning()[0][0][0], {"prompt": ""})
    assert not asks_for_the_encoder()
    write_prompt_embedding(VFE / "by_command.safetensors", conditioning()[0][0][0], {"prompt": "(a face:1.2)"})
    connected("(a face:1.2)")  # the command takes brackets for text
    assert asks_for_the_encoder()
    (VFE / "by_command.safetensors").unlink()


def test_the_encoder_is_not_asked_for_in_vain(connected: Loose) -> None:
    del connected
    assert not asks_for_the_encoder(model="lite (bundled)")
    assert not asks_for_the_encoder(context=CONTEXT.name)
    assert not NODES["VFE_LoadWanRestorer"].check_lazy_status(model=DIT.name, context="auto")  # nothing is connected


@pytest.mark.parametrize("change", [("", "ConditioningCombine"), (["9", 0], "CLIPTextEncode")], ids=["node", "text"])
def test_a_text_that_the_graph_does_not_say_is_not_kept(connected: Loose, change: tuple[Loose, str]) -> None:
    connected(*change)
    restored(conditioning=conditioning())
    assert not list(VFE.glob("*prompt*"))
    assert asks_for_the_encoder()


def test_a_file_that_is_there_stays(connected: Loose, caplog: pytest.LogCaptureFixture) -> None:
    connected("")
    write_prompt_embedding(EMPTY, torch.ones(2, WIDTH))
    before = EMPTY.read_bytes()
    assert asks_for_the_encoder()  # the file does not say what it is of
    restored(conditioning=conditioning())
    assert EMPTY.read_bytes() == before
    assert f"{EMPTY} is another embedding and stays" in caplog.text
    (kept,) = VFE.glob("empty_prompt_*.safetensors")
    assert torch.equal(read_prompt_embedding(kept, WIDTH)[0], conditioning()[0][0][0])
    assert not asks_for_the_encoder()


def test_a_folder_that_cannot_be_written_stops_nobody(
    connected: Loose, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    del connected
    (tmp_path / "file").touch()
    plain = folder_paths.get_folder_paths
    monkeypatch.setattr(
        folder_paths, "get_folder_paths", lambda kind: [str(tmp_path / "file")] if kind == "vfe" else plain(kind)
    )
    path = part("nodes.host.remembered_prompt").remember(conditioning()[0][0][0, :3], "")
    assert "is needed again next time" in caplog.text
    assert torch.equal(read_prompt_embedding(path, WIDTH)[0], conditioning()[0][0][0])


def test_the_files_do_not_count_where_a_text_is_connected() -> None:
    """Else the file that a run writes would have the next run load the weights anew."""
    fingerprint = NODES["VFE_LoadWanRestorer"].fingerprint_inputs
    values = {f"lora_{number}": "none" for number in (1, 2)}
    values |= {"model": DIT.name, "vae": VAE.name, "context": "auto", "adapter": "none"}
    with_link, without = (lambda: fingerprint(**values, conditioning=None)), (lambda: fingerprint(**values))
    before = with_link(), without()
    write_prompt_embedding(CONTEXT, torch.ones(1, WIDTH))
    assert with_link() == before[0]
    assert without() != before[1]


WRONG = {
    "texts": (conditioning() * 2, r"is 2 texts, needed is one; connect CLIP Text Encode"),
    "width": (conditioning(width=WIDTH + 1), rf"\(1, 512, {WIDTH + 1}\), needed \(1, tokens, {WIDTH}\)"),
    "batch": ([[torch.zeros(2, 512, WIDTH), {}]], r"is \(2, 512"),
    "rank": ([[torch.zeros(512, WIDTH), {}]], r"is \(512"),
    "kind": ([[None, {}]], "is NoneType"),
    "none": (3, "is int"),
    "encoder": (conditioning(pooled_output=torch.zeros(1, 8)), "of another model's text encoder"),
    "length": (conditioning(513, 600), "513 tokens, a Wan DiT takes up to 512"),
    "nan": ([[torch.full((1, 4, WIDTH), float("nan")), {}]], "NaN or infinity"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_gets_a_sentence(connected: Loose, case: str) -> None:
    del connected
    given, sentence = WRONG[case]
    with pytest.raises(ValueError, match=sentence) as caught:
        loaded(conditioning=given)
    assert "\n" not in str(caught.value)
    assert not list(VFE.glob("*prompt*"))
