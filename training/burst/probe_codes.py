"""What codes say that the restorer does not know: `python -m training.burst.probe_codes --pool POOL --prior OUT`.

A linear probe of the error that a restorer leaves, token by token:

    z_clean - z_hq  ~  W [1, P z_hq, f_s, f_t]

with P the directions in which restored tokens differ most, fitted to pairs of the pool and scored on people that nobody
trained on. What f_s and f_t of the clean clip add to the share that is explained without them is what any prior of
these codebooks could give, but for what is not linear; what those of the damaged clip add is what theirs does. Our own
choice.

B batch, t h w token grid, N tokens, D values of a token, F features.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

import vfe
from vfe.models.lite import LiteModel
from vfe.models.prior import DualCodebookPrior
from vfe.own_process import keep_freed_memory
from vfe.types import VFEError, never_cancelled
from vfe.weights.adapter import load_prior

from ..prior.naming import target_codes
from .clips import Pairs, to_pairs
from .plan import BEST_FILE, LAST_FILE
from .pool import HELD_OUT_SHARD, SHARDS
from .precision import fast_autocast, fast_restorer

DIRECTIONS = 192
"""Those of restored tokens that the probe sees."""
RIDGE = 1e-4  # of the mean square of the features
AT_ONCE = 8  # pairs
BUNDLED = Path(vfe.__file__).parent / "assets" / "lite_faces.safetensors"


class Tokens(NamedTuple):
    """Tokens of the last latent frame of clips, in the codec's values before they are whitened."""

    error: Tensor  # (N, D): of what was restored
    restored: Tensor  # (N, D)
    true: Tensor  # (N, 2 d): f_s and f_t of the clean clips
    predicted: Tensor  # (N, 2 d): those of the damaged ones


@dataclass(frozen=True)
class Reader:
    """Restores pairs and reads their codes."""

    net: LiteModel
    codebooks: DualCodebookPrior
    """The prior whose encoder was trained with the codebooks."""
    predictors: DualCodebookPrior

    @torch.inference_mode()
    def __call__(self, pairs: Pairs) -> Tokens:
        codec, device = self.net.codec, pairs.clean.device
        z_lq, z_clean, z_original = (codec.encode(video) for video in pairs)
        seen = torch.cat([z_lq, z_original], 1) if self.net.sees_original else z_lq
        z_hq = self.net.flow.restore(z_lq, self.net.velocity(seen, never_cancelled).float())
        with fast_autocast(device):
            true = target_codes(self.codebooks, pairs.clean)
            predicted = self.predictors(pairs.degraded)
        return Tokens(
            self._tokens(z_clean - z_hq),
            self._tokens(z_hq),
            _last(true.spatial.codes, true.temporal.codes),
            _last(predicted.spatial, predicted.temporal),
        )

    def _tokens(self, z: Tensor) -> Tensor:
        side = self.net.side_multiple // self.net.codec.config.space
        z = z[:, :, -1] / self.net.codec.scale.view(-1, 1, 1)
        return rearrange(z, "b c (h q) (w r) -> (b h w) (c q r)", q=side, r=side)


def _last(spatial: Tensor, temporal: Tensor) -> Tensor:
    return torch.cat([spatial, temporal], -1)[:, -1].float().flatten(0, 2)


class LinearProbe:
    """Least squares with a ridge from features (N, F) to errors (N, D); some of the features may be left out."""

    def __init__(self) -> None:
        self._squares: Tensor | None = None  # (F, F)
        self._products: Tensor | None = None  # (F, D)

    def add(self, features: Tensor, errors: Tensor) -> None:
        """Learn from more tokens."""
        squares, products = (features.T @ features).double(), (features.T @ errors).double()
        self._squares = squares if self._squares is None else self._squares + squares
        self._products = products if self._products is None else self._products + products

    def weights(self, columns: slice = slice(None)) -> Tensor:
        """Return W for all features, or for some of them; raises ValueError where nothing was learned from."""
        if self._squares is None or self._products is None:
            raise ValueError("the probe has seen no tokens: add some first")
        squares = self._squares[columns, columns]
        ridge = RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=torch.float64)
        return torch.linalg.solve(squares + ridge, self._products[columns]).float()


class Directions:
    """The directions in which the tokens of the first pairs differ most, as unit variances; and a constant."""

    def __init__(self, tokens: Tensor) -> None:
        self.mean = tokens.mean(0)
        _, spread, directions = torch.linalg.svd(tokens - self.mean, full_matrices=False)
        count = min(DIRECTIONS, len(spread))
        self.matrix = directions[:count].T / spread[:count].clamp(min=1e-3) * len(tokens) ** 0.5

    def __call__(self, tokens: Tensor, codes: Tensor) -> Tensor:
        """The features of tokens and their codes; the first are those of tokens alone."""
        return torch.cat([torch.ones(len(tokens), 1), (tokens - self.mean) @ self.matrix, codes], 1)


def explained(reader: Reader, fitted: list[Path], judged: Path) -> dict[str, float]:
    """Return the share of the error's energy that is explained without codes, and with true and predicted ones."""
    directions: Directions | None = None
    probes = {"true": LinearProbe(), "predicted": LinearProbe()}
    for path in fitted:
        for tokens in _read(reader, path):
            directions = directions or Directions(tokens.restored)
            for name, probe in probes.items():
                probe.add(directions(tokens.restored, getattr(tokens, name)), tokens.error)
    assert directions is not None
    known = slice(0, 1 + directions.matrix.shape[1])
    weights = {"none": probes["true"].weights(known)} | {name: probe.weights() for name, probe in probes.items()}
    left, whole = dict.fromkeys(weights, 0.0), 0.0
    for tokens in _read(reader, judged):
        whole += float(tokens.error.square().sum())
        for name, matrix in weights.items():
            features = directions(tokens.restored, tokens.predicted if name == "predicted" else tokens.true)
            left[name] += float((tokens.error - features[:, : len(matrix)] @ matrix).square().sum())
    return {name: 1 - energy / whole for name, energy in left.items()}


def _read(reader: Reader, path: Path) -> list[Tokens]:
    shard = np.load(path, mmap_mode="r")
    batches = (np.array(shard[at : at + AT_ONCE]) for at in range(0, len(shard), AT_ONCE))
    return [reader(to_pairs(*torch.from_numpy(batch).float().unbind(1))) for batch in batches]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True, help="what training.burst.fill_pool made, of 5 frames")
    parser.add_argument("--prior", type=Path, required=True, help="the output of the stages codebook and predict")
    parser.add_argument("--restorer", type=Path, default=BUNDLED, help="a part for faces (default: the bundled one)")
    parser.add_argument("--shards", type=int, default=18, help="of the pool, that the probe is fitted to")
    args = parser.parse_args(arguments)
    if arguments is None:
        keep_freed_memory()
    shards = sorted(args.pool.glob(SHARDS))[: args.shards]
    if not shards:
        sys.exit(f"{args.pool} holds no pairs; fill it with python -m training.burst.fill_pool")
    try:
        net = fast_restorer(args.restorer)
        priors = (args.prior / "codebook" / LAST_FILE, args.prior / "predict" / BEST_FILE)
        reader = Reader(net, *(load_prior(path, torch.float32).eval() for path in priors))
    except VFEError as error:
        sys.exit(str(error))
    for name, share in explained(reader, shards, args.pool / HELD_OUT_SHARD).items():
        print(f"{name}: {share:.2%} of the error's energy")


if __name__ == "__main__":
    main()
