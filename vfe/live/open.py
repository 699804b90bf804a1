"""From what is asked for to a live run that is ready to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..face.detect.detector import FaceDetector
from ..restore.restorer import Restorer
from ..types import VFEError
from .follow import FollowConfig
from .gather import Gatherer
from .meter import Meter
from .outputs.address import Address
from .outputs.http import HttpOutput
from .outputs.output import Output
from .outputs.stream import StreamOutput
from .outputs.virtual_camera import VirtualCameraOutput
from .restore import GroupRestorer, LiveOptions
from .session import LiveSession, close_all
from .source import LiveInput, LiveSource


@dataclass(frozen=True, kw_only=True)
class LiveRequest:
    """What a live run is asked to do."""

    input: LiveInput
    outputs: tuple[Address, ...] = (Address("http"),)
    options: LiveOptions = field(default_factory=LiveOptions)
    follow: FollowConfig = field(default_factory=FollowConfig)


def figures_of(meter: Meter, outputs: Sequence[Output]) -> dict[str, object]:
    """Return the figures of a run, and how many frames each output skipped, for programs to read."""
    skipped = [{"where": output.where, "frames_skipped": output.skipped} for output in outputs]
    return {**meter.figures().as_dict(), "outputs": skipped}


def open_outputs(addresses: Sequence[Address], meter: Meter) -> list[Output]:
    """Open all outputs, or none. Raises VFEError where one of them cannot be opened."""
    outputs: list[Output] = []

    def figures() -> Mapping[str, object]:
        return figures_of(meter, outputs)

    try:
        for address in addresses:
            if address.kind == "http":
                outputs.append(HttpOutput(address.host, address.port, figures))
            elif address.kind == "stream":
                outputs.append(StreamOutput(address.name))
            else:
                outputs.append(VirtualCameraOutput(address.name))
    except VFEError:
        close_all(outputs)
        raise
    return outputs


def open_session(
    restorer: Restorer, request: LiveRequest, source: LiveSource, outputs: Sequence[Output], meter: Meter
) -> LiveSession:
    """Return the run of a loaded model. Raises VFEError for a model that cannot restore live."""
    gatherer = Gatherer(FaceDetector.load(), request.follow)
    return LiveSession(source, gatherer, GroupRestorer.of(restorer, request.options), outputs, meter)
