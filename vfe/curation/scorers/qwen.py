"""The scorer that runs Qwen2.5-VL in this process, by the package transformers.

The paper names Qwen2.5-VL (section 3.3) but not its size. The default is the one of 7 billion parameters, which has an
open licence; it takes 17 GB in bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange

from ...device import choose_device, choose_dtype
from ...types import VFEError
from ..clip import FaceClip
from ..verdict import Verdict
from .conversation import converse, key_of
from .frames import ShownFrames, shown_frames
from .prompt import load_prompt

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"
MAX_TOKENS = 300


@dataclass(frozen=True, kw_only=True)
class QwenConfig:
    """Which model, and where it runs."""

    model: str = MODEL
    """A name of the Hugging Face hub, or a folder with the model's files."""
    device: str = "auto"
    dtype: str = "auto"
    shown: ShownFrames = field(default_factory=ShownFrames)


class QwenScorer:
    """Asks a model of this process for verdicts, without sampling. The model is read when it is first asked."""

    def __init__(self, config: QwenConfig | None = None) -> None:
        self.config = config or QwenConfig()
        self._prompt = load_prompt()
        self._model: _Qwen | None = None

    @property
    def name(self) -> str:
        return f"transformers:{Path(self.config.model).name}"

    @property
    def key(self) -> str:
        """The files of a folder are known by their names and sizes; a model of the hub is known by its whole name."""
        folder = Path(self.config.model)
        files = sorted((file.name, file.stat().st_size) for file in folder.iterdir()) if folder.is_dir() else []
        model = sha256(repr(files).encode()).hexdigest() if files else self.config.model
        settings = {**asdict(self.config.shown), "model": model, "max_tokens": MAX_TOKENS, "dtype": self.config.dtype}
        return key_of("transformers", self._prompt, settings)

    def score(self, clip: FaceClip) -> Verdict:
        """Return the verdict. Raises VFEError where transformers or the model is missing."""
        if self._model is None:
            self._model = _Qwen(self.config, self._prompt.system)
        model, shown = self._model, shown_frames(clip, self.config.shown)
        levels = ((shown.pictures + 1) * 127.5).round().clamp(0, 255).byte()
        pictures = list(rearrange(levels, "n c h w -> n h w c").numpy())
        question = self._prompt.of(len(pictures), shown.seconds)
        return converse(question, lambda said: model.answer(pictures, said))


class _Qwen:
    """The model and its processor."""

    def __init__(self, config: QwenConfig, system: str) -> None:
        try:
            from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration
        except ImportError as error:
            raise _missing(error) from error
        self._system, self._device = system, choose_device(config.device)
        dtype = choose_dtype(config.dtype, self._device)
        try:
            self._processor = AutoProcessor.from_pretrained(config.model)
            model: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(config.model, torch_dtype=dtype)
        except ImportError as error:
            raise _missing(error) from error
        except (OSError, ValueError) as error:
            text = " ".join(str(error).split())[:200]
            raise VFEError(f"{config.model} cannot be read as Qwen2.5-VL: {text}; give another --model") from error
        self._model = model.to(self._device).eval()

    @torch.inference_mode()
    def answer(self, pictures: list[npt.NDArray[np.uint8]], said: Sequence[str]) -> str:
        """Return what the model says next to pictures (H, W, 3) and what was said so far, the question first."""
        roles = ("user", "assistant")
        messages: list[dict[str, Any]] = [{"role": "system", "content": [_text(self._system)]}]
        for turn, text in enumerate(said):
            images = [{"type": "image"}] * len(pictures) if turn == 0 else []
            messages.append({"role": roles[turn % 2], "content": [*images, _text(text)]})
        prompt = self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = self._processor(text=[prompt], images=pictures, return_tensors="pt").to(self._device)
        ids = self._model.generate(**inputs, do_sample=False, max_new_tokens=MAX_TOKENS)
        new = ids[:, inputs["input_ids"].shape[1] :]
        return str(self._processor.batch_decode(new, skip_special_tokens=True)[0])


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _missing(error: ImportError) -> VFEError:
    text = " ".join(str(error).split())[:200]
    return VFEError(f"--scorer transformers needs more packages ({text}); pip install 'video-face-enhancement[curate]'")
