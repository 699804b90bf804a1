"""The DiT of aligned faces: convolutions around it, learned places, folding, files, clips from the middle of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.support.tiny_dit import TIMESTEP, padded_prompt, random_dit, random_latent, tiny_config
from vfe.models.dit.folded import fold
from vfe.models.dit.model import DiTConfig, LearnedPositions, WanDiT
from vfe.models.dit.pyramid import Neighbours, Pyramid, PyramidScale, pyramid_space
from vfe.models.lapped_codec import CodecConfig, LappedCodec
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.ops import TORCH_OPS
from vfe.models.prior import EncoderScale, PredictorConfig, PriorConfig
from vfe.models.prior.fusion import FusionConfig
from vfe.models.prior.predictor import CodePredictor
from vfe.types import VFEError, VideoShape
from vfe.weights.lite import load_lite_model, save_lite_model

SCALES = (PyramidScale(width=8), PyramidScale(width=12, space=2))
EXACT = 2e-4


def face_config() -> DiTConfig:
    return tiny_config(pyramid=SCALES, places=(2, 3), patch=(1, 2, 2), window=(1, 0, 0), local_kernel=3)


def test_an_untrained_pyramid_gives_no_velocity() -> None:
    z = torch.randn(2, 4, 3, 8, 12)
    assert not WanDiT(face_config())(z, TIMESTEP, padded_prompt(1, 4, 16)).any()


def test_scales_meet_on_the_way_back() -> None:
    pyramid = Pyramid(4, SCALES, TORCH_OPS)
    coarse, skips = pyramid.inward(torch.randn(2, 4, 3, 8, 12))
    assert coarse.shape == (2, 12, 3, 4, 6)
    assert [skip.shape for skip in skips] == [(6, 8, 8, 12), (6, 12, 4, 6)]
    assert pyramid.outward(coarse, skips).shape == (2, 4, 3, 8, 12)
    assert pyramid_space(SCALES) == 2
    assert face_config().token == 4


def test_latent_frames_see_their_neighbours_and_no_others() -> None:
    mix = Neighbours(1)
    mix.before.data.fill_(0.5)
    mix.after.data.fill_(0.25)
    clip = torch.arange(1.0, 5).view(4, 1, 1, 1)
    assert mix(clip, 4).flatten().tolist() == [1 + 0.5 + 0.5, 2 + 0.5 + 0.75, 3 + 1 + 1, 4 + 1.5 + 1]
    assert torch.equal(mix(clip, 1), clip)


def test_places_differ_and_other_sizes_are_refused() -> None:
    places = LearnedPositions((2, 3), 6)
    added = places(torch.zeros(1, 12, 6), VideoShape(2, 2, 3))[0]
    assert torch.equal(added[:6], added[6:])
    assert len({tuple(row) for row in added[:6].tolist()}) == 6
    with pytest.raises(VFEError, match="needs 2 x 3: it restores aligned faces"):
        places(torch.zeros(1, 12, 6), VideoShape(2, 3, 2))


def test_folding_keeps_the_pyramid_and_the_places() -> None:
    config = face_config()
    model, prompt = random_dit(config), padded_prompt(4, 4, 16)
    latent = random_latent(config, (3, 8, 12))
    expected = model(latent, TIMESTEP, prompt)
    assert expected.abs().max() > 0.01
    assert (fold(model, TIMESTEP, prompt)(latent) - expected).abs().max() <= EXACT * expected.abs().max()


def test_a_predictor_may_know_places() -> None:
    size = PredictorConfig(width=12, heads=2, layers=1, ffn_dim=16, places=(2, 2))
    config = PriorConfig(dim=8, entries=4, heads=2, scales=(EncoderScale(width=8),), predictor=size)
    predictor = CodePredictor(config, TORCH_OPS)
    same = torch.ones(1, 8, 1, 2, 2)
    logits = predictor(same)
    assert logits.shape == (1, 1, 2, 2, 4)
    assert (logits[0, 0, 0, 0] - logits[0, 0, 1, 1]).abs().max() > 1e-3


def test_a_prior_of_another_token_does_not_fit() -> None:
    prior = PriorConfig(dim=8, entries=4, heads=2, scales=(EncoderScale(width=8, time=4, space=4),))
    fusion = FusionConfig(dim=24, layers=3, prior_dim=8, width=8, heads=2, hidden=8)
    dit = tiny_config(in_channels=192, pyramid=SCALES, patch=(1, 2, 2))
    with pytest.raises(ValueError, match="token is 4 x 4 pixels, the DiT's 4 x 16"):
        LiteConfig(dit=dit, codec=CodecConfig(space=4), prior=prior, fusion=fusion)


def test_a_restorer_with_a_pyramid_is_stored_and_read(tmp_path: Path) -> None:
    dit = tiny_config(in_channels=192, pyramid=SCALES, places=(2, 2), patch=(1, 2, 2))
    net = LiteModel(LiteConfig(dit=dit, codec=CodecConfig(space=4)))
    save_lite_model(tmp_path / "face.safetensors", net, {})
    read = load_lite_model(tmp_path / "face.safetensors", torch.device("cpu"), torch.float32)
    assert read.config == net.config
    assert read.side_multiple == 16
    assert read.state_dict().keys() == net.state_dict().keys()


@pytest.mark.parametrize(
    ("part", "key", "value", "told"),
    [
        ("dit", "layers", 10**9, "more layers than it has tensors"),
        ("dit", "pyramid", [{"width": 8, "blocks": 10**9}], "more layers than it has tensors"),
        ("codec", "space", 10**5, "its metadata is damaged"),
    ],
)
def test_impossible_sizes_are_refused_before_building(
    tmp_path: Path, part: str, key: str, value: object, told: str
) -> None:
    dit = tiny_config(in_channels=192, pyramid=SCALES, places=(2, 2), patch=(1, 2, 2))
    path = tmp_path / "face.safetensors"
    save_lite_model(path, LiteModel(LiteConfig(dit=dit, codec=CodecConfig(space=4))), {})
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    config = json.loads(metadata["config"])
    config[part][key] = value
    save_file(tensors, path, {**metadata, "config": json.dumps(config)})
    with pytest.raises(VFEError, match=told):
        load_lite_model(path, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"width": 4, "space": 0}, {"width": 4, "blocks": -1}])
def test_impossible_scales_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="need to be at least 1"):
        PyramidScale(**wrong)


def test_a_clip_from_the_middle_has_no_leading_frame() -> None:
    codec = LappedCodec(CodecConfig(space=4))
    video = torch.rand(2, 3, 9, 16, 16)
    whole, later = codec.encode(video), codec.encode(video[:, :, 1:], leads=False)
    assert torch.equal(whole[:, :, 1:], later)
    assert (codec.decode(later, leads=False) - video[:, :, 1:]).abs().max() < 1e-5
    with pytest.raises(ValueError, match="4n frames"):
        codec.encode(video, leads=False)
