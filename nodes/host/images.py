"""Between ComfyUI and vfe: IMAGE and MASK tensors.

An IMAGE is (T, H, W, C) in [0, 1], float32 on the CPU; a frame is (3, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from einops import rearrange
from torch import Tensor

from ...vfe.types import VFEError

EMPTY_MASK_SIDE = 64
"""The side in pixels of the mask that Load Image gives for a picture without alpha."""


def check_images(images: Tensor) -> None:
    """Raise VFEError where an IMAGE holds no picture, or none that frames can be made of."""
    if images.ndim != 4 or min(images.shape) < 1 or images.shape[-1] not in (1, 3, 4):
        raise VFEError(f"IMAGE is {tuple(images.shape)}, needed (frames, height, width, 3) with at least one frame")


def to_frame(image: Tensor) -> Tensor:
    """Return one picture (H, W, C) of an IMAGE as a frame; alpha is left out, grey gets three channels."""
    colours = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].expand(-1, -1, 3)
    return rearrange(colours.detach().cpu().float() * 2 - 1, "h w c -> c h w").contiguous()


def to_frames(images: Tensor) -> Iterator[Tensor]:
    """Yield the frames of an IMAGE."""
    return map(to_frame, images)


def to_image(frame: Tensor) -> Tensor:
    """Return a frame as one picture (H, W, 3) of an IMAGE."""
    return rearrange(frame.float().cpu() / 2 + 0.5, "c h w -> h w c").clamp_(0, 1)


def to_images(frames: Iterable[Tensor], count: int) -> Tensor:
    """Return `count` frames as an IMAGE; one at a time is in memory beside it."""
    images: Tensor | None = None
    for index, frame in enumerate(frames):
        picture = to_image(frame)
        if images is None:
            images = torch.empty(count, *picture.shape)
        images[index] = picture
    assert images is not None
    return images


def masks_for(mask: Tensor | None, images: Tensor) -> Tensor | None:
    """Return a MASK as (1, H, W) or (T, H, W) in [0, 1]; None where there is none.

    Raises VFEError where it is not of the size of the images, or not one for all or for each.
    """
    if mask is None:
        return None
    mask = mask.detach().cpu().float()
    mask = mask if mask.ndim == 3 else mask.unsqueeze(0)
    frames, height, width = images.shape[:3]
    if _is_empty_mask(mask):
        return None
    if mask.ndim != 3 or tuple(mask.shape[1:]) != (height, width) or len(mask) not in (1, frames):
        raise VFEError(
            f"MASK is {tuple(mask.shape)}, the IMAGE has {frames} frames of {height} x {width}; "
            "needed one mask of that size, or one for each frame"
        )
    return mask.clamp(0, 1)


def _is_empty_mask(mask: Tensor) -> bool:
    """Return whether it is what Load Image gives as the mask of a picture without alpha, of whatever size."""
    return tuple(mask.shape[1:]) == (EMPTY_MASK_SIDE, EMPTY_MASK_SIDE) and not mask.any()
