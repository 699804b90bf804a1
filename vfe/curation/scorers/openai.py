"""The scorer that asks a vision language model behind an endpoint as OpenAI's.

Images are sent and not video: all servers take images, each in the same way.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...report.picture import jpeg
from ..clip import FaceClip
from ..verdict import Verdict
from .conversation import converse, key_of
from .endpoint import Endpoint, EndpointConfig
from .frames import ShownFrames, shown_frames
from .prompt import load_prompt

JPEG_SCALE = 1
"""The finest quantiser of the encoder: the clip's artefacts are judged, and ours are not to be among them."""
MAX_TOKENS = 300


class OpenAIScorer:
    """Asks one model for verdicts, with temperature 0 and a fixed seed, so that it says the same again if it can."""

    def __init__(self, config: EndpointConfig, shown: ShownFrames | None = None) -> None:
        """Raises VFEError as `Endpoint` does."""
        self.config, self.shown = config, shown or ShownFrames()
        self._endpoint, self._prompt = Endpoint(config), load_prompt()

    @property
    def name(self) -> str:
        return f"openai:{self.config.model}"

    @property
    def key(self) -> str:
        """The address is not part of it: the same model gives the same verdicts wherever it is served."""
        settings = {**asdict(self.shown), "jpeg": JPEG_SCALE, "max_tokens": MAX_TOKENS, "temperature": 0, "seed": 0}
        return key_of(self.name, self._prompt, settings)

    def score(self, clip: FaceClip) -> Verdict:
        """Return the verdict. Raises VFEError where the endpoint does not take the key or the model."""
        shown = shown_frames(clip, self.shown)
        images = [_image_part(jpeg(picture, scale=JPEG_SCALE)) for picture in shown.pictures]
        question = self._prompt.of(len(images), shown.seconds)
        return converse(question, lambda said: self._endpoint.ask(self._body(images, said)))

    def _body(self, images: list[dict[str, Any]], said: Sequence[str]) -> dict[str, Any]:
        question: dict[str, Any] = {"role": "user", "content": [*images, {"type": "text", "text": said[0]}]}
        roles = ("user", "assistant")
        rest = [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(said) if turn]
        return {
            "model": self.config.model,
            "messages": [{"role": "system", "content": self._prompt.system}, question, *rest],
            "temperature": 0,
            "seed": 0,
            "max_tokens": MAX_TOKENS,
        }


def _image_part(data: bytes) -> dict[str, Any]:
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    return {"type": "image_url", "image_url": {"url": url}}
