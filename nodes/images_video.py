"""A VIDEO made of images as a lossless file, where ComfyUI cannot encode it: its codecs take even sides alone."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from comfy_api.latest import Types
from torch import Tensor

from ..vfe.video.small import ffv1_options
from .host.images import check_images

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def write_lossless(components: Types.VideoComponents, path: Path) -> None:
    """Write the images (T, H, W, C) in [0, 1] of a VIDEO and its sound as FFV1 and PCM into a Matroska file."""
    images = components.images
    check_images(images)
    _, height, width, _ = images.shape
    with av.open(f"file:{path}", "w", format="matroska") as container:
        rate = Fraction(components.frame_rate).limit_denominator(1001)
        stream = container.add_stream("ffv1", rate=rate, options=ffv1_options((width, height)))
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        audio = components.audio
        sound = (
            None
            if audio is None
            else container.add_stream(
                "pcm_s16le", rate=int(audio["sample_rate"]), layout=_LAYOUTS.get(audio["waveform"].shape[1], "stereo")
            )
        )
        for image in images:
            container.mux(stream.encode(_frame(image)))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(_samples(audio["waveform"][0], int(audio["sample_rate"]))))
            container.mux(sound.encode(None))


def _frame(image: Tensor) -> av.VideoFrame:
    """Return a picture (H, W, C) in [0, 1] as a frame for the encoder; grey gets three channels, alpha is left out."""
    colours = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].expand(-1, -1, 3)
    values = (colours.detach().cpu().float().clamp(0, 1) * 255).round().byte().numpy()
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(values), format="rgb24").reformat(format="bgr0")


def _samples(waveform: Tensor, rate: int) -> av.AudioFrame:
    """Return sound (channels, samples) in [-1, 1] as a frame for the encoder.

    Where the number of channels is no layout that we name, the first two are taken.
    """
    channels = waveform if waveform.shape[0] in _LAYOUTS else waveform[:2]
    values = (channels.detach().cpu().float().clamp(-1, 1) * 32767).round().short().numpy()
    packed = np.ascontiguousarray(values.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=_LAYOUTS[values.shape[0]])
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame
