"""The input `steps`: the last blocks take as many as the command has them take, and one where nothing is said."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import vfe
from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.comfy_pack import NODES, Loose, images_of, run, smooth_clip
from tests.support.comfy_wan_files import CLIP, CONTEXT, DIT, LORAS, VAE, decoded, enhanced, write_files
from tests.support.tiny_lite import tiny_lite
from tests.support.wan_training import LORA, trained_dit
from training.wan.lora import changes_of
from vfe.options import LoraFile, ModelOptions
from vfe.pipeline.one_step import WindowConfig
from vfe.weights.lite import save_lite_model
from vfe.weights.save import Origin, save_lora

EXACT = 2e-5  # of [0, 1]
TRAINED = {"head_steps": {"blocks": 1, "most": 3}}
WITH_STEPS = ("VFE_EnhanceFaceVideo", "VFE_EnhanceFaceImage", "VFE_EnhanceFolder", "VFE_OneStepEnhance")


@pytest.fixture(scope="module")
def path() -> Path:
    path = Path(folder_paths.models_dir) / "vfe" / "steps.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_lite_model(path, tiny_lite(0.05), TRAINED, torch.float32)
    return path


@pytest.fixture(scope="module")
def restorer(path: Path) -> Loose:
    return run("LoadWanRestorer", model=path.name, dtype="fp32")[0]


def by_command(path: Path, clip: Tensor, options: ModelOptions) -> Tensor:
    restorer = vfe.load(path, "cpu", "fp32", WindowConfig(9, 1), options)
    return images_of(torch.stack(list(restorer.restore_frames(clip.unbind(0)))))


@pytest.mark.parametrize("node", WITH_STEPS)
def test_it_is_one_step_unless_it_is_asked_for(node: str) -> None:
    given: Loose = next(each for each in NODES[node].define_schema().inputs if each.id == "steps")
    assert (given.default, given.min, given.optional) == (1, 1, True)


def test_several_steps_are_those_of_the_command(path: Path, restorer: Loose) -> None:
    clip = smooth_clip(14, 48, 64)

    def by_node(**options: int) -> Tensor:
        return decoded(enhanced(restorer, clip, **options), restorer=restorer)

    one = by_node()
    assert (by_node(steps=3) - by_command(path, clip, ModelOptions(steps=3))).abs().max() <= EXACT
    assert (by_node(steps=3) - one).abs().max() > 50 * EXACT
    assert torch.equal(by_node(steps=1), one)  # and none is left of them


def test_photos_take_them_too(restorer: Loose) -> None:
    image = torch.rand(1, 64, 64, 3, generator=torch.manual_seed(0))
    one, more = (run("EnhanceFaceImage", restorer=restorer, image=image, steps=steps)[0] for steps in (1, 3))
    assert (one - more).abs().max() > 50 * EXACT


def test_clips_of_a_folder_take_them_too(restorer: Loose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of other steps are other results."""
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"get_{name}_directory", lambda name=name: str(tmp_path / name))
    write_clip(tmp_path / "input" / "clip.mp4", Clip(frames=5, width=64, height=64))

    def restored(steps: int, **inputs: bool) -> tuple[str, NDArray[np.uint8]]:
        given = {"folder": "", "output": "done", "crf": 0, "region": "frame", "blend": 0.0, "steps": steps, **inputs}
        summary, files = run("EnhanceFolder", restorer=restorer, **given)
        return summary.splitlines()[0], read_pixels(Path(files[0]))

    said, one = restored(1)
    assert said == "1 clips: 1 restored"
    assert restored(1)[0] == "1 clips: 1 skipped"
    said, three = restored(3, overwrite=True)
    assert said == "1 clips: 1 restored"
    assert (one != three).any()


def test_more_than_were_trained_get_a_sentence(restorer: Loose) -> None:
    told = "steps.safetensors was trained for 1 to 3 steps, 4 are asked for; set steps to what it was trained for"
    with pytest.raises(ValueError, match=told):
        enhanced(restorer, steps=4)
    with pytest.raises(ValueError, match=r"lite .* was trained for one step alone, 2 are asked for; set steps to"):
        enhanced(run("LoadWanRestorer", dtype="fp32")[0], steps=2)


def test_a_lora_says_how_many_a_wan_dit_takes() -> None:
    write_files()
    save_lora(LORAS[0], changes_of(trained_dit(LORA)), Origin(base=DIT.name, training=TRAINED).note())
    (restorer,) = run("LoadWanRestorer", model=DIT.name, dtype="fp32", lora_1=LORAS[0].name)
    by_node = decoded(enhanced(restorer, CLIP, steps=3), restorer=restorer)
    options = ModelOptions(vae=VAE, prompt_embedding=CONTEXT, loras=(LoraFile(LORAS[0]),), steps=3)
    assert restorer.folding.is_folded
    assert (by_node - by_command(DIT, CLIP, options)).abs().max() <= EXACT
