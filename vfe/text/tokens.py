"""Tokens of a prompt, as Wan makes them: white space collapsed, `</s>` at the end, at most 512."""

from __future__ import annotations

import html
from pathlib import Path

from ..types import VFEError

END_TOKEN = 1
"""The number of `</s>` in umT5's vocabulary. The empty prompt is this token alone."""
MAX_TOKENS = 512


def token_ids(prompt: str, tokenizer: Path | bytes | None = None) -> list[int]:
    """Return the tokens of a prompt with `</s>` last; the empty prompt needs no tokenizer.

    `tokenizer` is umT5's spiece.model, a file or its content. Raises VFEError where one is needed or cannot be used,
    and for a prompt that is no text.
    """
    try:
        text = clean(prompt)
        text.encode()
    except UnicodeEncodeError as error:  # bytes on the command line that are not of its encoding
        raise VFEError(
            f"the prompt {prompt[:40]!r} is not valid Unicode text; type it in the terminal's encoding"
        ) from error
    if not text:
        return [END_TOKEN]
    if tokenizer is None:
        raise VFEError(f"the prompt {text[:40]!r} needs umT5's tokenizer; give its spiece.model with --tokenizer")
    return [*_pieces(text, tokenizer)[: MAX_TOKENS - 1], END_TOKEN]


def clean(prompt: str) -> str:
    """Resolve HTML entities, twice as prompt_clean of diffusers' WanPipeline does, and collapse white space.

    prompt_clean also calls ftfy where that is installed, which mends text that was decoded wrongly; this does not.
    """
    return " ".join(html.unescape(html.unescape(prompt)).split())


def _pieces(text: str, tokenizer: Path | bytes) -> list[int]:
    name = "the tokenizer in the text encoder's file" if isinstance(tokenizer, bytes) else str(tokenizer)
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError as error:
        raise VFEError(f"{name}: reading it needs sentencepiece; pip install sentencepiece") from error
    try:
        content = tokenizer if isinstance(tokenizer, bytes) else tokenizer.read_bytes()
        processor = SentencePieceProcessor(model_proto=content)
    except OSError as error:
        raise VFEError(f"{name}: cannot be read ({error.strerror}); needed is umT5's spiece.model") from error
    except RuntimeError as error:  # the library's only kind of error
        raise VFEError(f"{name}: not a SentencePiece model; needed is umT5's spiece.model") from error
    if processor.eos_id() != END_TOKEN:
        raise VFEError(
            f"{name}: its </s> is token {processor.eos_id()}, not {END_TOKEN}; needed is umT5's spiece.model"
        )
    ids: list[int] = processor.encode(text)
    return ids
