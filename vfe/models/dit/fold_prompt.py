"""Cross-attention to a prompt that never changes: its keys and values are constants, and equal rows count as one.

Softmax over S rows of which c_r equal row r is softmax over the n distinct rows with log c_r added to their scores. A
prompt padded with zeros to 512 rows, as Wan's is, has one distinct row more than tokens.

B batch, L tokens, D width, N heads of width d, S rows of the prompt embedding, n distinct ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import Tensor, nn

from .fold_linear import fold_input
from .model import CrossAttention
from .packed import dense_weight
from .window_attention import attend


@dataclass(frozen=True)
class PromptRows:
    """The distinct rows of a prompt embedding in float32, and how often each occurs; the most frequent one is last."""

    rows: Tensor  # (n, width)
    counts: Tensor  # (n,) int64

    @classmethod
    def of(cls, prompt: Tensor) -> PromptRows:
        """Return the rows of an embedding (1, S, width); ValueError for other shapes, as of a batch of prompts."""
        if prompt.ndim != 3 or prompt.shape[0] != 1 or prompt.shape[1] < 1:
            raise ValueError(f"prompt is {tuple(prompt.shape)}, needed (1, S, width): one fixed prompt")
        rows, counts = torch.unique(prompt[0].float().cpu(), dim=0, return_counts=True)
        order = counts.argsort(stable=True)
        return cls(rows[order].to(prompt.device), counts[order].to(prompt.device))


def frozen(constant: Tensor) -> nn.Parameter:
    """Return a constant as a parameter: hosts that move a model piece by piece, as ComfyUI, leave buffers behind."""
    return nn.Parameter(constant, requires_grad=False)


class Mixture(NamedTuple):
    """The constants of `RowMixture`. Columns (N r) are those of head N and row r; the last row has none."""

    scores: Tensor  # ((N r), D), block-diagonal: key differences, with the RMS norm's weight and 1 / sqrt(d)
    bias: Tensor  # (r,) float32: log c_r - log c_last
    mixture: Tensor  # (D, (N r)): output-projected value differences
    constant: Tensor  # (D,): what the last row alone gives


class RowMixture(nn.Module):
    """Cross-attention to a few distinct rows with the output projection folded: out = c + sum_h sum_r p_hr M_hr.

    Scores a_hr are relative to the last row: p = sigmoid(a) for two rows, else softmax of a beside a zero.
    """

    def __init__(self, query: nn.Linear, eps: float, constants: Mixture) -> None:
        super().__init__()
        self.q = query
        self.eps = eps
        self.scores, self.bias, self.mixture, self.constant = (frozen(value) for value in constants)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x)
        mean_square = torch.linalg.vector_norm(q, dim=-1, keepdim=True, dtype=torch.float32).square() / q.shape[-1]
        scores = F.linear(q, self.scores).float() * (mean_square + self.eps).rsqrt()  # few columns: no move into heads
        scores = scores.unflatten(-1, (-1, len(self.bias))) + self.bias
        p = scores.sigmoid() if len(self.bias) == 1 else F.pad(scores, (0, 1)).softmax(dim=-1)[..., :-1]
        return F.linear(p.flatten(-2).to(x.dtype), self.mixture, self.constant)


class RowAttention(nn.Module):
    """Cross-attention to any number of distinct rows, by keys and values (1, N, n, d); scores get log c_r added."""

    def __init__(self, cross: CrossAttention, keys: Tensor, values: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.q, self.norm_q, self.o = cross.q, cross.norm_q, cross.o
        self.k, self.v = frozen(keys), frozen(values)
        self.bias = None if bias is None else frozen(bias)  # (1, 1, 1, n), or None where every row is there once

    def forward(self, x: Tensor) -> Tensor:
        q = rearrange(self.norm_q(self.q(x)), "b l (n d) -> b n l d", n=self.k.shape[1])
        return self.o(rearrange(attend(q, self.k, self.v, self.bias), "b n l d -> b l (n d)"))


def fold_cross_attention(
    cross: CrossAttention, norm: nn.LayerNorm, rows: PromptRows, dtype: torch.dtype
) -> nn.Module | Tensor:
    """Return cross-attention to fixed rows as a module that takes LayerNorm(x) without affine, (B, L, D).

    `cross` stood behind `norm`, and is used up. The module is a `RowMixture` or a `RowAttention`: the cheaper of those
    that are exact. Softmax over one distinct row is 1, so every token gets the same: then that is returned, (D,)
    float32.
    """
    keys: Tensor = cross.norm_k.float()(cross.k.float()(rows.rows))
    values: Tensor = cross.v.float()(rows.rows)
    if len(keys) == 1:
        constant: Tensor = cross.o.float()(values[0])
        return constant
    head_dim = keys.shape[1] // cross.heads
    fold_input(cross.q, norm.weight, norm.bias, dtype)
    if 2 * (len(keys) - 1) <= head_dim:  # scores and mixture then cost less than the output projection
        return RowMixture(cross.q, cross.norm_q.eps, _mixture(cross, keys, values, rows.counts, dtype))
    cross.norm_q.to(dtype)
    cross.o.to(dtype)
    keys, values = (rearrange(x.to(dtype), "r (n d) -> 1 n r d", n=cross.heads) for x in (keys, values))
    alike = bool((rows.counts == rows.counts[0]).all())
    bias = None if alike else (rows.counts / rows.counts[-1]).log().to(dtype)[None, None, None]
    return RowAttention(cross, keys, values, bias)


def _mixture(cross: CrossAttention, keys: Tensor, values: Tensor, counts: Tensor, dtype: torch.dtype) -> Mixture:
    """Return the constants for the keys and values (n, D) of the distinct rows, computed in float32."""
    heads, head_dim = cross.heads, keys.shape[1] // cross.heads
    scores = (keys[:-1] - keys[-1]) * cross.norm_q.weight.float() * head_dim**-0.5
    output = dense_weight(cross.o)
    projection = rearrange(output, "o (n d) -> o n d", n=heads)
    differences = rearrange(values[:-1] - values[-1], "r (n d) -> r n d", n=heads)
    return Mixture(
        torch.block_diag(*rearrange(scores, "r (n d) -> n r d", n=heads)).to(dtype),
        (counts[:-1] / counts[-1]).log(),
        einsum(projection, differences, "o n d, r n d -> o n r").flatten(1).to(dtype),
        torch.addmv(cross.o.bias.float(), output, values[-1]).to(dtype),
    )
