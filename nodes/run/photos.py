"""The pictures of an IMAGE, each restored by itself."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from einops import rearrange
from torch import Tensor

from ...vfe.options import RestoreOptions
from ...vfe.restore.picture import restore_picture
from ...vfe.types import VideoShape
from ...vfe.video.resize import resize
from ..backend.restorer import ComfyRestorer
from ..host.images import check_images, to_frame
from ..host.reporter import Reporter
from .shown import shown_restorer


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
        reporter.say(f"Loading {self.restorer.name}")
        width, height = self.size
        restorer = shown_restorer(self.restorer, VideoShape(1, height, width), None, reporter)
        reporter.begin(("Restoring",), "photos")
        count = len(self.images)
        for number, image in enumerate(self.images):
            if restorer.finds_faces(self.options):
                reporter.say("Finding faces" if count == 1 else f"Finding faces in photo {number + 1} of {count}")
            photo = to_frame(image)
            result = restore_picture(restorer, photo, self.options, lambda _done, _total: reporter.go_on())
            self.lines.append("; ".join((f"photo {number + 1}", *result.notes)))
            reporter.report(number + 1)
            reporter.compare(number + 1, resize(photo, self.size), result.pixels)
            yield result.pixels
        reporter.say("Done")

    def with_alpha(self, restored: Tensor) -> Tensor:
        """Return restored pictures (N, H, W, 3) with the alpha of those that came, where they have one."""
        if self.images.shape[-1] != 4:
            return restored
        alpha = rearrange(self.images[..., 3:].detach().cpu().float(), "n h w c -> n c h w")
        sized = torch.stack([resize(each, self.size) for each in alpha])
        return torch.cat([restored, rearrange(sized, "n c h w -> n h w c").clamp(0, 1)], dim=-1)
