"""The scorer that runs Qwen2.5-VL, with stand-ins of the two classes of transformers that it uses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.face_clips import flat_clip
from tests.support.fake_endpoint import GOOD
from vfe.curation.scorers.frames import ShownFrames
from vfe.curation.scorers.qwen import MAX_TOKENS, QwenConfig, QwenScorer
from vfe.device import choose_dtype
from vfe.types import VFEError


class Inputs(dict[str, Tensor]):
    def to(self, _: torch.device) -> Inputs:
        return self


class Processor:
    """Writes messages down as JSON, and remembers the pictures."""

    def __init__(self, answers: list[str]) -> None:
        self.answers, self.prompts, self.pictures = answers, list[list[dict[str, Any]]](), list[Any]()

    def apply_chat_template(
        self, messages: list[dict[str, Any]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert (tokenize, add_generation_prompt) == (False, True)
        return json.dumps(messages)

    def __call__(self, *, text: list[str], images: list[Any], return_tensors: str) -> Inputs:
        assert return_tensors == "pt"
        self.prompts.append(json.loads(text[0]))
        self.pictures.append(images)
        return Inputs(input_ids=torch.zeros(1, 5, dtype=torch.long))

    def batch_decode(self, ids: Tensor, *, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        assert ids.tolist() == [[7, 7]]  # only what is new
        return [self.answers.pop(0)]


class Model:
    def to(self, _: torch.device) -> Model:
        return self

    def eval(self) -> Model:
        return self

    def generate(self, *, input_ids: Tensor, do_sample: bool, max_new_tokens: int) -> Tensor:
        assert (do_sample, max_new_tokens) == (False, MAX_TOKENS)
        return torch.cat([input_ids, torch.full((1, 2), 7)], 1)


def install(patch: pytest.MonkeyPatch, processor: Processor, error: Exception | None = None) -> list[str]:
    """Put stand-ins into the place of transformers; returns the models that were read."""
    read: list[str] = []

    class Loader:
        @staticmethod
        def from_pretrained(name: str, torch_dtype: torch.dtype) -> Model:
            assert torch_dtype == choose_dtype("auto", torch.device("cpu"))
            if error is not None:
                raise error
            read.append(name)
            return Model()

    class Processors:
        @staticmethod
        def from_pretrained(_: str) -> Processor:
            return processor

    module = ModuleType("transformers")
    module.AutoProcessor = Processors  # type: ignore[attr-defined]
    module.Qwen2_5_VLForConditionalGeneration = Loader  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "transformers", module)
    return read


def test_the_model_is_read_once_and_sees_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    processor = Processor([json.dumps(GOOD)] * 2)
    read = install(monkeypatch, processor)
    judge = QwenScorer(QwenConfig(model="some/qwen", device="cpu", shown=ShownFrames(count=4)))
    assert read == []
    assert [judge.score(flat_clip()).detail for _ in range(2)] == [92, 92]
    assert read == ["some/qwen"]
    system, user = processor.prompts[0]
    assert system["role"] == "system"
    assert [part["type"] for part in user["content"]] == ["image"] * 4 + ["text"]
    assert "These 4 frames" in user["content"][-1]["text"]
    expected = flat_clip().frames[[0, 3, 6, 9]].numpy()
    assert np.array_equal(np.stack(processor.pictures[0]), expected)


def test_it_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    processor = Processor(["A fine clip.", json.dumps(GOOD)])
    install(monkeypatch, processor)
    assert QwenScorer(QwenConfig(device="cpu")).score(flat_clip()).detail == 92
    assert [message["role"] for message in processor.prompts[1]] == ["system", "user", "assistant", "user"]


def test_no_verdict_twice_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Processor(["A fine clip."] * 2))
    assert "no complete JSON object" in QwenScorer(QwenConfig(device="cpu")).score(flat_clip()).unscored


def test_a_model_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Processor([]), OSError("no such\nmodel"))
    with pytest.raises(VFEError, match=r"cannot be read as Qwen2\.5-VL: no such model; give another --model"):
        QwenScorer(QwenConfig(device="cpu")).score(flat_clip())


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(VFEError, match=r"video-face-enhancement\[curate\]"):
        QwenScorer(QwenConfig(device="cpu")).score(flat_clip())


def test_the_key_follows_the_model_and_the_files_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "qwen"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"1")
    first = QwenScorer(QwenConfig(model=str(folder)))
    key = first.key
    assert first.name == "transformers:qwen"
    (folder / "model.safetensors").write_bytes(b"22")
    keys = {key, first.key, QwenScorer().key, QwenScorer(QwenConfig(model="a/b")).key}
    assert len(keys) == 4
