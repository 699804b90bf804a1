"""One clip through the one-step restorer: encode, one DiT call, decode, in windows of time and tiles of space.

B batch, T frames, H W sides in pixels; video is (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .models.flow import OneStepFlow
from .models.prior import Prior
from .spans import Span, fade_weights, plan_spans, ramp
from .types import Check, Progress

TILE_GRID = 64  # pixels: tiles that start on the attention windows' grid differ from the whole frame only near borders


@dataclass(frozen=True)
class WindowConfig:
    """Frames restored at once, and the overlap over which neighbouring windows are cross-faded."""

    frames: int = 25
    overlap: int = 5
    """4k+1 keeps every window on the same groups of four frames, so that they differ only near their ends."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % 4 != 1:
            raise ValueError(f"window is {self.frames} frames, needed 4n+1: 1, 5, 9, ...")
        if not 0 <= 2 * self.overlap <= self.frames:
            raise ValueError(f"overlap is {self.overlap}, needed from 0 to half the window of {self.frames} frames")

    @classmethod
    def of(cls, frames: int) -> WindowConfig:
        """A window with the overlap of 4k+1 frames that suits it, about a quarter."""
        return cls(frames, frames // 16 * 4 + 1 if frames > 1 else 0)


@dataclass(frozen=True)
class TileConfig:
    """Largest side restored at once, in pixels, and the overlap over which tiles are cross-faded."""

    side: int = 640
    overlap: int = 64

    def __post_init__(self) -> None:
        if self.side % TILE_GRID or self.overlap % TILE_GRID or not 0 <= 2 * self.overlap <= self.side:
            raise ValueError(
                f"tiles of {self.side} overlapping by {self.overlap}: needed multiples of {TILE_GRID}, at most half"
            )


DEFAULT_TILE = TileConfig()


class Codec(Protocol):
    """Pixels (B, 3, 4n+1, H, W) in [-1, 1] <-> float32 latents; both call `check` often enough to stop soon."""

    def encode(self, video: Tensor, check: Check = ...) -> Tensor: ...
    def decode(self, latent: Tensor, check: Check = ...) -> Tensor: ...


class OneStepModel(Protocol):
    """What the pipeline needs of a restorer: codec, flow, where it computes, and the velocity of a latent."""

    @property
    def codec(self) -> Codec: ...
    @property
    def flow(self) -> OneStepFlow: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def side_multiple(self) -> int:
        """Pixels: sides of a clip are padded to multiples of it."""

    def read_prior(self, video: Tensor, check: Check) -> Prior | None:
        """f_s, f_t of degraded video (B, 3, 4n+1, H, W), a token for each square of `side_multiple` pixels, or None.

        The video may be on the CPU: not every model has a use for it.
        """

    def velocity(self, z_lq: Tensor, check: Check, prior: Prior | None = None) -> Tensor:
        """v(z_lq, t*, c, f_s, f_t), like z_lq in shape."""


class OneStepPipeline:
    """z_hq = z_lq - s v(z_lq, t*, c, f_s, f_t) on clips of any length and size; not every model has the priors.

    The step works in float32; codec and DiT in the dtypes of `model`, bfloat16 and float16 included.
    """

    def __init__(
        self, model: OneStepModel, window: WindowConfig | None = None, tile: TileConfig | None = DEFAULT_TILE
    ) -> None:
        """`tile` None restores whole frames, which a model whose attention spans the frame needs."""
        self.model = model
        self.window = window or WindowConfig()
        self.tile = tile

    def restore(self, video: Tensor, *, strength: float = 1.0, on_progress: Progress | None = None) -> Tensor:
        """Restore (B, 3, T, H, W) in [-1, 1] on the CPU or the model's device; the result is float32 where video is.

        `on_progress` is called with (frames done, T) before each stage of each window; what it raises stops the work.
        Raises ValueError for another layout or a strength outside [0, 1].
        """
        if video.ndim != 5 or video.shape[1] != 3 or min(video.shape) < 1:
            raise ValueError(f"video is {tuple(video.shape)}, needed (B, 3, T, H, W) with no empty side")
        frames = video.float().unbind(2)
        restored = []
        for frame in self._stream(frames, strength, on_progress, len(frames)):
            restored.append(frame)
        return torch.stack(restored, dim=2).to(video.dtype)

    def stream(
        self, frames: Iterable[Tensor], *, strength: float = 1.0, on_progress: Progress | None = None
    ) -> Iterator[Tensor]:
        """(3, H, W) frames in [-1, 1] in, as many restored ones out, in order; memory is bounded by the window."""
        for frame in self._stream((frame.unsqueeze(0) for frame in frames), strength, on_progress, None):
            yield frame.squeeze(0)

    def _stream(
        self, frames: Iterable[Tensor], strength: float, on_progress: Progress | None, total: int | None
    ) -> Iterator[Tensor]:
        """Frames (B, 3, H, W) through overlapping windows.

        `held` are the frames of the window being gathered; its first `overlap` were also in the window before, whose
        restored `tail` waits to be cross-faded with theirs.
        """
        size, overlap = self.window.frames, self.window.overlap
        report = on_progress or _no_progress

        def check() -> None:
            report(done, total)

        held: list[Tensor] = []
        before: list[Tensor] = []
        tail: list[Tensor] = []
        done = 0  # frames yielded; the first of `held` is frame `done` of the clip
        for frame in frames:
            held.append(frame)
            if len(held) < size:
                continue
            restored = self._blend(tail, self._window(held, strength, check))
            keep = size - overlap
            yield from restored[:keep]
            done += keep
            before, held = held, held[keep:]
            tail = [frame.clone() for frame in restored[keep:]]  # a view would keep the whole window in memory
            del restored
        if len(held) > len(tail) or not before:
            whole = (before[: size - overlap] + held)[-size:]  # the last window reaches back for its full context
            reach = len(whole) - len(held)
            off_grid = min(-(done - reach) % 4, reach)  # and stays on the clip's groups of four
            tail = self._blend(tail, self._window(whole[off_grid:], strength, check)[reach - off_grid :])
        yield from tail
        report(done + len(tail), total)

    @staticmethod
    def _blend(tail: list[Tensor], restored: list[Tensor]) -> list[Tensor]:
        """Cross-fade the former window's last frames into the first of this one."""
        weights = ramp(len(tail)).tolist()
        faded = [torch.lerp(old, new, weight) for old, new, weight in zip(tail, restored, weights, strict=False)]
        return faded + restored[len(tail) :]

    def _window(self, frames: list[Tensor], strength: float, check: Check) -> list[Tensor]:
        """Restore up to a window of frames (B, 3, H, W): padded, in tiles, cut back."""
        if not frames:
            return []
        height, width = frames[0].shape[-2:]
        tile = self.tile if self.tile is not None and max(height, width) > self.tile.side else None
        clip = pad_clip(torch.stack(frames, dim=2), TILE_GRID if tile else self.model.side_multiple)
        rows, columns = (_tile_spans(size, tile) for size in clip.shape[-2:])
        prior = self._prior(clip, check)  # of the whole frame: its pool is one for all tiles

        def step(row: Span, column: Span) -> Tensor:
            place = slice(*row), slice(*column)
            return self._step(clip[..., place[0], place[1]], self._cut(prior, *place), strength, check)

        restored = self._tiles(clip, rows, columns, step)
        return list(restored[..., :height, :width].unbind(2)[: len(frames)])

    @staticmethod
    def _tiles(clip: Tensor, rows: list[Span], columns: list[Span], step: Callable[[Span, Span], Tensor]) -> Tensor:
        if len(rows) == len(columns) == 1:
            return step(rows[0], columns[0])
        restored, total = torch.zeros_like(clip), torch.zeros(clip.shape[-2:])
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                place = (..., slice(*row), slice(*column))
                weight = torch.outer(fade_weights(rows, i), fade_weights(columns, j))
                restored[place] += step(row, column) * weight
                total[place[1:]] += weight
        return restored / total

    @torch.inference_mode()
    def _prior(self, clip: Tensor, check: Check) -> Prior | None:
        return self.model.read_prior(clip, check)

    def _cut(self, prior: Prior | None, rows: slice, columns: slice) -> Prior | None:
        """The tokens of a tile, whose borders in pixels are multiples of a token."""
        if prior is None:
            return None
        side = self.model.side_multiple
        return prior.tile(*(slice(span.start // side, span.stop // side) for span in (rows, columns)))

    @torch.inference_mode()
    def _step(self, clip: Tensor, prior: Prior | None, strength: float, check: Check) -> Tensor:
        """The paper's equation on a padded clip (B, 3, 4n+1, 8h, 8w), back on the CPU."""
        z_lq = self.model.codec.encode(clip.to(self.model.device), check)
        z_hq = self.model.flow.restore(z_lq, self.model.velocity(z_lq, check, prior), strength)
        return self.model.codec.decode(z_hq, check).clamp_(-1, 1).cpu().float()


def _no_progress(_done: int, _total: int | None) -> None: ...


def _tile_spans(size: int, tile: TileConfig | None) -> list[Span]:
    if tile is None:
        return [Span(0, size)]
    return plan_spans(size, min(tile.side, size), tile.overlap if size > tile.side else 0, TILE_GRID)


def pad_clip(clip: Tensor, multiple: int = 8) -> Tensor:
    """Repeat the last frame up to 4n+1 frames and the right and bottom edges up to multiples of `multiple` pixels."""
    frames, height, width = clip.shape[2:]
    pad_t, pad_h, pad_w = -(frames - 1) % 4, -height % multiple, -width % multiple
    if not (pad_t or pad_h or pad_w):
        return clip
    flat = rearrange(clip, "b c t h w -> b (c t) h w")
    padded = rearrange(F.pad(flat, (0, pad_w, 0, pad_h), mode="replicate"), "b (c t) h w -> b c t h w", c=clip.shape[1])
    return torch.cat([padded, padded[:, :, -1:].expand(-1, -1, pad_t, -1, -1)], dim=2) if pad_t else padded
