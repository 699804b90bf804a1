"""A Wan DiT as a wider one that computes the same, and back: a student made of slices of the wider one's tensors.

This is the inverse reparameterisation (IR) of GPD (arXiv 2410.04140) and its way back (CBR, channel and branch
reparameterisation), for the blocks of a DiT. With W (outputs, inputs), ratio r, i = 0 .. r - 1 and noise e_i:

    IR        W' = cat_i(W + e_i) over the outputs of q, k, v and the first layer of the feed-forward
              W' = cat_i(W + e_i) / r over the inputs of o and the last layer of the feed-forward
    branches  W'_eff = s_0 W' + sum_b s_b K_b Q_b, where s_0 = 1, s_b = 0 and K_b, Q_b are random at first
    CBR       W = the first of r slices of W'_eff, times r where inputs were repeated

The paper's are the r copies, of which one is the student's own, the noise, the scales of the branches and that these
are summed before slices are taken. It widens every layer of a network, divides where outputs are repeated, and
multiplies before each norm. Ours is to keep the width D of the tokens: N heads become r N and the F channels of the
feed-forward r F. What is between two linear layers is repeated and keeps its size, as softmax and GELU are not linear;
the sum over r copies is divided instead. The RMS over r copies of all heads is that over one; depthwise convolutions
are repeated, as in the paper. Ours too: e_0 = 0, so that the student begins as the model it was made from, and noise in
units of a tensor's own deviation.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrize import register_parametrization

from vfe.models.dit.model import Block, TokenPositions, WanDiT

NOISY_ROWS = ("attn.q.", "attn.k.", "attn.v.", "ffn.0.")
PLAIN_ROWS = ("attn.norm_q.", "attn.norm_k.", "ffn.local.")
COLUMNS = ("attn.o.weight", "ffn.2.weight")


@dataclass(frozen=True, kw_only=True)
class WideningConfig:
    """How much wider the dynamic teacher is than its student."""

    ratio: int = 2
    """r: heads and channels of the feed-forward of the teacher, in those of the student. The paper's default is 2."""
    noise: float = 1e-3
    """The deviation of e_i in that of the tensor: our choice, as with the paper's 1e-6 (absolute) copies that began
    alike part slowly. Under a loss of the teacher alone, copies without noise get equal gradients and never part."""
    branches: int = 0
    """Low-rank branches beside each widened linear layer."""
    branch_rank: int = 16
    """The rank of each of them; ours, as the paper's figure gives none."""

    def __post_init__(self) -> None:
        if self.ratio < 2:
            raise ValueError(f"ratio={self.ratio}, needed 2 or more: a teacher as wide as the student is the student")
        if self.noise < 0 or self.branches < 0 or self.branch_rank < 1:
            raise ValueError(
                f"noise={self.noise}, branches={self.branches}, branch_rank={self.branch_rank}: "
                "needed at least 0, 0 and 1"
            )


def repeated_axis(name: str) -> int | None:
    """Return the axis along which IR repeats a block's parameter of that name: 0 outputs, 1 inputs, None neither."""
    if name.endswith(COLUMNS):
        return 1
    return 0 if any(part in name for part in NOISY_ROWS + PLAIN_ROWS) else None


def widened(tensor: Tensor, axis: int, ratio: int, noise: float) -> Tensor:
    """IR of one tensor: `ratio` copies along `axis`, all but the first with noise, divided by r if these are inputs."""
    spread = noise * tensor.std()
    copies = [tensor, *(tensor + spread * torch.randn_like(tensor) for _ in range(ratio - 1))]
    wide = torch.cat(copies, axis)
    return wide / ratio if axis == 1 else wide


def student_slice(wide: Tensor, axis: int, ratio: int) -> Tensor:
    """CBR of one tensor: the first of `ratio` slices along `axis`, times r if these are inputs. Differentiable."""
    first = wide.narrow(axis, 0, wide.shape[axis] // ratio)
    return first * ratio if axis == 1 else first


class Branches(nn.Module):
    """W -> s_0 W + sum_b s_b K_b Q_b: W itself at first, to the bit, and only the scales have gradients then."""

    def __init__(self, weight: Tensor, branches: int, rank: int) -> None:
        """`weight` (outputs, inputs) is what it will be added to; K_b Q_b have its deviation."""
        super().__init__()
        outputs, inputs = weight.shape
        self.scale = nn.Parameter(weight.new_ones(()))
        self.branch_scales = nn.Parameter(weight.new_zeros(branches))
        self.up = nn.Parameter(torch.randn_like(weight[:, :1].expand(branches, outputs, rank)) * rank**-0.5)
        self.down = nn.Parameter(torch.randn_like(weight[:1].expand(branches, rank, inputs)) * weight.std())

    def forward(self, weight: Tensor) -> Tensor:
        return self.scale * weight + torch.einsum("b,bok,bki->oi", self.branch_scales, self.up, self.down)


def widened_block(block: Block, config: WideningConfig) -> Block:
    """Return a block of its own weights that computes what `block` does, but for noise and rounding, r times as wide.

    Tokens and the width of a head stay as they are. Random numbers are torch's global ones.
    """
    wide = deepcopy(block)
    for name, tensor in block.named_parameters():
        axis = repeated_axis(name)
        if axis is not None:
            noise = 0.0 if any(part in name for part in PLAIN_ROWS) else config.noise
            owner, _, leaf = name.rpartition(".")
            setattr(wide.get_submodule(owner), leaf, nn.Parameter(widened(tensor.detach(), axis, config.ratio, noise)))
    for attention in (wide.self_attn, wide.cross_attn):
        attention.heads *= config.ratio
    if wide.ffn.local is not None:
        for convolution in (wide.ffn.local.space, wide.ffn.local.time):
            convolution.groups *= config.ratio
    if config.branches:
        add_branches(wide, config)
    return wide.requires_grad_(True)


def add_branches(wide: Block, config: WideningConfig) -> None:
    """Give every widened linear layer of a block its branches, in place: its `weight` is their sum from then on."""
    for name, layer in list(wide.named_modules()):
        if isinstance(layer, nn.Linear) and repeated_axis(f"{name}.weight") is not None:
            branches = Branches(layer.weight.detach(), config.branches, config.branch_rank)
            register_parametrization(layer, "weight", branches)


class StudentBlock(nn.Module):
    """A block whose parameters are slices of a wider block's, so that a gradient of its output is one of the slices.

    It has none of its own: the wider block and a block on the meta device, which says how to compute, are out of
    `nn.Module`'s sight. Slices are taken within `forward`, and so again where gradient checkpointing calls that again.
    """

    def __init__(self, wide: Block, shape: Block, ratio: int) -> None:
        super().__init__()
        self._wide, self._shape, self.ratio = (wide,), (shape,), ratio

    def tensors(self) -> dict[str, Tensor]:
        """Return CBR of the wider block: the parameters of an ordinary block by name."""
        found = {}
        for name, _ in self._shape[0].named_parameters():
            owner, _, leaf = name.rpartition(".")
            tensor = getattr(self._wide[0].get_submodule(owner), leaf)
            axis = repeated_axis(name)
            found[name] = tensor if axis is None else student_slice(tensor, axis, self.ratio)
        return found

    def forward(self, x: Tensor, time: Tensor, prompt: Tensor, positions: TokenPositions) -> Tensor:
        return functional_call(self._shape[0], self.tensors(), (x, time, prompt, positions))

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Give a state dict the names and tensors of an ordinary block: so the student is saved as any DiT is."""
        for name, tensor in self.tensors().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()


def widened_dit(dit: WanDiT, config: WideningConfig) -> WanDiT:
    """Return the dynamic teacher: `dit` with wider blocks of their own weights. All other parts are `dit`'s, shared."""
    wide = sharing_all_but_blocks(dit)
    wide.blocks = nn.ModuleList(widened_block(block, config) for block in blocks_of(dit))
    return wide


def student_of(wide: WanDiT, ratio: int) -> WanDiT:
    """Return the student within a `widened_dit`: slices of its tensors. Its state dict is an ordinary DiT's."""
    student = sharing_all_but_blocks(wide)
    pairs = zip(blocks_of(wide), blocks_of(student), strict=True)
    student.blocks = nn.ModuleList(StudentBlock(block, shape, ratio) for block, shape in pairs)
    return student


def blocks_of(dit: WanDiT) -> list[Block]:
    """Return the ordinary blocks of a DiT, in their order."""
    return [block for block in dit.blocks if isinstance(block, Block)]


def sharing_all_but_blocks(dit: WanDiT) -> WanDiT:
    """Return a DiT of the size of `dit` that shares all its parts but the blocks, which are on the meta device."""
    with torch.device("meta"):
        other = WanDiT(dit.config)
    for name, part in dit.named_children():
        if name != "blocks":
            setattr(other, name, part)
    return other
