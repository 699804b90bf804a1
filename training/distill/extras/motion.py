"""MCM (arXiv 2406.06890): motion by the teacher, looks by portraits.

    L_cd  = d(phi(x), phi(sg x_target)),  d the square or the pseudo-Huber sqrt(d^2 + c^2) - c with c = 1e-3
    L_G   = -mean D(frames of x decoded),  L_D = mean max(0, 1 - D(portraits)) + mean max(0, 1 + D(frames))

with phi of representations.py. What a clip has in common with a still picture is left to the critic, which sees single
frames and knows portraits alone: no clean video. Losses, c and the two frames a clip are the paper's (its code), whose
critic looks through DINO; ours is the PatchGAN of frames in losses/adversarial.py, which needs no pretrained weights.

B clips; x latent (B, C, t, h, w); T H W frames of video.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ...losses.adversarial import Discriminator, DiscriminatorConfig, logits_for_generator
from ...losses.drawn_frames import drawn_frames, take_frames
from ...run.stage import Draw, StepOutput, TrainableModule, full_precision
from ..aims import aims_of
from ..batch import DistillBatch
from ..method import Addition
from ..restorer import LatentRestorer
from ..teacher import Teacher
from .portraits import Portraits
from .representations import Representation, motion_of

Distance = Literal["square", "huber"]

HUBER_C = 1e-3


@dataclass(frozen=True, kw_only=True)
class FrameCriticConfig:
    """The critic of frames: its weight in the student's loss, how many frames of a clip it sees, and its sizes."""

    weight: float = 1.0
    frames: int = 2
    net: DiscriminatorConfig = field(default_factory=partial(DiscriminatorConfig, temporal=False))
    rate: float = 1.0
    """The factor by which the critic multiplies the run's learning rate."""

    def __post_init__(self) -> None:
        if self.weight <= 0 or self.frames < 1 or self.rate <= 0:
            raise ValueError(
                f"frame critic has weight={self.weight}, frames={self.frames}, rate={self.rate}, needed above "
                "0 each: leave `critic` out to train without it"
            )
        if self.net.temporal:
            raise ValueError("the frame critic sees portraits, which have no motion: set net.temporal to false")


@dataclass(frozen=True, kw_only=True)
class MotionConfig:
    """Which motion is drawn to the target's, how strongly, and the critic of frames, if there is one."""

    weight: float = 1.0
    representation: Representation = "difference"
    distance: Distance = "huber"
    critic: FrameCriticConfig | None = None

    def __post_init__(self) -> None:
        for name, value, names in (
            ("representation", self.representation, get_args(Representation)),
            ("distance", self.distance, get_args(Distance)),
        ):
            if value not in names:
                raise ValueError(f"{name} is {value!r}, needed one of {', '.join(names)}")
        if self.weight < 0 or (self.weight == 0 and self.critic is None):
            raise ValueError(f"motion has weight={self.weight}, needed above 0, or 0 beside a critic")


def motion_losses(x: Tensor, target: Tensor, representation: Representation, distance: Distance) -> Tensor:
    """L_cd of each clip (B,): the mean distance of phi(x) from phi(sg target), both (B, C, t, h, w)."""
    error = motion_of(x.float(), representation) - motion_of(target.detach().float(), representation)
    squares = error.square()
    if distance == "huber":
        squares = (squares + HUBER_C**2).sqrt() - HUBER_C
    return squares.flatten(1).mean(1)


def hinge_loss(real: Tensor, generated: Tensor) -> Tensor:
    """L_D of logits, means over places: what the critic minimises."""
    return F.relu(1 - real.float()).mean() + F.relu(1 + generated.float()).mean()


def hinge_loss_of_generator(generated: Tensor) -> Tensor:
    """L_G of logits."""
    return -generated.float().mean()


class FrameCritic(TrainableModule):
    """The critic of frames with its loss: portraits against frames that the student makes of this batch."""

    def __init__(self, config: FrameCriticConfig, portraits: Portraits, student: LatentRestorer) -> None:
        super().__init__()
        self.config, self.portraits = config, portraits
        self.net = Discriminator(config.net)
        self._student = (student,)  # another module trains it: no submodule of this one

    def rate_of(self, name: str) -> float:  # noqa: ARG002 - one for all of it
        return self.config.rate

    def forward(self, batch: DistillBatch, draw: Draw) -> StepOutput:
        student, count = self._student[0], self.config.frames
        student.see(batch.degraded)
        with torch.no_grad():
            generated = frames_of(student(batch.z_lq), student, count, draw)
        real = self.portraits.pictures(count, draw).to(generated.device)
        with full_precision(generated.device):
            return StepOutput({"frame_critic": hinge_loss(self.net(real), self.net(generated))})


class MotionTerms(Addition):
    """L_cd and, with a critic, L_G."""

    def __init__(
        self, config: MotionConfig, teacher: Teacher, student: LatentRestorer, portraits: Portraits | None
    ) -> None:
        """`portraits` are needed where the config has a critic."""
        super().__init__()
        self.config, self.teacher = config, teacher
        if config.critic is not None:
            assert portraits is not None
            self.others: tuple[FrameCritic, ...] = (FrameCritic(config.critic, portraits, student),)

    def forward(self, student: LatentRestorer, batch: DistillBatch, z_hq: Tensor, draw: Draw) -> dict[str, Tensor]:
        config, aims = self.config, aims_of(self.teacher, batch, student)
        with full_precision(z_hq.device):
            terms = {}
            if config.weight:
                losses = motion_losses(z_hq, aims.z, config.representation, config.distance)
                terms["motion"] = config.weight * aims.mean(losses)
            for critic in self.others:
                frames = frames_of(z_hq, student, critic.config.frames, draw)
                logits = logits_for_generator(critic.net, frames)
                terms["frames"] = critic.config.weight * hinge_loss_of_generator(logits)
            return terms


def frames_of(z_hq: Tensor, student: LatentRestorer, count: int, draw: Draw) -> Tensor:
    """`count` frames of each clip, decoded: (B, 3, count, H, W)."""
    with full_precision(z_hq.device):
        video = student.codec.decode(z_hq.float())
    return take_frames(video, drawn_frames(len(video), video.shape[2], count, draw))
