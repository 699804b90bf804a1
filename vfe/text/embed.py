"""Embed a prompt once and keep the result in a file: from then on no text encoder is needed."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ..tensor_io.source import is_finite
from ..types import Progress, VFEError
from ..weights.prompt import write_prompt_embedding
from .encoder_file import open_umt5
from .tokens import token_ids
from .umt5 import encode


def embed_prompt(
    encoder: Path, prompt: str = "", tokenizer: Path | None = None, on_progress: Progress | None = None
) -> Tensor:
    """Return the embedding of a prompt, (n, text_dim) float32: a row for each of its n tokens, 1 for the empty prompt.

    What follows these rows is 0 up to 512 rows: Wan cuts the padding off (`T5EncoderModel.__call__`) and fills up with
    zeros (`WanModel.forward`), as diffusers does in `WanPipeline._get_t5_prompt_embeds`; DiffSynth and VividFace set
    it to 0 in `WanPrompter.encode_prompt`, ComfyUI by `zero_out_masked`. `encoder` is a umT5-XXL in any layout;
    `tokenizer` its spiece.model, needed where the prompt is not empty and the encoder's file does not hold one.
    `on_progress` gets layers done and their total. Raises VFEError for what cannot be used.
    """
    weights = open_umt5(encoder)
    rows = encode(token_ids(prompt, tokenizer or weights.tokenizer), weights, on_progress)
    if not is_finite(rows):
        raise VFEError(f"{encoder}: its result is NaN or infinity; the weights are damaged, get the file again")
    return rows


def embed_prompt_to_file(
    encoder: Path, output: Path, prompt: str = "", tokenizer: Path | None = None, on_progress: Progress | None = None
) -> Tensor:
    """Write what `embed_prompt` gives to the file `output`, which appears when it is complete, and return it.

    Raises VFEError as `embed_prompt` does, and OSError as writing does.
    """
    if output.suffix != ".safetensors":
        raise VFEError(f"{output}: a prompt embedding is a safetensors file; give a name that ends in .safetensors")
    if not output.parent.is_dir():
        raise VFEError(f"{output}: the folder {output.parent} does not exist; create it first")
    rows = embed_prompt(encoder, prompt, tokenizer, on_progress)
    name = encoder.name.encode(errors="replace").decode()  # a file name need not be Unicode text, metadata must
    write_prompt_embedding(output, rows, {"prompt": prompt, "text_encoder": name})
    return rows
