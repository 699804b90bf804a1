"""Which entries of a restorer's codebooks the frames of an IMAGE stand for, or the faces in them.

h w token grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ...vfe.face.paste.align import ALIGNED_SIDE
from ...vfe.face.paste.aligned import AlignedPatcher
from ...vfe.face.track.tracks import FaceTrack
from ...vfe.models.prior import DualCodebookPrior, Prior, PriorStrength
from ...vfe.types import FRAMES_PER_LATENT, VFEError, VideoShape
from ..backend.restorer import ComfyRestorer
from ..host.images import check_images, to_frame, to_frames
from ..host.reporter import MANY, Reporter
from ..sockets.clip_prior import ClipPrior, code_picture, on_device
from .faces import find_faces
from .step import windows_of


class Codes(NamedTuple):
    """What was read from a clip: the prior of each window, by (first frame, number of frames), and pictures of it."""

    priors: dict[tuple[int, int], Prior]
    pictures: list[Tensor]
    """One for each latent frame."""


def read_clip_prior(restorer: ComfyRestorer, images: Tensor, strength: PriorStrength) -> tuple[ClipPrior, Tensor]:
    """Return the prior of a clip in the windows that suit the restorer, and its codes as an IMAGE.

    Where its part for faces alone has codebooks, the codes are those of the faces. The IMAGE has a picture for each
    latent frame, of one face after another. Raises VFEError for a restorer without codebooks, and where there is no
    face.
    """
    check_images(images)
    reporter = Reporter(len(images))
    if restorer.codebooks is None:
        pictures = face_codes(restorer, images, reporter)
        return ClipPrior(images=images, restorer=restorer, strength=strength, windows={}, of_faces=True), pictures
    codes = _codes(restorer, to_frames(images), VideoShape(*images.shape[:3]), reporter)
    prior = ClipPrior(images=images, restorer=restorer, strength=strength, windows=codes.priors)
    return prior, torch.stack(codes.pictures)


def face_codes(restorer: ComfyRestorer, images: Tensor, reporter: Reporter) -> Tensor:
    """Return the codes of the faces in an IMAGE, as the part for faces reads them from aligned crops, as an IMAGE.

    Raises VFEError where the restorer has no such part with codebooks, and where there is no face.
    """
    part = restorer.faces
    if part is None or part.codebooks is None:
        both = "" if part is None else ", nor has its part for faces"
        raise VFEError(
            f"{restorer.name} has no codebooks{both}; take a lite restorer that has, or load a Wan DiT with its adapter"
        )
    reporter.begin(("Finding faces", "Reading codes"))
    found = find_faces(images, None, reporter)
    if not found.tracks:
        raise VFEError(f"no face was found in the images, and the codebooks of {restorer.name} are of faces")
    reporter.begin_next()
    size = VideoShape(MANY, ALIGNED_SIDE, ALIGNED_SIDE)
    read = (_codes(part, _crops(images, track), size, reporter) for track in found.tracks)
    return torch.stack([picture for codes in read for picture in codes.pictures])


def _crops(images: Tensor, track: FaceTrack) -> Iterator[Tensor]:
    """Yield the aligned crops of a face, as the part for faces gets them."""
    patcher = AlignedPatcher(track)
    for index in range(len(track.boxes)):
        yield patcher.take(to_frame(images[track.start + index]), index)


def _codes(restorer: ComfyRestorer, frames: Iterable[Tensor], size: VideoShape, reporter: Reporter) -> Codes:
    """Read the prior of a clip of frames of this size, in the windows that suit a restorer with codebooks."""
    codebooks, pipeline = restorer.codebooks, restorer.prior_reader(size, None)
    assert codebooks is not None
    codes = Codes({}, [])
    for window in windows_of(frames, pipeline.window_for(size.height, size.width)):
        prior = pipeline.read_prior(window.frames, reporter.check)
        assert prior is not None
        codes.priors[window.start, len(window.frames)] = on_device(prior, "cpu")
        # Pictures of latents that the window before has too.
        known = len(codes.pictures) - window.start // FRAMES_PER_LATENT if codes.pictures else 0
        pictures = list(_code_pictures(codebooks, prior, pipeline.model.side_multiple))
        codes.pictures.extend(pictures[known:])
        reporter.report(window.start + len(window.frames))
    return codes


def _code_pictures(network: DualCodebookPrior, prior: Prior, side: int) -> Iterator[Tensor]:
    """Yield a picture (side h, 2 side w, 3) of the codes of each latent frame of a window.

    A prior holds the entries as they are in the codebooks, so the nearest entry is the very one.
    """
    spatial = network.spatial_codebook.nearest(prior.spatial)[0]
    temporal = network.temporal_codebook.nearest(prior.temporal)[0]
    for pair in zip(spatial, temporal, strict=True):
        yield code_picture(*pair, network.config.entries, side)
