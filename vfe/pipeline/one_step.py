"""The pipeline that restores clips in one step: encode, one DiT call, decode, in windows of time and tiles of space.

B batch, T frames, H W sides in pixels; video is (B, 3, T, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..models.dit.experts import ExpertChoice
from ..models.flow import OneStepFlow
from ..models.prior import Prior
from ..types import CheckCancelled, Progress, VideoShape, never_cancelled, no_progress
from ..video.severity import severity
from .keeping import keeping
from .latent_decoder import DecodingModel, LatentDecoder, cut_padding
from .latents import TileLatent, WindowLatent, latent_mask, padded_mask
from .tiling import Span, plan_spans
from .windows import ClipStream as ClipStream
from .windows import WindowConfig as WindowConfig

TILE_GRID = 64
"""Pixels: tiles that start on the grid of the attention windows differ from the whole frame only near their borders."""


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


class OneStepModel(DecodingModel, Protocol):
    """The parts of a model that the pipeline runs."""

    @property
    def flow(self) -> OneStepFlow:
        """The step that the model was trained for."""

    @property
    def side_multiple(self) -> int:
        """The number of pixels to whose multiples the sides of a clip are padded."""

    @property
    def sees_original(self) -> bool:
        """Whether its velocity takes the latent of the clip as it was, before another model restored it, after z_lq."""

    @property
    def experts(self) -> ExpertChoice | None:
        """What chooses between the experts of its network by how much a clip suffers; None where it has none."""

    def read_prior(self, video: Tensor, check: CheckCancelled) -> Prior | None:
        """Return f_s and f_t of degraded video (B, 3, 4n+1, H, W), or None for a model without a prior.

        They have a token for each square of `side_multiple` pixels. The video may be on the CPU.
        """

    def velocity(self, z_lq: Tensor, check: CheckCancelled, prior: Prior | None = None) -> Tensor:
        """Return v(z_lq, t*, c, f_s, f_t), which has the shape of z_lq, but for the original that may come after it."""


class OneStepPipeline(LatentDecoder):
    """Restores clips of any length and size by z_hq = z_lq - s v(z_lq, t*, c, f_s, f_t); a model may have no prior.

    The step works in float32; codec and DiT in the dtypes of `model`, bfloat16 and float16 included.
    """

    model: OneStepModel

    def __init__(
        self, model: OneStepModel, window: WindowConfig | None = None, tile: TileConfig | None = DEFAULT_TILE
    ) -> None:
        """Without `tile` frames are restored whole, as a model needs whose attention spans the frame."""
        super().__init__(model)
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
        """Restore frames (3, H, W) in [-1, 1], and yield as many in their order; memory is bounded by the window.

        `on_progress` is called with (frames done, None) before each stage; what it raises stops the work.
        """
        return self._stream(frames, strength, on_progress, None)

    def _stream(
        self, frames: Iterable[Tensor], strength: float, on_progress: Progress | None, total: int | None
    ) -> Iterator[Tensor]:
        report = on_progress or no_progress
        clip = ClipStream(keeping(self), strength, lambda: report(clip.given, total))
        yield from clip.pull(frames)
        report(clip.given, total)

    def window_for(self, height: int, width: int) -> WindowConfig:
        """Return the windows in which frames of this size are restored."""
        del height, width
        return self.window

    def restore_window(self, frames: list[Tensor], strength: float, check: CheckCancelled) -> list[Tensor]:
        """Restore up to a window of frames, (3, H, W) or (B, 3, H, W), and return as many, on the CPU.

        For a model that sees the original, that of a frame may come after it in its channels: (6, H, W). The result is
        that of `decode_latent(restore_latent())`, but each tile is decoded before the next is encoded.
        """
        clip = self._padded(frames)
        window = self._window(frames, clip)
        latents = self._tile_latents(clip, window, self._step(frames, strength, self._prior(clip, check)), check)
        del clip
        return cut_padding(window, self._decode_tiles(window, latents, check))

    def restore_latent(
        self,
        frames: list[Tensor],
        strength: float,
        check: CheckCancelled = never_cancelled,
        *,
        prior: Prior | Literal["own"] | None = "own",
        mask: Tensor | None = None,
    ) -> WindowLatent:
        """Return the restored latent of up to a window of frames, on the model's device.

        `prior` is of `read_prior` with the same frames; "own" reads it, None does without. `mask` (H, W) or (T, H, W),
        0 to 1, scales the strength of each pixel: z_hq = z_lq - s m v. Raises ValueError where it does not fit.
        """
        clip = self._padded(frames)
        maps = None if mask is None else padded_mask(mask, frames, clip)
        step = self._step(frames, strength, self._prior(clip, check) if prior == "own" else prior, maps)
        window = self._window(frames, clip)
        return replace(window, tiles=tuple(self._tile_latents(clip, window, step, check)))

    def read_prior(self, frames: list[Tensor], check: CheckCancelled = never_cancelled) -> Prior | None:
        """Return the prior of up to a window of frames, or None for a model without one."""
        return self._prior(self._padded(frames), check)

    def _tiled(self, height: int, width: int) -> TileConfig | None:
        return self.tile if self.tile is not None and max(height, width) > self.tile.side else None

    def _padded(self, frames: list[Tensor]) -> Tensor:
        """Return frames as a clip that the codec takes, (B, 3, 4n+1, H', W')."""
        clip = torch.stack(frames, dim=-3)
        clip = clip if clip.ndim == 5 else clip.unsqueeze(0)
        return pad_clip(clip, TILE_GRID if self._tiled(*clip.shape[-2:]) else self.model.side_multiple)

    def _window(self, frames: list[Tensor], clip: Tensor) -> WindowLatent:
        """Return the layout of a window, without its latents."""
        tile = self._tiled(*clip.shape[-2:])
        rows, columns = (tuple(_tile_spans(size, tile)) for size in clip.shape[-2:])
        return WindowLatent(len(frames), tuple(frames[0][..., :3, :, :].shape), rows, columns)

    def _tile_latents(
        self, clip: Tensor, window: WindowLatent, step: _Step, check: CheckCancelled
    ) -> Iterator[TileLatent]:
        """Yield the restored latent of each tile. What is not needed any more is let go of: all of it is large."""
        last = window.rows[-1], window.columns[-1]
        for row, column in product(window.rows, window.columns):
            area = slice(*row), slice(*column)
            latents = self._encode(clip[..., area[0], area[1]], check)
            if (row, column) == last:
                del clip
            # The prior is read of the whole frame, because all tiles share its mean over the frame.
            own = step.cut(*area, self.model.side_multiple)
            restored = TileLatent(row, column, self._take_step(latents, own, check))
            del latents
            yield restored

    @torch.inference_mode()
    def _prior(self, clip: Tensor, check: CheckCancelled) -> Prior | None:
        return self.model.read_prior(clip[:, :3], check)

    def _step(self, frames: list[Tensor], strength: float, prior: Prior | None, mask: Tensor | None = None) -> _Step:
        """Return the step of a window. Its experts are those of the whole window, in all tiles."""
        if self.model.experts is None:
            return _Step(strength, prior, mask)
        clip = torch.stack(frames, dim=-3)
        clip = clip if clip.ndim == 5 else clip.unsqueeze(0)
        return _Step(strength, prior, mask, severity(clip[:, :3]))

    @torch.inference_mode()
    def _encode(self, clip: Tensor, check: CheckCancelled) -> list[Tensor]:
        """Return z_lq of a padded clip (B, 3, 4n+1, 8h, 8w). The original may come after it, in 3 channels more: then
        its latent follows too.
        """
        return [self.model.codec.encode(part.to(self.model.device), check) for part in clip.split(3, dim=1)]

    @torch.inference_mode()
    def _take_step(self, latents: list[Tensor], step: _Step, check: CheckCancelled) -> Tensor:
        """Return z_hq for z_lq, which the latent of the original may follow: eq. 3 of VividFace, or that of DVFace."""
        z_lq = latents[0]
        if step.severity is not None and self.model.experts is not None:
            self.model.experts.choose(step.severity)
        velocity = self.model.velocity(torch.cat(latents, 1) if latents[1:] else z_lq, check, step.prior)
        if step.mask is not None:
            t, h, w = z_lq.shape[-3:]
            velocity = velocity * latent_mask(step.mask, (t, h, w)).to(velocity)
        return self.model.flow.restore(z_lq, velocity, step.strength)


@dataclass(frozen=True)
class _Step:
    """How far a latent moves, and the prior that guides it; of a whole padded window, or of a tile."""

    strength: float
    prior: Prior | None = None
    mask: Tensor | None = None  # (4n+1, H', W')
    severity: Tensor | None = None  # (B,) of the whole window, for a model of several experts

    def cut(self, rows: slice, columns: slice, token: int) -> _Step:
        """Return the part of a tile, whose borders are multiples of `token`, the pixels along a token of the prior."""
        tokens = (slice(span.start // token, span.stop // token) for span in (rows, columns))
        prior = None if self.prior is None else self.prior.tile(*tokens)
        return replace(self, prior=prior, mask=None if self.mask is None else self.mask[:, rows, columns])


def _tile_spans(size: int, tile: TileConfig | None) -> list[Span]:
    if tile is None:
        return [Span(0, size)]
    return plan_spans(size, min(tile.side, size), tile.overlap if size > tile.side else 0, TILE_GRID)


def pad_clip(clip: Tensor, multiple: int = 8) -> Tensor:
    """Pad a clip (B, 3, T, H, W) to 4n+1 frames and to sides that are multiples of `multiple` pixels.

    The last frame is repeated, and so are the right and bottom edges.
    """
    shape = VideoShape(*clip.shape[2:])
    pad_t, pad_h, pad_w = (padded - size for padded, size in zip(shape.padded(multiple), shape, strict=True))
    if not (pad_t or pad_h or pad_w):
        return clip
    flat = rearrange(clip, "b c t h w -> b (c t) h w")
    padded = rearrange(F.pad(flat, (0, pad_w, 0, pad_h), mode="replicate"), "b (c t) h w -> b c t h w", c=clip.shape[1])
    return torch.cat([padded, padded[:, :, -1:].expand(-1, -1, pad_t, -1, -1)], dim=2) if pad_t else padded
