"""The order of a job: what was asked, and which files it was asked of.

But for the arithmetic it decides every pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import from_mapping
from ..files.fingerprint import fingerprint
from ..types import VFEError
from ..video.errors import reading
from ..video.info import VideoInfo
from .identity import SourceIdentity, model_fingerprints, source_identity
from .request import JobRequest, ModelRequest, options_from_json, options_to_json


@dataclass(frozen=True)
class Order:
    """A request, and the files that it means."""

    request: JobRequest
    source: SourceIdentity
    files: Mapping[str, str]
    """The fingerprints of the files of weights and of face tracks, by what they are for."""
    version: str
    """Of vfe."""

    @classmethod
    def of(cls, request: JobRequest, info: VideoInfo) -> Order:
        """Return the order that a request is now. Raises VFEError where a file of it is not there."""
        files = dict(model_fingerprints(request.model))
        if request.options.tracks is not None:
            with reading(request.options.tracks):
                files["face tracks"] = fingerprint(request.options.tracks)
        return cls(request, source_identity(info), files, __version__)

    def changes(self, new: Order) -> list[str]:
        """Return what another order has otherwise, in words; nothing where the work done for this one counts for it.

        Where the result lies is free, but not what kind of file it is.
        """
        changed = [] if self.source == new.source else ["the source"]
        old_options, new_options = (options_to_json(order.request.options) for order in (self, new))
        changed += [f"the option {name}" for name in new_options if old_options[name] != new_options[name]]
        old_model, new_model = (order.request.model.to_json() for order in (self, new))
        changed += [f"the {name} of the model" for name in new_model if old_model[name] != new_model[name]]
        changed += [f"the file of the {name}" for name in sorted({*self.files, *new.files})
                    if self.files.get(name) != new.files.get(name)]  # fmt: skip
        old, asked = self.request, new.request
        changed += [] if old.result.suffix.lower() == asked.result.suffix.lower() else ["the kind of result"]
        changed += [] if old.chunks == asked.chunks else ["the codec of chunks"]
        changed += [] if old.segment_frames == asked.segment_frames else ["the length of segments"]
        return changed if self.version == new.version else [*changed, "the version of vfe"]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        request = self.request
        return {
            "version": self.version,
            "source": asdict(self.source),
            "files": dict(self.files),
            "result": str(request.result.absolute()),
            "options": options_to_json(request.options),
            "model": request.model.to_json(),
            "chunks": request.chunks,
            "segment_frames": request.segment_frames,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Order:
        """Read what `to_json` gave; ValueError for anything else."""
        plain = from_mapping(_PlainOrder, raw, "order")
        files = plain.files.items()
        if not all(isinstance(name, str) and isinstance(digest, str) for name, digest in files):
            raise ValueError("order.files: needed are fingerprints by name")
        request = JobRequest(
            source=Path(plain.source.path),
            result=Path(plain.result),
            options=options_from_json(plain.options),
            model=ModelRequest.from_json(plain.model),
            chunks=plain.chunks,  # type: ignore[arg-type]  # checked there
            segment_frames=plain.segment_frames,
        )
        return cls(request, plain.source, plain.files, plain.version)

    def check_files(self) -> None:
        """Raise VFEError where a file of weights is another one than was planned with."""
        now = model_fingerprints(self.request.model)
        changed = [name for name, digest in now.items() if self.files.get(name) != digest]
        if changed:
            raise VFEError(f"the file of the {changed[0]} is not the one that the job was planned with; plan it anew")

    def check_source(self, info: VideoInfo) -> None:
        """Raise VFEError where the source is not the one of this order any more."""
        now = source_identity(info)
        if now != self.source:
            changed = [item.name for item in fields(now) if getattr(now, item.name) != getattr(self.source, item.name)]
            raise VFEError(
                f"{info.path}: was changed since the job was planned ({', '.join(changed)} differ); plan it anew"
            )


@dataclass(frozen=True)
class _PlainOrder:
    version: str
    source: SourceIdentity
    files: dict[str, Any]
    result: str
    options: dict[str, Any]
    model: dict[str, Any]
    chunks: str
    segment_frames: int
