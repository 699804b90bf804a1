"""Decoder distillation: a smaller decoder on the same latents, which the package loads as any VAE."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support.distill_run import distill_run, first_terms, trained, wan_distill_run
from tests.support.tiny_vae import latent_of, random_vae
from training.distill.methods.decoder import DecoderConfig, narrowed
from training.train import load_config, start
from training.wan.decoder import WanDecoder
from vfe.weights.wan_vae import load_vae

TRUTH = {"kind": "ground_truth"}


def run_file(folder: Path, **changes: object) -> Path:
    method = {"decoder": {"dim": 4, "dists": 0.0, **changes}}
    return wan_distill_run(folder, method, teacher=TRUTH, steps=2, eval={"root": None})


def test_a_smaller_decoder_is_a_vae_that_the_package_loads(tmp_path: Path) -> None:
    run = trained(run_file(tmp_path))
    assert run.progress.skipped == 0
    made, base = load_vae(run.output / "last.safetensors"), load_vae(tmp_path / "wan" / "vae.safetensors")
    assert made.config.decoder_dim == 4
    for name, value in base.state_dict().items():  # latents stay what they were
        if not name.startswith(("decoder.", "conv2.")):
            assert torch.equal(value, made.state_dict()[name]), name
    assert made.decode(latent_of(1, 2, 2, 2)).shape == (1, 3, 5, 16, 16)
    dit = run.stage.trainables[0].get_submodule("student.model.dit")
    assert all(p.grad is None and not p.requires_grad for p in dit.parameters())


def test_the_whole_decoder_has_nothing_to_learn_of_itself(tmp_path: Path) -> None:
    assert first_terms(start(load_config(run_file(tmp_path, dim=None))))["decoder"] < 1e-5
    clean = first_terms(start(load_config(run_file(tmp_path, dim=None, target="clean"))))
    assert clean["decoder"] > 1e-2


def test_a_narrow_decoder_is_the_first_channels_of_the_whole() -> None:
    """Where all other channels are silent in the whole one, the two show the same."""
    vae = random_vae()
    small = narrowed(vae, 4)
    state = {name: widened(name, part, vae.state_dict()[name]) for name, part in small.state_dict().items()}
    vae.load_state_dict(state)
    z = latent_of(1, 2, 3, 2)
    torch.testing.assert_close(WanDecoder(vae)(z), WanDecoder(small)(z), atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match=r"decoder\.dim=8, needed below 8"):
        narrowed(vae, 8)


def widened(name: str, small: Tensor, whole: Tensor) -> Tensor:
    """The small weight in the first channels of each group, and 0 in the others.

    A norm is over the root of twice the channels, and so is the scale of attention scores, which queries make up for.
    """
    groups = 3 if "to_qkv" in name else 2 if "time_conv" in name else 1
    wide = torch.zeros_like(whole)
    for part, source in zip(wide.chunk(groups), small.chunk(groups), strict=True):
        part[tuple(slice(size) for size in source.shape)] = source
    if "gamma" in name:
        wide *= (len(small) / len(whole)) ** 0.5
    if "to_qkv" in name:
        wide[: len(whole) // 3] *= (len(whole) / len(small)) ** 0.5
    return wide


def test_what_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lite model, whose codec is a fixed transform"):
        start(load_config(distill_run(tmp_path, {"decoder": {}}, teacher=TRUTH)))
    with pytest.raises(ValueError, match="method decoder needs ground_truth"):
        start(load_config(wan_distill_run(tmp_path, {"decoder": {"dim": 4}})))
    for wrong in ({"dim": 3}, {"target": "teacher"}, {"restored": 1.5}):
        with pytest.raises(ValueError, match="needed"):
            DecoderConfig(**wrong)
