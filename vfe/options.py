"""The options of loading a model and of restoring a file. Torch is not imported, so wrong ones are reported at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

CodecName = Literal["h264", "h265", "prores", "ffv1"]
Region = Literal["frame", "face", "auto"]
AttentionName = Literal["sdpa", "flash", "sage"]
REGIONS: tuple[Region, ...] = get_args(Region)
CODECS: tuple[CodecName, ...] = get_args(CodecName)
MAX_CRF = 51
"""The end of the scale of x264 and x265, on which 0 is lossless."""


@dataclass(frozen=True)
class LoraFile:
    """A LoRA and the factor by which its change of the weights is multiplied; ValueError where that is not finite."""

    path: Path
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength):
            raise ValueError(f"LoRA strength is {self.strength}, needed a finite number")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The other files of a Wan model, and how it runs. The lite model takes only `folders`, `comfyui` and
    `face_model`."""

    vae: Path | None = None
    """Wan2.1's VAE; None takes the one that is found beside other models."""
    prompt_embedding: Path | None = None
    """The file of the prompt embedding, as `vfe embed-prompt` writes it; None takes the one that is found."""
    loras: tuple[LoraFile, ...] = ()
    """The LoRAs that are merged into the DiT, in this order."""
    attention: AttentionName = "sdpa"
    """The kernel of the DiT's attention: torch's own, or an installed FlashAttention or SageAttention."""
    compile: bool = False
    """Whether the DiT is compiled by torch.compile: slow at first, faster from the second window on."""
    fold: bool = True
    """Whether the fixed timestep and prompt are folded into the weights."""
    fp8: bool = False
    """Whether the DiT's linear layers are stored in 8 bits: half the memory, and a little less precision."""
    memory: int | None = None
    """The bytes of device memory that may be used; None takes what is free."""
    face_model: str | Path | None = None
    """The model that restores aligned faces: a name, a file, or "none"; None takes lite's own beside the lite model."""
    adapter: Path | None = None
    """The prior and fusion of DVFace that were trained with the DiT; None runs it without them."""
    folders: tuple[Path, ...] = ()
    """Further folders in which models are looked for."""
    comfyui: Path | None = None
    """A ComfyUI installation whose models are looked through too."""

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory <= 0:
            raise ValueError(f"memory is {self.memory} bytes, needed above 0")


@dataclass(frozen=True)
class RestoreOptions:
    """Options of `Restorer.restore_file`; ValueError where one makes no sense."""

    strength: float = 1.0
    """From 0, which leaves the input as the model's codec gives it back, to 1, which is the full restoration."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels that the input is resized to before it is restored; None keeps its size."""
    scale: float | None = None
    """The factor by which the input is resized instead, which keeps its aspect; not together with `size`."""
    codec: CodecName | None = None
    """The codec of the output; None takes the one that suits its file name, mostly H.264."""
    crf: int | None = None
    """The constant rate factor of H.264 and H.265; None takes the codec's default."""
    compare: Path | None = None
    """A video or PNG to which input and output are also written side by side; None writes none."""
    overwrite: bool = False
    """Whether files that exist are replaced."""
    region: Region = "frame"
    """What is restored: "frame" is whole frames, "face" the faces and nothing else, "auto" the faces, or whole frames
    where they fill most of the picture or there is none."""
    faces: str = "all"
    """Which faces are restored: all, largest, numbers such as 2,5, or nearest 320,200 in pixels of the input."""
    min_face: int = 0
    """The size in pixels of the input below which faces are left alone."""
    blend: float = 1.0
    """How much of restored faces is shown, from 0 to 1. Like `faces` and `min_face` it is of no use to whole frames."""
    fidelity: float = 0.5
    """From 1, at which faces are as the part for whole frames restores them, to 0, at which they are as sharp as the
    part for faces makes them."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength is {self.strength}, needed is a number from 0 (input) to 1 (fully restored)")
        if self.size is not None and self.scale is not None:
            raise ValueError("both size and scale are given; give one of them")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"size is {self.size[0]}x{self.size[1]}, needed are a width and a height of 1 or more")
        if self.scale is not None and not (self.scale > 0 and math.isfinite(self.scale)):
            raise ValueError(f"scale is {self.scale}, needed is a factor above 0, such as 2 or 0.5")
        if self.codec is not None and self.codec not in CODECS:
            raise ValueError(f"codec is {self.codec!r}, needed is one of {', '.join(CODECS)}")
        if self.crf is not None and not 0 <= self.crf <= MAX_CRF:
            raise ValueError(f"crf is {self.crf}, needed is a number from 0 (lossless) to {MAX_CRF} (worst)")
        if self.region not in REGIONS:
            raise ValueError(f"region is {self.region!r}, needed is one of {', '.join(REGIONS)}")
        if not 0 <= self.fidelity <= 1:
            raise ValueError(f"fidelity is {self.fidelity}, needed is a number from 0 (sharpest) to 1 (most faithful)")
        if self.min_face < 0 or not 0 <= self.blend <= 1:
            raise ValueError(f"min_face={self.min_face}, blend={self.blend}: needed are 0 or more pixels, and 0 to 1")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the output for an input of this size, in pixels.

        A scale other than 1 gives even sides, which every codec takes.
        """
        if self.size is not None:
            return self.size
        if self.scale is None or self.scale == 1:
            return width, height
        return _even(width * self.scale), _even(height * self.scale)


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))
