"""Footage of one tone, as black-and-white film and sepia prints are: it keeps its tone, and luma alone is restored.

Models learn from colour, and give grey eyes and teeth a tint. A frame is of one tone where its Cb and Cr are a function
of luma, but for a little noise; as much as there is colour beside that, the colours of the result are kept. Each frame
is judged by itself: film may fade, and colour may follow a cut. Our own choice, all of it.

B batch, H W sides; frames are (3, H, W) or (B, 3, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from ..luma import LUMA

SIDE = 64
"""Pixels that are looked at along the shorter side of a frame, at least, where it has so many."""
NOISE, COLOUR = 1.5, 2.5
"""How far Cb and Cr are from the tone, a root mean square in levels of 255: up to the first there is no colour, from
the second on all of it counts. Of 2079 open clips and pictures those in black and white had 0 to 1.9, but for two
stained prints, and those in colour 2.7 and more."""
BLUE, RED = 1.772, 1.402
"""What Cb and Cr of BT.601 are divided by: B - Y = 1.772 Cb, R - Y = 1.402 Cr."""


def keep_tone(frames: Sequence[Tensor], restored: Sequence[Tensor]) -> list[Tensor]:
    """Return restored frames, each in the tone that it had where it had one."""
    return [in_tone_of(frame, new, colour_share(frame)) for frame, new in zip(frames, restored, strict=True)]


def colour_share(frame: Tensor) -> float:
    """Return 0 for a frame of one tone, 1 for one in colour, and what lies between for one with hardly any."""
    step = max(1, min(frame.shape[-2:]) // SIDE)
    pixels = rearrange(frame[..., ::step, ::step], "... c h w -> (...) (h w) c").cpu().double().nan_to_num()
    luma = pixels @ pixels.new_tensor(LUMA)
    chroma = (pixels[..., [2, 0]] - luma[..., None]) / pixels.new_tensor([BLUE, RED])
    shades = torch.stack([torch.ones_like(luma), luma, luma.square()], dim=-1)
    tones = torch.linalg.pinv(shades.mT @ shades, hermitian=True) @ (shades.mT @ chroma)
    free = max(1, pixels.shape[1] - shades.shape[-1])  # few pixels are near any tone that is fitted to them
    distances = ((chroma - shades @ tones).square().sum((1, 2)) / free).sqrt() * 127.5
    return min(max((float(distances.mean()) - NOISE) / (COLOUR - NOISE), 0.0), 1.0)


def in_tone_of(frame: Tensor, restored: Tensor, share: float) -> Tensor:
    """Return a restored frame with all that changed in luma, and with a `share` of what changed in colour."""
    if share == 1:
        return restored
    frame = frame.to(restored)
    change = restored - frame
    luma = torch.einsum("... c h w, c -> ... h w", change, change.new_tensor(LUMA)).unsqueeze(-3)
    return (frame + torch.lerp(luma.expand_as(change), change, share)).clamp_(-1, 1)
