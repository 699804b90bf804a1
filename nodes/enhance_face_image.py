"""The node Enhance Face Image: photos, one or many, each restored by itself."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from comfy_api.latest import io
from einops import rearrange
from torch import Tensor

from ..vfe.options import Region, RestoreOptions
from ..vfe.restore.picture import restore_picture
from ..vfe.types import VideoShape
from ..vfe.video.resize import resize
from .backend.restorer import ComfyRestorer
from .host.images import Reporter, check_images, to_frame, to_images
from .remedies import in_node_terms
from .run.shown import shown_restorer
from .sockets.inputs import (
    DEFAULTS,
    UNSCALED,
    chosen_size,
    face_inputs,
    fidelity_input,
    size_inputs,
    strength_input,
)
from .sockets.types import CATEGORY, RestorerType, found_by


class EnhanceFaceImage(io.ComfyNode):
    """Enhance Face Image restores the pictures of an IMAGE, each by itself, as `vfe enhance photo.png` does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the inputs and outputs, with the texts that users read."""
        return io.Schema(
            node_id="VFE_EnhanceFaceImage",
            display_name="Enhance Face Image",
            category=CATEGORY,
            **found_by(
                "restore, restoration, face restore, photo restoration, codeformer, gfpgan, "
                "restoreformer, deblur, denoise, upscale, old photo"
            ),
            description="Restores photos: one, a batch or a list, each by itself. For the frames of one clip take "
            "Enhance Face Video, which also sees the frames beside.",
            inputs=[
                RestorerType.Input("restorer", tooltip="From Load Face Restorer."),
                io.Image.Input("image", tooltip="The degraded photos. Alpha stays as it is."),
                *face_inputs(),
                strength_input(),
                fidelity_input(),
                *size_inputs(),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The restored photos."),
                io.String.Output(display_name="report", tooltip="The faces that were restored, a line for each photo."),
            ],
        )

    @classmethod
    @in_node_terms()
    def execute(
        cls,
        restorer: ComfyRestorer,
        image: Tensor,
        region: Region,
        faces: str,
        min_face: int,
        blend: float,
        strength: float,
        fidelity: float = DEFAULTS.fidelity,
        scale: str = UNSCALED,
        size: str = "",
    ) -> io.NodeOutput:
        """Return the restored IMAGE and the report; VFEError for what cannot be chosen, found or held in memory."""
        options = RestoreOptions(
            strength=strength,
            region=region,
            faces=faces,
            min_face=min_face,
            blend=blend,
            fidelity=fidelity,
            **chosen_size(scale, size),
        )
        photos = Photos(restorer, image, options)
        restored = photos.with_alpha(to_images(photos.restored(), len(image)))
        return io.NodeOutput(restored, "\n".join(photos.lines))


class Photos:
    """The pictures of an IMAGE (N, H, W, C) on their way through a restorer."""

    def __init__(self, restorer: ComfyRestorer, images: Tensor, options: RestoreOptions) -> None:
        """Raises VFEError where the IMAGE is none."""
        check_images(images)
        self.restorer, self.images, self.options = restorer, images, options
        self.lines: list[str] = []
        """What was done with each, for a person."""

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of what comes out."""
        return self.options.output_size(self.images.shape[2], self.images.shape[1])

    def restored(self) -> Iterator[Tensor]:
        """Yield the restored pictures (3, H, W) in [-1, 1], and show each.

        Raises VFEError as `restore_picture` does.
        """
        reporter = Reporter(len(self.images))
        width, height = self.size
        restorer = shown_restorer(self.restorer, VideoShape(1, height, width), None, reporter)
        for number, image in enumerate(self.images, start=1):
            result = restore_picture(restorer, to_frame(image), self.options, lambda _done, _total: reporter.check())
            self.lines.append("; ".join((f"photo {number}", *result.notes)))
            reporter.report(number)
            yield result.pixels

    def with_alpha(self, restored: Tensor) -> Tensor:
        """Return restored pictures (N, H, W, 3) with the alpha of those that came, where they have one."""
        if self.images.shape[-1] != 4:
            return restored
        alpha = rearrange(self.images[..., 3:].detach().cpu().float(), "n h w c -> n c h w")
        sized = torch.stack([resize(each, self.size) for each in alpha])
        return torch.cat([restored, rearrange(sized, "n c h w -> n h w c").clamp(0, 1)], dim=-1)
