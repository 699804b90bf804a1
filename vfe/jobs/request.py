"""What is asked of a job: a source, a result, and how it is restored, in a form that a file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..config import from_mapping
from ..library.find import find_models
from ..options import ATTENTIONS, CHUNK_CODECS, SEGMENT_FRAMES, ChunkCodec, LoraFile, ModelOptions, RestoreOptions
from ..pipeline.windows import WindowConfig
from ..restore.restorer import Restorer, load
from ..types import Notify

_NOT_KEPT = ("compare", "report", "overwrite", "tracks")  # they say nothing of the pixels; faces are in the survey


@dataclass(frozen=True)
class ModelRequest:
    """The arguments of `vfe.load`."""

    name: str = "lite"
    device: str = "auto"
    dtype: str = "auto"
    window: WindowConfig | None = None
    options: ModelOptions = field(default_factory=ModelOptions)

    def load(self, notify: Notify | None = None) -> Restorer:
        """Load the model. Raises VFEError as `vfe.load` does."""
        return load(self.name, self.device, self.dtype, self.window, self.options, notify)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        window = None if self.window is None else {"frames": self.window.frames, "overlap": self.window.overlap}
        options = {item.name: _plain(getattr(self.options, item.name)) for item in fields(self.options)}
        options["face_model"] = None if options["face_model"] is None else _findable(options["face_model"])
        return {
            "name": _findable(self.name),
            "device": self.device,
            "dtype": self.dtype,
            "window": window,
            "options": options,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ModelRequest:
        """Read what `to_json` gave; ValueError for anything else."""
        plain = from_mapping(_PlainRequest, raw, "model")
        return cls(plain.name, plain.device, plain.dtype, plain.window, plain.options.to_options())


@dataclass(frozen=True)
class JobRequest:
    """What is asked of a job. Raises ValueError where it makes no sense."""

    source: Path
    result: Path
    """The video, or the folder of PNGs, that is to be written; `vfe.video.output_name.beside` gives one."""
    options: RestoreOptions = field(default_factory=RestoreOptions)
    model: ModelRequest = field(default_factory=ModelRequest)
    chunks: ChunkCodec = "ffv1"
    """How pictures wait in chunks: smaller as FFV1, faster as raw planes."""
    segment_frames: int = SEGMENT_FRAMES
    """The frames of a segment, unless a cut is near its end."""
    checks_disk: bool = True
    """Whether a disk is refused that has too little space for a clean clip; the job itself does not know of it."""

    def __post_init__(self) -> None:
        if self.chunks not in CHUNK_CODECS:
            raise ValueError(f"the codec of chunks is {self.chunks!r}, needed is one of {', '.join(CHUNK_CODECS)}")
        if self.segment_frames < 1:
            raise ValueError(f"segments are of {self.segment_frames} frames, needed is 1 or more")


def options_to_json(options: RestoreOptions) -> dict[str, Any]:
    """Return the options that say what the pixels of a result are."""
    return {item.name: _plain(getattr(options, item.name)) for item in fields(options) if item.name not in _NOT_KEPT}


def options_from_json(raw: Mapping[str, Any]) -> RestoreOptions:
    """Read what `options_to_json` gave; ValueError for anything else."""
    if not isinstance(raw, Mapping):
        raise ValueError(f"options: got {raw!r}, needed the options of restoring")
    if strange := sorted(set(raw) & set(_NOT_KEPT)):
        raise ValueError(f"options: got {', '.join(strange)}, which a job does not have")
    return from_mapping(RestoreOptions, raw, "options")


def _findable(name: str) -> str:
    """Return the name of a model, or its path from wherever it is looked for."""
    return name if name in find_models() or not Path(name).exists() else str(Path(name).absolute())


def _plain(value: Any) -> Any:  # noqa: ANN401 - any option
    """Return an option as JSON holds it: paths, which are written as text, become absolute."""
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, LoraFile):
        return {"path": str(value.path.absolute()), "strength": value.strength}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class _PlainLora:
    path: str
    strength: float


@dataclass(frozen=True)
class _PlainOptions:
    """`ModelOptions` with text in place of paths."""

    vae: str | None
    prompt_embedding: str | None
    loras: tuple[_PlainLora, ...]
    attention: str
    compile: bool
    fold: bool
    fp8: bool
    memory: int | None
    face_model: str | None
    adapter: str | None
    folders: tuple[str, ...]
    comfyui: str | None
    steps: int = 1
    """Not in the jobs of older versions."""

    def to_options(self) -> ModelOptions:
        """Return the options of the model; ValueError where one makes no sense."""
        if self.attention not in ATTENTIONS:
            raise ValueError(f"attention is {self.attention!r}, needed is one of {', '.join(ATTENTIONS)}")
        return ModelOptions(
            vae=_path(self.vae),
            prompt_embedding=_path(self.prompt_embedding),
            loras=tuple(LoraFile(Path(lora.path), lora.strength) for lora in self.loras),
            attention=self.attention,
            compile=self.compile,
            fold=self.fold,
            fp8=self.fp8,
            memory=self.memory,
            face_model=self.face_model,
            adapter=_path(self.adapter),
            folders=tuple(map(Path, self.folders)),
            comfyui=_path(self.comfyui),
            steps=self.steps,
        )


@dataclass(frozen=True)
class _PlainRequest:
    name: str
    device: str
    dtype: str
    window: WindowConfig | None
    options: _PlainOptions


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
