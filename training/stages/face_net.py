"""The bundled face net: detector and refiner in one run.

B frames, R crops of each slot, S crop side.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vfe.face.detect.detector import FaceDetector
from vfe.face.detect.net import Closeup, FaceNet, FaceNetConfig, cells_of, channels_last, fold_batch_norm
from vfe.face.detect.weights import load_face_net, save_face_net

from ..face.album import read_album
from ..face.batches import BatchConfig, FaceBatch, FaceFrames
from ..face.losses import crop_terms, frame_terms
from ..face.mining import Mined, mine
from ..face.pictures import Album, AlbumConfig, album_hash
from ..face.score import score_net
from ..face.show import write_found
from ..face.targets import assign
from ..run.config import RunConfig
from ..run.recorded import NOT_RECORDED
from ..run.stage import Draw, Slots, Stage, StepOutput, TrainableModule, full_precision

SMALLEST_SIZE = 2.0**-9
"""Root mean square of a parameter that is taken for one as large, where steps are shares of the parameters' sizes."""


@dataclass(frozen=True, kw_only=True)
class FaceNetTrainConfig(RunConfig):
    """A run of the face net: its sizes, its data, and how its scores are corrected before it is used."""

    net: FaceNetConfig = field(default_factory=FaceNetConfig)
    album: AlbumConfig
    batch: BatchConfig = field(default_factory=BatchConfig)
    init: str | None = field(default=None, metadata=NOT_RECORDED)
    """A face net's file to go on from; random weights without. Its layers differ in size a hundredfold, and have no
    batch norms that would make up for it: the learning rate is then a share of the size that a parameter begins with,
    to the nearest power of two, as in Adafactor (Shazeer and Stern 2018, section 8)."""
    margin: float = 0.4
    """Taken from both nets' score logits in what is scored and exported: training shows half of all crops a face and
    knows few hands and no ornaments, so that its scores are too high for what a video shows."""
    mine: bool = True
    """Whether the refiner also learns from what the detector takes for faces, two crops of each frame."""
    recalibrate: int = 60
    """Batches from which the batch norms' statistics are taken for the averaged weights."""


class FaceNetWithLoss(TrainableModule):
    """Detector and refiner with the loss of each; no gradient goes from one to the other."""

    def __init__(self, net: FaceNet, mines: bool, relative: bool = False) -> None:
        super().__init__()
        self.net, self.mines = net, mines
        sizes = {name: float(value.detach().square().mean().sqrt()) for name, value in self.named_parameters()}
        self._rates = {name: 2.0 ** round(math.log2(max(size, SMALLEST_SIZE))) for name, size in sizes.items()}
        self._rates = self._rates if relative else dict.fromkeys(sizes, 1.0)

    def rate_of(self, name: str) -> float:
        return self._rates[name]

    def forward(self, batch: FaceBatch, draw: Draw | None) -> StepOutput:  # noqa: ARG002 - nothing is drawn
        cells = self.net.detector(batch.frames)
        with full_precision(batch.frames.device):
            centres, strides = cells_of(batch.frames.shape[-2], batch.frames.shape[-1], batch.frames.device)
            targets = assign(batch.boxes, batch.kinds, centres, strides)
            terms = frame_terms(cells, targets, (batch.kinds.long(), batch.boxes, batch.landmarks))
            crops = batch.crops.flatten(0, 1)
            mined = (
                mine(batch, cells, targets, crops.shape[-1]) if self.mines else Mined(crops[:0], crops[:0, 0, 0, 0] > 0)
            )
        seen = self.net.refiner(torch.cat([crops, mined.crops]).contiguous(memory_format=torch.channels_last))
        with full_precision(batch.frames.device):
            own = Closeup(seen.scores, seen.landmarks[: len(crops)], seen.mask[: len(crops)])
            are_faces = torch.cat([batch.are_faces.flatten(), mined.are_faces])
            terms |= crop_terms(own, are_faces, batch.crop_landmarks.flatten(0, 1), batch.masks.flatten(0, 1))
        return StepOutput(terms)


class FaceNetStage(Stage):
    """The face net on synthetic frames, scored on dev scenes and portraits."""

    def __init__(self, config: FaceNetTrainConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.batch = config.batch.frames
        self.net = channels_last(FaceNet(config.net))
        if config.init is not None:
            self._start_from(Path(config.init))
        self.trainables = (FaceNetWithLoss(self.net, config.mine, relative=config.init is not None),)
        self.notes = (f"{sum(p.numel() for p in self.net.parameters()):,} parameters",)
        self._album: Album | None = None

    @property
    def album(self) -> Album:
        """The pictures to train on, decoded when first asked for."""
        if self._album is None:
            self._album = read_album(self.config.album)
        return self._album

    def _start_from(self, path: Path) -> None:
        """Take the weights of a file. Its batch norms are folded, so that this run has none, and trains what users will
        have.

        Raises ValueError where the file holds another net than the config's.
        """
        found = load_face_net(path, torch.device("cpu"))
        if found.config != self.config.net:
            raise ValueError(f"{path} holds {found.config}, needed is the config's {self.config.net}")
        fold_batch_norm(self.net).load_state_dict(found.state_dict())

    def _frames(self, seed: int, start: int, slots: Slots) -> FaceFrames:
        return FaceFrames(self.album, self.config.batch, self.config.net.refiner.side, seed, (start, slots))

    def batches(self, start: int, slots: Slots) -> Iterable[tuple[Tensor, ...]]:
        return DataLoader(
            self._frames(self.config.seed, start, slots),
            batch_size=None,
            num_workers=self.config.workers,
            prefetch_factor=4 if self.config.workers else None,
        )

    def to_batch(self, raw: tuple[Tensor, ...]) -> FaceBatch:
        batch = FaceBatch(*raw)
        return batch._replace(frames=to_pixels(batch.frames), crops=to_pixels(batch.crops))

    def calibrated(self) -> FaceNet:
        """A copy of the net as users get it: batch norms measured anew for the weights in place and folded, and the
        margin taken from the scores."""
        net = copy.deepcopy(self.net)
        with torch.no_grad():
            for bias in (net.detector.out.bias, net.refiner.score.bias):
                assert bias is not None
                bias[0] -= self.config.margin  # the first output of either is the score
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        if not norms:
            return net.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
            norm.train()
        frames = self._frames(self.config.seed + 1, 0, Slots(0, self.batch, self.batch))
        module = FaceNetWithLoss(net, self.config.mine)
        with torch.no_grad():
            for number in range(self.config.recalibrate):
                module(self.to_batch(tuple(part.to(self.device) for part in frames.draw(number))), None)
        return fold_batch_norm(net.eval())

    def evaluate(self) -> dict[str, float]:
        if self.config.eval.root is None:
            return {}
        scores = score_net(self.calibrated(), Path(self.config.eval.root))
        return {"score": scores.total, **scores.figures()}

    def samples(self, folder: Path) -> None:
        if self.config.eval.root is not None:
            write_found(folder / "scenes.png", FaceDetector(self.calibrated()), Path(self.config.eval.root))

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        save_face_net(path, self.calibrated(), facts | {"data_sha256": album_hash(self.config.album)})


def to_pixels(stored: Tensor) -> Tensor:
    """uint8 to floats in [-1, 1], in the memory layout that convolutions on the CPU like."""
    pixels = stored.float().div_(127.5).sub_(1)
    return pixels.to(memory_format=torch.channels_last) if pixels.dim() == 4 else pixels
