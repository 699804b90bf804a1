"""The size of a transformer, from Wan2.1's 1.3B down to lite's."""

from __future__ import annotations

from dataclasses import dataclass

from .pyramid import PyramidScale, pyramid_space


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Size of the transformer; the defaults are Wan2.1-T2V-1.3B."""

    in_channels: int = 16
    dim: int = 1536
    heads: int = 12
    layers: int = 30
    ffn_dim: int = 8960
    freq_dim: int = 256
    text_dim: int = 4096
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    window: tuple[int, int, int] | None = None
    """The attention window in tokens (time, height, width), shifted by half in every second block. 0 takes all of an
    axis, None all of every axis."""
    time_every: int | None = None
    """In every so many-th block, attention goes along all of time instead, each place by itself: for frames in which a
    place means the same thing, such as aligned faces. None, as in Wan, for no such blocks."""
    local_kernel: int | None = None
    """The side of a depthwise convolution in the feed-forward, beside one over 3 frames; Wan has None."""
    pyramid: tuple[PyramidScale, ...] = ()
    """The scales of convolutions before the patch embedding and after the head, the finest first; none in Wan."""
    sees_original: bool = False
    """Whether it takes a second latent beside the first, in as many channels after it, as Wan2.1's image-to-video model
    takes one to be guided by. It is of the clip as it was before another model restored it. Only with a pyramid."""
    places: tuple[int, int] | None = None
    """The rows and columns of tokens, each of which has a learned embedding. They are for pictures of one size where a
    position means something, such as aligned faces; None, as in Wan, takes any size."""

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim={self.dim} is not divisible by heads={self.heads}")
        if self.dim // self.heads < 6 or self.dim // self.heads % 2:
            raise ValueError(f"head width is {self.dim // self.heads}, 3-D RoPE needs an even one of 6 or more")
        if self.local_kernel is not None and self.local_kernel % 2 == 0:
            raise ValueError(f"local_kernel={self.local_kernel}, needed an odd side")
        sizes = [self.in_channels, self.layers, self.ffn_dim, self.freq_dim, self.text_dim, *self.patch]
        sizes += [*(self.places or ()), *([self.time_every] if self.time_every is not None else [])]
        if min(sizes) < 1 or min(self.window or (0,)) < 0:
            raise ValueError(f"every size needs to be at least 1, a window's at least 0: {self}")
        if self.sees_original and not self.pyramid:
            raise ValueError("sees_original needs a pyramid, whose first convolution takes both latents; give scales")

    @property
    def head_dim(self) -> int:
        """Channels of a head."""
        return self.dim // self.heads

    @property
    def token(self) -> int:
        """Latent pixels along a token, by its longer side."""
        return pyramid_space(self.pyramid) * max(self.patch[1:])

    @property
    def embedded_channels(self) -> int:
        """Channels that the patch embedding takes and the head gives."""
        return self.pyramid[-1].width if self.pyramid else self.in_channels
