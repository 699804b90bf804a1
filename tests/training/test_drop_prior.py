"""A lite model without its prior: what was there before the prior, in a file that loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.tiny_lite import tiny_lite_with_prior
from training.lite.drop_prior import main
from training.lite.net import restore_video
from vfe.weights.lite import load_lite_model, save_lite_model


def test_all_but_the_prior_is_kept(tmp_path: Path) -> None:
    primed, plain = tmp_path / "primed.safetensors", tmp_path / "plain.safetensors"
    save_lite_model(primed, tiny_lite_with_prior(), {"steps": 7})
    main([str(primed), str(plain)])
    before, after = (load_lite_model(path, torch.device("cpu"), torch.float32) for path in (primed, plain))
    assert before.prior is not None
    assert after.prior is None
    assert after.fusion is None
    for name, value in after.state_dict().items():
        assert torch.equal(value, before.state_dict()[name]), name
    video = torch.rand(1, 3, 5, 64, 64) * 2 - 1
    assert restore_video(after, video).shape == video.shape


def test_what_is_no_lite_model_is_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    with pytest.raises(SystemExit, match=r"other\.safetensors"):
        main([str(other), str(tmp_path / "out.safetensors")])
