"""The stages of a burst, what each takes over from those before, and their shares of the time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from vfe.models.dit.compiled import compile_blocks
from vfe.models.dit.model import WanDiT
from vfe.models.lite import LiteModel
from vfe.types import VFEError
from vfe.weights.adapter import load_prior
from vfe.weights.lite import load_lite_model

from ..lite.net import seeing_original, with_prior
from ..losses.shifted import LATTICE
from ..run.optim import OptimConfig
from .ahead import AheadConfig, BatchMaker, PairsAhead
from .clips import PairConfig, PairMaker, Pairs, PairSource, held_out_pairs
from .codes import CodebookStage, PredictStage
from .damage.x264 import X264Codec
from .feature_discriminator import FeatureDiscriminator
from .frame_part import FramePart, load_frame_part
from .loop import BurstConfig, BurstLoop, BurstStage, check_length
from .model import PriorPart, discriminator_config, fusion_config, new_restorer, prior_config, restorer_config
from .motion import ClipConfig
from .packed import PackedAlbum
from .pool import MixedLengths, PairPool
from .restorer import (
    ImageDistances,
    RestorerDiscriminatorWithLoss,
    RestorerLossConfig,
    RestorerStage,
    RestorerWithLoss,
    unfrozen,
)
from .true_codes import predicted_codes, true_codes

StageName = Literal["codebook", "predict", "fidelity", "adversary"]
STAGE_SHARES: Mapping[StageName, float] = {"codebook": 0.2, "predict": 0.12, "fidelity": 0.46, "adversary": 0.22}
MAKERS = 3
"""Threads that make pairs; while encoders are at work for one, the accelerator is for another."""
RESTORER_STAGES: tuple[StageName, ...] = ("fidelity", "adversary")
BEST_FILE, LAST_FILE = "best.safetensors", "last.safetensors"


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """Which stages are trained, for how long, and at which sizes."""

    stages: tuple[StageName, ...] = tuple(STAGE_SHARES)
    minutes: float | None = 9.0
    """The time of all stages together, which share it as they would that of the whole plan."""
    steps: int | None = None
    """Those of each stage, in the place of minutes."""
    batch: int = 8
    lr: float = 1e-3
    ema: float = 0.998
    """Decay of the average of the weights, per step, which is what is scored and kept: less for short runs."""
    frames: int = 5
    """The length of the restorer's clips; the codebooks' have a leading frame."""
    reuse: float = 1.0
    """For how many steps a pair that is made ahead is used, on average."""
    save_seconds: float = 60.0
    held_out: int = 12
    """Clips of held-out people that each stage is scored on."""
    init: Path | None = None
    """A restorer to start from."""
    frame_part: Path | None = None
    """The lite file that restores damaged frames before the restorer of faces gets them; None leaves that out."""
    pool: Path | None = None
    """A folder with pairs that another process makes; without it, each step makes its own."""
    x264: Path | None = None
    """The program x264: pairs are made ahead by threads, through it, for restorers."""
    mixed: MixedLengths = field(default_factory=MixedLengths)
    """The steps of a restorer on a pool in which clips are three times as long, and half as many: from them it learns
    what to make of the latent frames beside. And those with single frames."""
    prior: PriorPart | None = "both"
    """What of the prior that the stages before made is fused into the restorer; None leaves it out."""
    fusion_alone: bool = False
    """In the stage fidelity the restorer stays as it is, and the fusion of its prior learns: what a prior adds."""
    true_codes: bool = False
    """The restorer is given the codes of the clean clips, also when it is scored: what a prior can give at most."""
    seed: int = 0
    tiny: bool = False
    compile: bool = False
    """The restorer's blocks: each new number of latent frames takes seconds, and steps are shorter from then on."""

    def __post_init__(self) -> None:
        unknown = [stage for stage in self.stages if stage not in STAGE_SHARES]
        if unknown or not self.stages:
            raise VFEError(f"stages {', '.join(self.stages) or 'none'}: needed some of {', '.join(STAGE_SHARES)}")
        if self.mixed != MixedLengths() and self.pool is None:
            raise VFEError("longer clips and single frames are cut of the pairs of a pool: give one, or leave them out")
        if self.x264 is not None and (self.pool is not None or self.frame_part is None):
            raise VFEError("x264 makes pairs that the part for frames restores: give that and no pool, or leave it out")
        if self.x264 is not None and {*self.stages} - {*RESTORER_STAGES}:
            raise VFEError(
                f"x264 makes pairs for restorers without a prior: name stages of {', '.join(RESTORER_STAGES)}"
            )
        if self.reuse != 1 and self.x264 is None:
            raise VFEError("reuse is for pairs that are made ahead: give x264 too, or a pool instead, or leave it out")
        if self.held_out < 1:
            raise VFEError(f"held_out={self.held_out}: needed at least 1")
        check_length(self.minutes, self.steps)

    def minutes_of(self, stage: StageName) -> float | None:
        """The minutes of a stage: its share among the stages that run; None where steps are counted."""
        if self.minutes is None:
            return None
        return self.minutes * STAGE_SHARES[stage] / sum(STAGE_SHARES[each] for each in self.stages)


class Plan:
    """Runs the stages of a config, one after the other, each in a folder of its own in `out`."""

    def __init__(self, config: PlanConfig, album: PackedAlbum, distances: ImageDistances, out: Path) -> None:
        self.config, self.album, self.distances, self.out = config, album, distances, out
        self.device = album.pictures.device
        self.frame_part = None if config.frame_part is None else load_frame_part(config.frame_part, self.device)
        self.pairs = PairConfig(clips=ClipConfig(frames=config.frames))
        self._ahead: PairsAhead | None = None

    def run(self) -> None:
        """All stages; what has been done is loaded and not done again."""
        build = {
            "codebook": self._codebook,
            "predict": self._predict,
            "fidelity": self._fidelity,
            "adversary": self._adversary,
        }
        with ExitStack() as opened:
            if self.config.x264 is not None and self.frame_part is not None:
                self._ahead = self._made_ahead(self.config.x264, self.frame_part, opened)
            for name in self.config.stages:
                torch.manual_seed(self.config.seed)
                loop = BurstLoop(build[name](), self._times(name), self.out / name, self.device)
                loop.train()

    def _made_ahead(self, program: Path, frame_part: FramePart, opened: ExitStack) -> PairsAhead:
        """Pairs that threads make, and the processes that encode for them, until `opened` is closed."""
        processes = max((os.cpu_count() or 1) - 2, 1)
        context = multiprocessing.get_context("spawn")
        encoders = opened.enter_context(ProcessPoolExecutor(processes, mp_context=context))
        codec, batch = X264Codec(program, self.album.side, encoders), self.config.batch
        config = AheadConfig(batch=batch, kept=32 * batch, reuse=self.config.reuse, seed=self.config.seed)
        makers = [BatchMaker(self.album, config, deepcopy(frame_part), codec) for _ in range(MAKERS)]
        held_out = BatchMaker(self.album, config, frame_part, codec, held_out=True)
        return opened.enter_context(PairsAhead(self.album, config, makers, held_out))

    def _times(self, name: StageName) -> BurstConfig:
        config = self.config
        late = name == "adversary"
        optim = OptimConfig(
            lr=config.lr * (0.3 if late else 1),
            betas=(0.5, 0.99) if late else (0.9, 0.99),
            weight_decay=1e-3,
            warmup_steps=60,
            max_grad_norm=0.5,
            ema=config.ema,
        )
        return BurstConfig(
            minutes=config.minutes_of(name),
            steps=config.steps,
            batch=config.batch,
            optim=optim,
            save_seconds=config.save_seconds,
            seed=config.seed,
        )

    def _makers(self, frames: int, mixed: MixedLengths | None = None) -> tuple[PairSource, Pairs]:
        if self.config.pool is not None:
            pool = PairPool(self.config.pool, self.device, self.album.list_sha256, frames, mixed, self.config.seed)
            return pool, pool.held_out(self.config.held_out)
        pairs = replace(self.pairs, clips=replace(self.pairs.clips, frames=frames))
        damaged = replace(pairs.damage, clean_share=0.0)  # nothing is gained on a clean clip
        held_out = replace(pairs, clips=replace(pairs.clips, frames=5), damage=damaged)
        first = self.frame_part
        return PairMaker(self.album, pairs, self.config.seed, first), held_out_pairs(
            self.album, held_out, self.config.held_out, first
        )

    def _codebook(self) -> BurstStage:
        side, tiny = self.album.side, self.config.tiny
        model, discriminator = prior_config(side, tiny=tiny), discriminator_config(side, tiny=tiny)
        return CodebookStage(model, discriminator, *self._makers(5), self.distances.perceptual)

    def _predict(self) -> BurstStage:
        return PredictStage(load_prior(self._made("codebook", LAST_FILE), torch.float32), *self._makers(5))

    def _fidelity(self) -> BurstStage:
        net = self._plain()
        prior, used = self._prior_file(), self.config.prior
        if used is not None and prior.exists() and net.prior is None:
            loaded = load_prior(prior, torch.float32).to(self.device)
            net = with_prior(net, loaded, fusion_config(net.config, loaded.config, used)).to(self.device)
        if self.config.fusion_alone and net.fusion is None:
            raise VFEError(
                f"fusion_alone needs a prior, got none: name one, and run the stage predict in {self.out} first"
            )
        return self._restorer(unfrozen(net, fusion_alone=self.config.fusion_alone), RestorerLossConfig(), None)

    def _adversary(self) -> BurstStage:
        net = seeing_original(self._load(self._made("fidelity", LAST_FILE)))
        discriminator = FeatureDiscriminator(self.album.side - LATTICE, *self.distances).to(self.device)
        loss = RestorerLossConfig(perceptual=0.5, close_up=0.3, lattice=2.0, adversarial=0.05, balanced_from=0.0)
        return self._restorer(unfrozen(net), loss, discriminator)

    def _restorer(
        self, net: LiteModel, loss: RestorerLossConfig, discriminator: FeatureDiscriminator | None
    ) -> BurstStage:
        reader = true_codes if self.config.true_codes else predicted_codes
        if self.config.compile and isinstance(net.dit, WanDiT):
            compile_blocks(net.dit)
        restorer = RestorerWithLoss(net, loss, self.distances, discriminator, reader)
        frames = self.config.frames if net.prior is None else 4 * (self.config.frames // 4) + 1
        ahead = self._ahead
        if ahead is not None and net.prior is not None:
            raise VFEError("x264: its pairs have clips without a leading frame, which a prior needs; give prior none")
        if ahead is not None:
            pairs: PairSource = ahead
            held_out = ahead.held_out(self.config.held_out)
        else:
            pairs, held_out = self._makers(frames, self.config.mixed)
        return RestorerStage(
            restorer, pairs, held_out, None if discriminator is None else RestorerDiscriminatorWithLoss(discriminator)
        )

    def _plain(self) -> LiteModel:
        if self.config.init is not None:
            return seeing_original(self._load(self.config.init))
        return new_restorer(restorer_config(self.album.side, tiny=self.config.tiny), self.album, self.frame_part)

    def _prior_file(self) -> Path:
        """The prior whose encoder reads damaged clips; for true codes that which was trained with the codebooks."""
        return self.out / ("codebook/" + LAST_FILE if self.config.true_codes else "predict/" + BEST_FILE)

    def _load(self, path: Path) -> LiteModel:
        return load_lite_model(path, self.device, torch.float32)

    def _made(self, stage: StageName, name: str) -> Path:
        path = self.out / stage / name
        if not path.exists():
            raise VFEError(f"{path} does not exist; run the stage {stage} first")
        return path
