"""Changes of weights that are no sum of low-rank products: LoHa and LoKr of LyCORIS (arXiv:2309.14859).

LoHa is (A1 B1) * (A2 B2) elementwise, LoKr the Kronecker product of W1 and W2, of which each may be a product A B.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..tensor_io.source import TensorSource
from ..types import VFEError
from .lora_keys import HADAMARD, KRONECKER, Part

Matrix = Tensor | tuple[Tensor, Tensor]
"""A matrix, or the two of which it is the product."""


class Hadamard(NamedTuple):
    """The factors of LoHa, (out, r) and (r, in) each, as the file has them."""

    a1: Tensor
    b1: Tensor
    a2: Tensor
    b2: Tensor

    def change(self, shape: tuple[int, ...]) -> Tensor:
        """Return the change of a weight of this shape, in float32."""
        return (_product((self.a1, self.b1)) * _product((self.a2, self.b2))).reshape(shape)


class Kronecker(NamedTuple):
    """The factors of LoKr, as the file has them."""

    first: Matrix
    second: Matrix

    def change(self, shape: tuple[int, ...]) -> Tensor:
        """Return the change of a weight of this shape, in float32."""
        return torch.kron(_product(self.first), _product(self.second)).reshape(shape)


class Parts:
    """The tensors of one layer that a LoHa or LoKr has in a file; VFEError unless they change a weight of `shape`."""

    def __init__(self, source: TensorSource, names: Mapping[Part, str], layer: str, shape: tuple[int, ...]) -> None:
        self.source, self.names, self.layer = source, names, layer
        self.is_hadamard = bool(HADAMARD & names.keys())
        sizes = self._hadamard_sizes() if self.is_hadamard else self._kronecker_sizes()
        if sizes != (shape[0], math.prod(shape[1:])) or len(shape) < 2:
            raise VFEError(
                f"{source.path}: {layer} changes a weight of {sizes}, this model's is {shape}; "
                "needed one for a model of this size"
            )

    @property
    def rank(self) -> int | None:
        """The rank by which alpha is divided; None for a LoKr of whole matrices, whose alpha says nothing."""
        ranked: tuple[Part, ...] = ("hada_w1_b",) if self.is_hadamard else ("lokr_w2_b", "lokr_w1_b")
        return next((self.source.shape(self.names[part])[0] for part in ranked if part in self.names), None)

    def read(self) -> Hadamard | Kronecker:
        """Read the factors."""
        if self.is_hadamard:
            return Hadamard(*(self._get(part) for part in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")))
        return Kronecker(self._matrix("lokr_w1"), self._matrix("lokr_w2"))

    def _hadamard_sizes(self) -> tuple[int, int]:
        if self.names.keys() & HADAMARD != HADAMARD or self.names.keys() & KRONECKER:
            raise self._incomplete("LoHa")
        first, second = (self._sizes_of(f"hada_w{number}_a", f"hada_w{number}_b") for number in (1, 2))
        if first != second:
            raise self._incomplete("LoHa")
        return first

    def _kronecker_sizes(self) -> tuple[int, int]:
        sizes = []
        for whole in ("lokr_w1", "lokr_w2"):
            a, b = f"{whole}_a", f"{whole}_b"
            found = [part for part in (whole, a, b) if part in self.names]
            if found == [whole]:
                sizes.append(self._sizes_of(whole))
            elif found == [a, b]:
                sizes.append(self._sizes_of(a, b))
            else:
                raise self._incomplete("LoKr")
        (rows, columns), (inner_rows, inner_columns) = sizes
        return rows * inner_rows, columns * inner_columns

    def _sizes_of(self, part: str, other: str | None = None) -> tuple[int, int]:
        """Return rows and columns of a matrix, or of the product of two."""
        first = self.source.shape(self._name(part))
        second = first if other is None else self.source.shape(self._name(other))
        if len(first) != 2 or len(second) != 2 or 0 in (*first, *second) or (other and first[1] != second[0]):
            raise VFEError(f"{self.source.path}: {self.layer} has factors of {first} and {second}, which do not fit")
        return first[0], second[1]

    def _matrix(self, part: str) -> Matrix:
        if part in self.names:
            return self._get(part)
        return self._get(f"{part}_a"), self._get(f"{part}_b")

    def _get(self, part: str) -> Tensor:
        return self.source.get(self._name(part))

    def _name(self, part: str) -> str:
        return {str(key): name for key, name in self.names.items()}[part]

    def _incomplete(self, kind: str) -> VFEError:
        return VFEError(f"{self.source.path}: {self.layer} has not all factors of a {kind}; get the file again")


def _product(matrix: Matrix) -> Tensor:
    return matrix.float() if isinstance(matrix, Tensor) else matrix[0].float() @ matrix[1].float()
