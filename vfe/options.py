"""What a restoration of a file may be asked for. No torch here: a wrong option is reported at once."""

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
MAX_CRF = 51  # the scale of x264 and x265: 0 is lossless


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
    """Where the other files of a Wan model are, and how it is run. The lite model has no use for any of it."""

    vae: Path | None = None
    """None: the one that is found beside other models."""
    prompt_embedding: Path | None = None
    """The file of the prompt embedding, as `vfe embed-prompt` writes it; None takes the one that is found."""
    loras: tuple[LoraFile, ...] = ()
    attention: AttentionName = "sdpa"
    compile: bool = False
    """torch.compile the DiT: slow to start, faster from the second window on."""
    fold: bool = True
    """Fold the fixed timestep and prompt into the weights."""
    fp8: bool = False
    """Keep the DiT's linear layers in 8 bits: half the memory, and a little less precision."""
    memory: int | None = None
    """Bytes of device memory that may be used; None: what is free."""
    face_model: str | Path | None = None
    """The part that restores aligned faces: a name, a file, or "none"; None: the bundled one with the lite model."""
    adapter: Path | None = None
    """Prior and fusion of DVFace that belong to the DiT; None runs it without."""
    folders: tuple[Path, ...] = ()
    """More folders in which models are looked for."""
    comfyui: Path | None = None
    """A ComfyUI installation whose models are looked through too."""

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory <= 0:
            raise ValueError(f"memory is {self.memory} bytes, needed above 0")


@dataclass(frozen=True)
class RestoreOptions:
    """Options of `Restorer.restore_file`; ValueError where one makes no sense."""

    strength: float = 1.0
    """0 leaves the input as the model's codec gives it back, 1 is the full restoration."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels that the input is resized to before it is restored; None keeps its size."""
    scale: float | None = None
    """Factor that does the same while keeping the aspect; not together with `size`."""
    codec: CodecName | None = None
    """None: by the extension of the output, H.264 for most."""
    crf: int | None = None
    """Constant rate factor of H.264 and H.265; None: the codec's default."""
    compare: Path | None = None
    """Where to write input and output side by side: a video or a PNG."""
    overwrite: bool = False
    """Replace files that exist."""
    region: Region = "frame"
    """What is restored: whole frames; the faces and nothing else; or auto, the faces, but whole frames where they fill
    most of the picture or there is none."""
    faces: str = "all"
    """Which of them: all, largest, numbers such as 2,5, or nearest 320,200, a place in pixels of the input."""
    min_face: int = 0
    """Faces that are smaller, in pixels of the input, are left alone."""
    blend: float = 1.0
    """How much of restored faces is shown, from 0 to 1. Of no use to whole frames, as `faces` and `min_face`."""

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
        if self.min_face < 0 or not 0 <= self.blend <= 1:
            raise ValueError(f"min_face={self.min_face}, blend={self.blend}: needed are 0 or more pixels, and 0 to 1")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the output for an input of this size.

        A scale other than 1 gives even sides, which every codec takes.
        """
        if self.size is not None:
            return self.size
        if self.scale is None or self.scale == 1:
            return width, height
        return _even(width * self.scale), _even(height * self.scale)


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))
