"""The options of loading a model and of restoring a file: their defaults and their ranges.

The command and ComfyUI's nodes both read them here, so that they do the same unless they are told otherwise. Torch is
not imported, so wrong ones are reported at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar, get_args

CodecName = Literal["h264", "h265", "prores", "ffv1"]
Region = Literal["frame", "face", "auto"]
AttentionName = Literal["sdpa", "flash", "sage"]
ChunkCodec = Literal["ffv1", "raw"]
DTypeName = Literal["auto", "fp32", "bf16", "fp16"]
REGIONS: tuple[Region, ...] = get_args(Region)
CODECS: tuple[CodecName, ...] = get_args(CodecName)
ATTENTIONS: tuple[AttentionName, ...] = get_args(AttentionName)
DTYPES: tuple[DTypeName, ...] = get_args(DTypeName)
CHUNK_CODECS: tuple[ChunkCodec, ...] = get_args(ChunkCodec)
DEFAULT_DTYPE: DTypeName = "auto"
"""The number format that a model computes in: the fastest of the device."""
DEFAULT_CRFS: Mapping[CodecName, int] = {"h264": 15, "h265": 17}
"""The constant rate factors that are visually lossless, so that what was restored is not degraded again: our own
choice. Other codecs have none."""

SEGMENT_FRAMES = 1500
"""The frames of a job's segment unless told otherwise: our own choice, a minute of video at 25 frames/s. A segment
restores up to three windows more than it keeps, which of 1500 frames are 5 %."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Range(Generic[Number]):
    """The numbers that an option may have, both ends among them."""

    least: Number
    most: Number

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most


STRENGTHS = Range(0.0, 1.0)
"""The range of the strength, from the input to the full restoration."""
BLENDS = Range(0.0, 1.0)
"""The range of the blend, from the faces of the input to the restored ones."""
FIDELITIES = Range(0.0, 1.0)
"""The range of the fidelity, from the sharpest faces to the most faithful ones."""
MIN_FACES = Range(0, 16_384)
"""The range of the least size of a face, in pixels: H.264 has no pictures with a longer side."""
CRFS = Range(0, 51)
"""The scale of x264 and x265, on which 0 is lossless."""
REPORT_SUFFIXES = (".html", ".json")
"""The ends of the names that reports may have."""
WINDOWS = Range(1, 10_001)
"""The range of a window, in frames: more frames than any memory holds at once."""
STEPS = Range(1, 64)
"""The range that ComfyUI offers for the steps of a model's last blocks; files say how many theirs were trained for."""
LORA_STRENGTHS = Range(-100.0, 100.0)
"""The range of a LoRA's strength, as ComfyUI's own loaders have it."""


@dataclass(frozen=True)
class LoraFile:
    """A LoRA and the factor by which its change of the weights is multiplied; ValueError where that is out of range."""

    path: Path
    strength: float = 1.0

    def __post_init__(self) -> None:
        if self.strength not in LORA_STRENGTHS:
            raise ValueError(
                f"LoRA strength is {self.strength}, needed from {LORA_STRENGTHS.least:g} to {LORA_STRENGTHS.most:g}"
            )


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The other files of a Wan model, and how it runs. The lite model takes only `folders`, `comfyui`,
    `face_model` and `steps`."""

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
    steps: int = 1
    """The steps of the DiT's last blocks, for models that were trained for several: more are better and slower."""
    context: InitVar[Path | None] = None
    """The name that `prompt_embedding` had in version 0.2.0."""

    def __post_init__(self, context: Path | None) -> None:
        if context is not None:
            if self.prompt_embedding is not None:
                raise ValueError("prompt_embedding is given twice, as context too; give one of them")
            object.__setattr__(self, "prompt_embedding", context)
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, needed 1 or more")
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
    """The constant rate factor of H.264 and H.265; None takes the one of `DEFAULT_CRFS`."""
    compare: Path | None = None
    """A video or PNG to which input and output are also written side by side; None writes none."""
    overwrite: bool = False
    """Whether files that exist are replaced."""
    region: Region = "frame"
    """What is restored: "frame" is whole frames, "face" the faces and nothing else, "auto" the faces, or whole frames
    where they fill most of the picture or there is none. Whole frames are the default because nothing that is degraded
    is left as it is then."""
    faces: str = "all"
    """Which faces are restored: all, largest, numbers such as 2,5, or nearest 320,200 in pixels of the input."""
    min_face: int = 0
    """The size in pixels of the input below which faces are left alone."""
    blend: float = 1.0
    """How much of restored faces is shown, from 0 to 1. Like `faces` and `min_face` it is of no use to whole frames."""
    tracks: Path | None = None
    """The faces of the input as `vfe faces --json` writes them, which are taken instead of those that are found."""
    fidelity: float = 0.2
    """From 1, at which faces are as the part for whole frames restores them, to 0, at which they are as sharp as the
    part for faces makes them."""
    report: Path | None = None
    """An HTML page, or JSON, to which is written what the run did, in numbers and pictures; None writes none."""

    def __post_init__(self) -> None:
        if self.strength not in STRENGTHS:
            raise ValueError(f"strength is {self.strength}, needed is a number from 0 (input) to 1 (fully restored)")
        if self.size is not None and self.scale is not None:
            raise ValueError("both size and scale are given; give one of them")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"size is {self.size[0]}x{self.size[1]}, needed are a width and a height of 1 or more")
        if self.scale is not None and not (self.scale > 0 and math.isfinite(self.scale)):
            raise ValueError(f"scale is {self.scale}, needed is a factor above 0, such as 2 or 0.5")
        if self.codec is not None and self.codec not in CODECS:
            raise ValueError(f"codec is {self.codec!r}, needed is one of {', '.join(CODECS)}")
        if self.crf is not None and self.crf not in CRFS:
            raise ValueError(f"crf is {self.crf}, needed is a number from 0 (lossless) to {CRFS.most} (worst)")
        if self.region not in REGIONS:
            raise ValueError(f"region is {self.region!r}, needed is one of {', '.join(REGIONS)}")
        if self.fidelity not in FIDELITIES:
            raise ValueError(f"fidelity is {self.fidelity}, needed is a number from 0 (sharpest) to 1 (most faithful)")
        if self.report is not None and self.report.suffix.lower() not in REPORT_SUFFIXES:
            raise ValueError(f"report is {self.report}, needed is a name that ends in {' or '.join(REPORT_SUFFIXES)}")
        if self.min_face not in MIN_FACES or self.blend not in BLENDS:
            raise ValueError(
                f"min_face={self.min_face}, blend={self.blend}: needed are 0 to {MIN_FACES.most} pixels, and 0 to 1"
            )

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the output for an input of this size, in pixels.

        A scale other than 1 gives even sides, which every codec takes.
        """
        if self.size is not None:
            return self.size
        if self.scale is None or self.scale == 1:
            return width, height
        return _even(width * self.scale), _even(height * self.scale)


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of a text like 1280x720; ValueError for another."""
    match = re.fullmatch(r"(\d+)[xX\u00d7](\d+)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size, needed is WIDTHxHEIGHT such as 512x512")
    return int(match[1]), int(match[2])


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))
