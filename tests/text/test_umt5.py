"""The umT5 encoder: equal to Wan's, transformers' and ComfyUI's, from every layout, one layer in memory at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.support.comfy_checkout import comfyui_checkout
from tests.support.tiny_umt5 import (
    CHANNELS,
    DIM,
    FFN,
    HEADS,
    LAYERS,
    VOCABULARY,
    in_fp8,
    in_transformers_names,
    plain_encode,
    save,
)
from vfe.text.encoder_file import UMT5File, open_umt5
from vfe.text.umt5 import LayerWeights, encode
from vfe.weights.recognise import recognise

EXACT = 1e-5
# One token as of the empty prompt, a few, and more than the 128 after which distances share a bucket.
TOKENS = ([1], [5, 9, 9, 3, 1], [*(2 + i * 7 % 30 for i in range(150)), 1])


@pytest.mark.parametrize("ids", TOKENS, ids=len)
def test_equals_wan_with_masked_padding(ids: list[int], state: dict[str, Tensor], official: Path) -> None:
    rows = encode(ids, open_umt5(official))
    expected = plain_encode(state, ids, rows=len(ids) + 30)
    assert rows.shape == (len(ids), DIM)
    assert rows.std() > 0.5
    assert (rows - expected).abs().max() <= EXACT


@pytest.mark.parametrize("ids", TOKENS, ids=len)
def test_equals_transformers(ids: list[int], state: dict[str, Tensor], official: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import UMT5EncoderModel

    model = UMT5EncoderModel(transformers_config()).eval()
    missing, unexpected = model.load_state_dict(in_transformers_names(state), strict=False)
    assert set(missing) <= {"encoder.embed_tokens.weight"}
    assert not unexpected  # which is shared.weight
    padded, mask = torch.zeros(2, 1, len(ids) + 30, dtype=torch.long)
    padded[0, : len(ids)], mask[0, : len(ids)] = torch.tensor(ids), 1
    with torch.no_grad():
        expected = model(padded, mask).last_hidden_state[0, : len(ids)]
    assert (encode(ids, open_umt5(official)) - expected).abs().max() <= EXACT


def transformers_config() -> Any:  # noqa: ANN401 (transformers is optional)
    from transformers import UMT5Config

    return UMT5Config(vocab_size=VOCABULARY, d_model=DIM, d_kv=CHANNELS, d_ff=FFN, num_layers=LAYERS, num_heads=HEADS)


COMFY_SCRIPT = """
import json, sys
folder, comfyui, sizes, ids = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
sys.path.insert(0, comfyui)
import comfy.cli_args
comfy.cli_args.args.cpu = True
import torch
from safetensors.torch import load_file, save_file
from comfy.text_encoders.wan import UMT5XXlModel
options = {"model_name": "umt5xxl", "umt5xxl_model_config": sizes}
model = UMT5XXlModel(device="cpu", dtype=torch.float32, model_options=options)
model.transformer.load_state_dict(load_file(folder + "/weights.safetensors"), strict=True)
with torch.no_grad():
    rows, _ = model.encode_token_weights([[(token, 1.0) for token in ids + [0] * (512 - len(ids))]])
save_file({"rows": rows[0].contiguous()}, folder + "/rows.safetensors")
"""


@pytest.mark.comfy
@pytest.mark.parametrize("ids", TOKENS[:2], ids=len)
def test_equals_comfyui_with_its_512_rows(ids: list[int], state: dict[str, Tensor], tmp_path: Path) -> None:
    """In a process of its own: ComfyUI's import sets devices and patches torch."""
    weights = save(in_transformers_names(state), tmp_path / "weights.safetensors")
    sizes = {"d_model": DIM, "d_kv": CHANNELS, "d_ff": FFN, "num_layers": LAYERS, "num_heads": HEADS}
    arguments = [str(tmp_path), str(comfyui_checkout())]
    arguments += [json.dumps(sizes | {"vocab_size": VOCABULARY}), json.dumps(ids)]
    done = subprocess.run([sys.executable, "-c", COMFY_SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = load_file(tmp_path / "rows.safetensors")["rows"]
    assert (encode(ids, open_umt5(weights)) - expected[: len(ids)]).abs().max() <= EXACT
    assert expected.shape == (512, DIM)
    assert expected[len(ids) :].abs().max() == 0


def sharded(state: dict[str, Tensor], folder: Path) -> Path:
    """Two shards and their index, as transformers writes them, beside a config."""
    names = list(in_transformers_names(state))
    files = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(names)}
    for file in set(files.values()):
        save(
            {name: value for name, value in in_transformers_names(state).items() if files[name] == file}, folder / file
        )
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    (folder / "config.json").write_text("{}")
    return folder


def comfyui_file(state: dict[str, Tensor], folder: Path) -> Path:
    with_tokenizer = in_transformers_names(state) | {"spiece_model": torch.arange(9, dtype=torch.uint8)}
    return save(with_tokenizer, folder / "umt5_xxl_fp16.safetensors")


def with_decoder(state: dict[str, Tensor], folder: Path) -> Path:
    """The whole umT5, of which only the encoder is read."""
    more = {"decoder.block.0.layer.0.SelfAttention.q.weight": torch.ones(2, 2), "lm_head.weight": torch.ones(2, 2)}
    return save(in_transformers_names(state) | more, folder / "model.safetensors")


LAYOUTS: dict[str, Callable[[dict[str, Tensor], Path], Path]] = {
    "official safetensors": lambda state, folder: save(state, folder / "umt5-xxl-enc-bf16.safetensors"),
    "ComfyUI": comfyui_file,
    "transformers shards": sharded,
    "whole model": with_decoder,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(layout: str, state: dict[str, Tensor], official: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "text_encoder").mkdir()
    path = LAYOUTS[layout](state, folder)
    assert recognise(path).kind == "text_encoder"
    assert torch.equal(encode(TOKENS[1], open_umt5(path)), encode(TOKENS[1], open_umt5(official)))


@pytest.mark.parametrize("suffix", [".scale_weight", ".weight_scale"])
def test_fp8_stands_for_its_scaled_weights(suffix: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    stored, meant = in_fp8(in_transformers_names(state), suffix)
    marker = {"scaled_fp8": torch.zeros(0, dtype=torch.float8_e4m3fn)} if suffix == ".scale_weight" else {}
    path = save(stored | marker, tmp_path / "umt5_xxl_fp8_e4m3fn_scaled.safetensors")
    expected = encode(TOKENS[1], open_umt5(save(meant, tmp_path / "meant.safetensors")))
    assert torch.equal(encode(TOKENS[1], open_umt5(path)), expected)


def test_what_transformers_saves_is_read(state: dict[str, Tensor], official: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import UMT5EncoderModel

    model = UMT5EncoderModel(transformers_config())
    model.load_state_dict(in_transformers_names(state), strict=False)
    model.save_pretrained(tmp_path / "text_encoder", max_shard_size="6KB")
    assert len(list((tmp_path / "text_encoder").glob("*.safetensors"))) > 1
    rows = encode(TOKENS[1], open_umt5(tmp_path / "text_encoder"))
    assert torch.equal(rows, encode(TOKENS[1], open_umt5(official)))


class Watched:
    """An encoder that says how many layers' weights are in memory when another one is asked for."""

    def __init__(self, weights: UMT5File) -> None:
        self.weights, self.config = weights, weights.config
        self.given: list[weakref.ref[Tensor]] = []
        self.most_held = 0

    def embedding(self, ids: list[int]) -> Tensor:
        return self.weights.embedding(ids)

    def layer(self, index: int) -> LayerWeights:
        self.most_held = max(self.most_held, sum(tensor() is not None for tensor in self.given))
        layer = LayerWeights(*(tensor.clone() for tensor in self.weights.layer(index)))
        self.given.append(weakref.ref(layer.up))
        return layer

    def final_norm(self) -> Tensor:
        return self.weights.final_norm()


def test_one_layer_is_in_memory_at_a_time(official: Path) -> None:
    watched = Watched(open_umt5(official))
    encode([1], watched)
    assert len(watched.given) == LAYERS
    assert watched.most_held == 0
