"""Feature distillation: the student's tokens, projected, follow the teacher's at chosen depths (DMAE, ACAM-KD).

    L = w / |D| sum_d  sum_l m_l |P_d h_S,dl - sg(h_T,dl)|^2 / sum_l m_l,     a mean over the channels of a token

h_dl is token l after a share d of the blocks, P_d a linear layer that is dropped at export, and m_l the mask:
 random   1 for a quarter of the tokens, drawn for each clip in each step; DMAE (Bai et al. 2023) distils from the few
          tokens that a masked autoencoder sees, here only the loss does, as a restorer needs them all;
 learned  sigmoid(q k_l / sqrt(n)) of learned queries q and of keys k_l of both networks' tokens, the mean over queries
          (ACAM-KD's cross-attention); queries are kept apart by w_o times the overlap of their masks (Dice).
Depths, the quarter and projecting are read in the papers' abstracts; the division by the sum of the mask, without which
a learned one would go to 0, and the weights are our own choice. Where the two grids differ, both are pooled to the
coarser (our choice).

B batch, L tokens of the grid t h w, D width, n width of keys, M queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vfe.models.dit.model import DiTConfig
from vfe.types import VideoShape

from ...run.stage import Draw, full_precision
from ..batch import DistillBatch
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher

MaskKind = Literal["random", "learned"]


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """Where and of which tokens the features are compared, and the weights w and w_o."""

    depths: tuple[float, ...] = (1 / 3, 2 / 3)
    mask: MaskKind = "random"
    visible: float = 0.25
    """The share of tokens that a random mask leaves."""
    queries: int = 4
    """Of a learned mask."""
    weight: float = 0.1
    overlap: float = 0.1

    def __post_init__(self) -> None:
        if not self.depths or not all(0 < depth < 1 for depth in self.depths):
            raise ValueError(f"feature.depths are {self.depths}, needed one or more between 0 and 1")
        if self.mask not in ("random", "learned"):
            raise ValueError(f"feature.mask is {self.mask!r}, needed random or learned")
        if not 0 < self.visible <= 1 or self.queries < 1:
            raise ValueError(f"visible={self.visible}, queries={self.queries}: needed above 0 to 1, and 1 or more")
        if self.weight <= 0 or self.overlap < 0:
            raise ValueError(f"weight={self.weight}, overlap={self.overlap}: needed above 0, and 0 or more")


class FeatureTerm(Addition):
    """The distance of the student's projected tokens from the teacher's."""

    def __init__(self, config: FeatureConfig, student: LatentRestorer, teacher: Teacher) -> None:
        """Raises ValueError for a teacher that is no restorer."""
        super().__init__()
        if teacher.config.kind != "restorer" or teacher.net is None:
            raise ValueError(f"teacher.kind is {teacher.config.kind}: method feature learns from a restorer")
        self.config, self.teacher = config, teacher
        ours, theirs = student.model.dit.config, teacher.net.model.dit.config
        self.pairs = tuple((block_at(depth, ours.layers), block_at(depth, theirs.layers)) for depth in config.depths)
        """The blocks of student and teacher whose inputs are compared."""
        self.depths = frozenset(block for block, _ in self.pairs)
        self.projections = nn.ModuleList(nn.Linear(ours.dim, theirs.dim) for _ in config.depths)
        learns = config.mask == "learned"
        self.masks = nn.ModuleList(LearnedMask(theirs.dim, config.queries) for _ in config.depths if learns)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        theirs, grid = self._of_teacher(batch, student)
        own_grid = token_grid(student.model.dit.config, batch.z_lq)
        errors, overlaps = [], []
        for index, (block, other) in enumerate(self.pairs):
            ours = self.projections[index](self.heard[block]).float()
            with full_precision(z_hq.device):
                ours, wanted = on_one_grid(ours, own_grid, theirs[other].float(), grid)
                mask = self._mask(index, ours, wanted, draw)
                overlaps.append(overlap_of(mask))
                errors.append(masked_error(ours, wanted, mask))
        self.heard = {}
        terms = {"feature": self.config.weight * torch.stack(errors).mean()}
        if self.config.mask == "learned" and self.config.queries > 1:
            terms["overlap"] = self.config.overlap * torch.stack(overlaps).mean()
        return terms

    @torch.no_grad()
    def _of_teacher(self, batch: DistillBatch, student: LatentRestorer) -> tuple[Mapping[int, Tensor], VideoShape]:
        net = self.teacher.net
        assert net is not None
        z_lq = batch.z_lq
        if not net.codec.same_latents(student.codec):
            with full_precision(z_lq.device):
                z_lq = net.codec.encode(batch.degraded)
        _, hidden = net.model.with_hidden(z_lq, {block for _, block in self.pairs})
        return hidden, token_grid(net.model.dit.config, z_lq)

    def _mask(self, index: int, ours: Tensor, wanted: Tensor, draw: Draw) -> Tensor:
        if self.config.mask == "learned":
            masks: Tensor = self.masks[index](ours.detach(), wanted)
            return masks
        return random_mask(draw.uniform(len(ours)), ours.shape[1], self.config.visible).to(ours.device)


class LearnedMask(nn.Module):
    """Masks by learned queries that attend to the tokens of both networks: (B, L, D) twice -> (B, M, L) in (0, 1)."""

    def __init__(self, dim: int, queries: int, width: int = 32) -> None:
        super().__init__()
        self.keys = nn.Linear(2 * dim, width)
        self.queries = nn.Parameter(torch.randn(queries, width))

    def forward(self, ours: Tensor, theirs: Tensor) -> Tensor:
        keys = self.keys(torch.cat([F.layer_norm(x, x.shape[-1:]) for x in (ours, theirs)], -1))
        return torch.sigmoid(self.queries @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5)


def block_at(depth: float, layers: int) -> int:
    """The block before which a share `depth` of the layers has been passed. Raises ValueError for a single block."""
    if layers < 2:
        raise ValueError(f"a DiT of {layers} block has no depth between, needed 2 blocks or more for method feature")
    return min(max(round(depth * layers), 1), layers - 1)


def token_grid(config: DiTConfig, z: Tensor) -> VideoShape:
    """The grid of a DiT's tokens of latents z (B, C, t, h, w)."""
    return VideoShape(z.shape[2] // config.patch[0], *(side // config.token for side in z.shape[3:]))


def on_one_grid(ours: Tensor, grid: VideoShape, theirs: Tensor, other: VideoShape) -> tuple[Tensor, Tensor]:
    """Tokens (B, L, D) of two grids, both pooled to the coarser one on every axis."""
    common = VideoShape(*(min(a, b) for a, b in zip(grid, other, strict=True)))
    return pooled(ours, grid, common), pooled(theirs, other, common)


def pooled(tokens: Tensor, grid: VideoShape, to: VideoShape) -> Tensor:
    """Tokens (B, L, D) of a grid as means over the cells of another."""
    if grid == to:
        return tokens
    cells = rearrange(tokens, "b (t h w) d -> b d t h w", t=grid.frames, h=grid.height)
    return rearrange(F.adaptive_avg_pool3d(cells, (to.frames, to.height, to.width)), "b d t h w -> b (t h w) d")


def random_mask(numbers: Tensor, tokens: int, visible: float) -> Tensor:
    """(B, 1, L) of 1 for a share `visible` of the tokens and 0 for the others, by one number in [0, 1) for each
    clip."""
    masks = torch.zeros(len(numbers), 1, tokens)
    for mask, number in zip(masks, numbers.tolist(), strict=True):
        order = torch.randperm(tokens, generator=torch.Generator().manual_seed(int(number * 2**24)))
        mask[0, order[: max(1, round(visible * tokens))]] = 1
    return masks


def masked_error(ours: Tensor, theirs: Tensor, mask: Tensor) -> Tensor:
    """The mean square of the difference of tokens (B, L, D), by masks (B, M, L), each divided by its sum."""
    error = (ours - theirs.detach()).square().mean(-1).unsqueeze(1)
    return ((mask * error).sum(-1) / mask.sum(-1)).mean()


def overlap_of(masks: Tensor) -> Tensor:
    """Dice's coefficient of masks (B, M, L), a mean over the pairs of different ones; 0 for one mask."""
    count = masks.shape[1]
    if count < 2:
        return masks.new_zeros(())
    both = masks @ masks.transpose(1, 2)
    energy = both.diagonal(dim1=1, dim2=2)
    dice = 2 * both / (energy.unsqueeze(1) + energy.unsqueeze(2))
    return (dice.sum((1, 2)) - count).mean() / (count * (count - 1))
