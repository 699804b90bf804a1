"""The papers' recipes from raw videos to scores, at tiny size with random weights: every step is the command that users
type, in this process.

Nothing is learned in two steps: what is shown is that each command takes what the one before it made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import vfe.cli.curate
from tests.support.cli_run import run_vfe
from tests.support.fake_endpoint import Reply, fake_endpoint
from tests.support.inline_tasks import InlineTasks
from tests.support.paths import CONFIGS
from tests.support.tiny_prior import TINY_PRIOR, tiny_fusion
from tests.support.wan_training import WanFiles, write_wan_files
from tests.support.weight_layouts import TINY_DIT
from training.data.clips import read_frames
from training.demo import clean_clip, write_clip
from training.run.recorded import recorded
from training.train import main as train

pytestmark = pytest.mark.slow

CLIPS, FRAMES, SIDE = 12, 9, 64
DATA = {"root": "data/train", "frames": 5, "side": 32, "batch": 2, "segment": 6, "reuse": 2, "open_only": False}
SMALL = {"data": DATA, "eval.root": None, "precision": "no", "workers": 0, "accumulate": 1, "optim.warmup_steps": 1}
LORA = {"rank": 4, "alpha": 4.0}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which all commands run, as the documents have it: the paths of runs are relative."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vfe.cli.curate, "TaskPool", InlineTasks)  # a process of its own takes seconds to start
    return tmp_path


def write_videos(folder: Path) -> Path:
    """Videos of one person who moves gently, each in light of another colour."""
    folder.mkdir()
    clean = clean_clip(CLIPS * FRAMES, 160)
    for number, frames in enumerate(clean.split(FRAMES)):
        light = torch.tensor([1.0, 1 - number / 40, 0.75 + number / 50])
        write_clip(folder / f"video{number:02}.mp4", (frames * light).byte())
    return folder


def trained(name: str, **changes: Any) -> Path:  # noqa: ANN401 - values of a YAML file
    """`python -m training.train` with a shipped run at tiny size; returns the folder of what it made."""
    settings = {**SMALL, "steps": 2, **{key.replace("__", "."): value for key, value in changes.items()}}
    train([str(CONFIGS / f"{name}.yaml"), "--set", *(f"{key}={json.dumps(value)}" for key, value in settings.items())])
    return Path("runs") / name


def model_of(files: WanFiles, lora: dict[str, Any] | None, rule: str) -> dict[str, Any]:
    """`model` or `wan` of a run."""
    paths = {"dit": str(files.dit), "vae": str(files.vae), "context": str(files.context)}
    return {**paths, "flow": {"rule": rule, "timestep": 400.0}, "lora": lora}


def curated(capsys: pytest.CaptureFixture[str], videos: Path) -> list[dict[str, Any]]:
    """What `vfe curate` lists of the videos, whose scorer is a model that likes them all."""
    sizes = ("--side", SIDE, "--least-frames", FRAMES, "--most-frames", FRAMES, "--min-face", 20)
    with fake_endpoint(Reply()) as endpoint:
        scorer = ("--scorer", "openai", "--endpoint", endpoint.base, "--model", "judge")
        run = run_vfe(capsys, "curate", videos, "-o", "data/train", *sizes, *scorer)
    assert run.code == 0, run.err
    items: list[dict[str, Any]] = json.loads(Path("data/train/manifest.json").read_text())["items"]
    return items


def test_vividface_and_dvface_from_raw_videos_to_a_score(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    items = curated(capsys, write_videos(folder / "videos"))
    assert len(items) == CLIPS

    # VividFace: latents, pixels, and fine
    files = write_wan_files(folder / "models")
    latent = trained("vividface_latent", model=model_of(files, LORA, "vividface"))
    goes_on = {**LORA, "init": str(latent / "last.safetensors")}
    pixel = trained("vividface_pixel", model=model_of(files, goes_on, "vividface"))
    fine = trained(
        "vividface_fine", model=model_of(files, {**LORA, "init": str(pixel / "last.safetensors")}, "vividface")
    )

    # DVFace: both stages of the prior, then DiT, fusion and decoder
    codebook = trained("prior_codebook", model=recorded(TINY_PRIOR), discriminator={"width": 4, "stages": 1})
    predict = trained("prior_predict", init=str(codebook / "last.safetensors"))
    fusion = recorded(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers))
    prior = str(predict / "last.safetensors")
    dvface = trained("dvface", wan=model_of(files, LORA, "dvface"), prior=prior, fusion=fusion)

    # What users load
    for form in ("comfyui", "adapter", "vae"):
        run = run_vfe(capsys, "export", dvface, "-o", f"{form}.safetensors", "--as", form)
        assert run.code == 0, run.err
    clip = f"data/train/{items[0]['file']}"
    common = (
        "--model",
        files.dit,
        "--context",
        files.context,
        "--device",
        "cpu",
        "--dtype",
        "fp32",
        "--region",
        "frame",
    )
    for output, more in (
        ("vivid.mp4", ("--vae", files.vae, "--lora", fine / "last.safetensors")),
        ("dv.mp4", ("--vae", "vae.safetensors", "--lora", "comfyui.safetensors", "--adapter", "adapter.safetensors")),
    ):
        run = run_vfe(capsys, "enhance", clip, "-o", output, "--region", "frame", *common, *more)
        assert run.code == 0, run.err
        assert read_frames(Path(output)).shape == read_frames(Path(clip)).shape
