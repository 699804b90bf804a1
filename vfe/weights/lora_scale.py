"""The scale of a LoRA whose file holds no alpha: peft keeps it in adapter_config.json, diffusers in the metadata.

Where neither is there the scale is 1, as ComfyUI and diffusers take it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from ..tensor_io.source import TensorSource, printable
from ..types import VFEError
from .lora_keys import NEEDED_INSTEAD

CONFIG_FILE = "adapter_config.json"  # beside the weights, under peft's own name for them
WEIGHTS_STEM = "adapter_model"
DIFFUSERS_CONFIG_ENTRY = "lora_adapter_metadata"  # diffusers: the same config, as JSON
MODEL_PREFIX = "transformer."  # of its keys, in a file that may also hold a LoRA of the text encoder
MAX_CONFIG = 1 << 20  # bytes: it has about 1 KB


class LoraScale:
    """Gives the factor of each layer of a LoRA: alpha / r, or alpha / sqrt(r) for a rank-stabilised one."""

    def __init__(self, source: TensorSource) -> None:
        self._subject = f"{source.path}: its adapter config"
        config = _read_config(source)
        if config.get("use_dora"):
            raise VFEError(f"{source.path}: DoRA, which cannot be merged here; {NEEDED_INSTEAD}")
        if config.get("peft_type", "LORA") != "LORA" or config.get("fan_in_fan_out"):
            raise VFEError(
                f"{source.path}: an adapter that is no plain LoRA ({printable(config.get('peft_type'))}); needed one"
            )
        self._root = bool(config.get("use_rslora"))
        self._alpha = self._number(config["lora_alpha"]) if config.get("lora_alpha") is not None else None
        patterns = config.get("alpha_pattern") or {}
        if not isinstance(patterns, Mapping):
            raise VFEError(f"{self._subject} has an alpha_pattern that is no mapping; get it again")
        self._patterns = {self._suffix(layer): self._number(alpha) for layer, alpha in patterns.items()}

    def __call__(self, layer: str, rank: int) -> float:
        """Return the factor of a layer, which is called as in the file, of that rank."""
        special = [alpha for suffix, alpha in self._patterns.items() if f".{layer}".endswith(f".{suffix}")]
        alpha = special[0] if special else self._alpha
        if alpha is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self._root else rank)

    def _number(self, value: object) -> float:
        if isinstance(value, (int, float)) and math.isfinite(value):
            return float(value)
        raise VFEError(f"{self._subject} has the alpha {printable(repr(value))}, needed a number")

    def _suffix(self, layer: object) -> str:
        """Return the plain name of a layer. peft also takes regular expressions, which a hostile file could abuse."""
        if isinstance(layer, str) and re.fullmatch(r"[\w.]+", layer):
            return layer
        raise VFEError(f"{self._subject} has an alpha_pattern {printable(layer)!r}; needed the plain name of a layer")


def _read_config(source: TensorSource) -> Mapping[str, object]:
    path = source.files[-1].with_name(CONFIG_FILE)
    text = source.metadata.get(DIFFUSERS_CONFIG_ENTRY, "{}")
    try:
        if source.files[-1].stem == WEIGHTS_STEM and path.is_file():
            if path.stat().st_size > MAX_CONFIG:
                raise VFEError(f"{path}: an adapter config of {path.stat().st_size} bytes, at most {MAX_CONFIG}")
            text = path.read_text(encoding="utf-8")
        config = json.loads(text)
    except VFEError:
        raise
    except (ValueError, RecursionError) as error:
        raise VFEError(f"{source.path}: its adapter config is damaged ({error}); get it again") from error
    if not isinstance(config, dict):
        raise VFEError(f"{source.path}: its adapter config is no mapping; get it again")
    own = {key: value for key, value in config.items() if key.startswith(MODEL_PREFIX)} or config
    return {key.removeprefix(MODEL_PREFIX): value for key, value in own.items()}
