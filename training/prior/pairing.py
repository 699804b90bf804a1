"""Which latents are drawn to which entries: z_h to the sum of both books, each book's latents to its own, or both.

DVFace's eq. 10 and 11 pair z_h with z_q = z_qs + z_qt (`sum`): then nothing keeps z_s and z_t near the entries that
they are looked up among. `book`, our own, pairs z_s with z_qs and z_t with z_qt, as a codebook learns that stands
alone: then nothing makes z_h the sum. `both`, our own too, adds the two up.

B batch, t h w token grid, d width.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from einops import rearrange
from torch import Tensor

from vfe.models.prior.prior import DualCodes, Latents

Pairing = Literal["sum", "book", "both"]


class Pair(NamedTuple):
    """Latents and what they are drawn to, (B, d, t, h, w) float32 each."""

    latents: Tensor
    entries: Tensor


def check_pairing(pairing: str) -> None:
    """Raise ValueError for a name that is no pairing."""
    if pairing not in get_args(Pairing):
        raise ValueError(f"pairing is {pairing!r}, needed {' or '.join(get_args(Pairing))}")


def paired(latents: Latents, codes: DualCodes, pairing: Pairing) -> tuple[Pair, ...]:
    """The pairs of the code-level feature loss: one of the sum, one of each book, or all three.

    `latents` may be of another clip than `codes`, as those of a degraded clip are, but of the same size.
    """
    spatial, temporal = (rearrange(book.entries, "b t h w d -> b d t h w").float() for book in codes)
    whole = Pair(latents.encoded.float(), spatial + temporal)
    books = Pair(latents.spatial.float(), spatial), Pair(latents.temporal.float(), temporal)
    match pairing:
        case "sum":
            return (whole,)
        case "book":
            return books
        case "both":
            return whole, *books


@torch.no_grad()
def distance_share(latents: Latents, codes: DualCodes) -> float:
    """Mean square of z_h - (z_qs + z_qt) over the variance of z_h: 0 where the codes say all, 1 where no more than its
    mean."""
    z, z_q = paired(latents, codes, "sum")[0]
    return float((z - z_q).square().mean() / z.var())
