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
from tests.support.inline_pool import InlinePool
from tests.support.paths import CONFIGS
from tests.support.tiny_prior import TINY_PRIOR, tiny_fusion
from tests.support.wan_training import WanFiles, write_wan_files
from tests.support.weight_layouts import TINY_DIT
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
    monkeypatch.setattr(vfe.cli.curate, "TaskPool", InlinePool)  # a process of its own takes seconds to start
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
    settings = {**SMALL, "steps": 2, **changes}
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


def trained_vividface(files: WanFiles) -> Path:
    """The LoRA of latents, pixels, and pixels of curated clips."""
    init, folder = None, Path()
    for name in ("vividface_latent", "vividface_pixel", "vividface_fine"):
        folder = trained(name, model=model_of(files, {**LORA, "init": init}, "vividface"))
        init = str(folder / "last.safetensors")
    return folder / "last.safetensors"


def trained_dvface(files: WanFiles) -> Path:
    """The folder of a run of DVFace, with a prior by its two stages."""
    codebook = trained("prior_codebook", model=recorded(TINY_PRIOR), discriminator={"width": 4, "stages": 1})
    predict = trained("prior_predict", init=str(codebook / "last.safetensors"))
    fusion = recorded(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers))
    prior = str(predict / "last.safetensors")
    return trained("dvface", wan=model_of(files, LORA, "dvface"), prior=prior, fusion=fusion)


def scored(capsys: pytest.CaptureFixture[str], result: str, clean: str) -> dict[str, Any]:
    """The means of `vfe score`, of the result and of the clip that it was made from."""
    run = run_vfe(capsys, "score", result, "--reference", clean, "--input", "lq.mp4", "--json", f"{result}.json")
    assert run.code == 0, run.err
    means: dict[str, Any] = json.loads(Path(f"{result}.json").read_text())["mean"]
    return means


def test_vividface_and_dvface_from_raw_videos_to_a_score(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    items = curated(capsys, write_videos(folder / "videos"))
    assert len(items) == CLIPS
    files = write_wan_files(folder / "models")
    lora, dvface = trained_vividface(files), trained_dvface(files)
    for form in ("comfyui", "adapter", "vae"):
        run = run_vfe(capsys, "export", dvface, "-o", f"{form}.safetensors", "--as", form)
        assert run.code == 0, run.err
    clean = f"data/train/{items[0]['file']}"
    run = run_vfe(capsys, "degrade", clean, "-o", "lq.mp4", "--preset", "mild", "--seed", 0)
    assert run.code == 0, run.err
    vivid = ("--vae", files.vae, "--lora", lora)
    dual = ("--vae", "vae.safetensors", "--lora", "comfyui.safetensors", "--adapter", "adapter.safetensors")
    for output, own in (("vivid.mp4", vivid), ("dual.mp4", dual)):
        model = ("--model", files.dit, "--context", files.context, "--device", "cpu", "--dtype", "fp32", *own)
        run = run_vfe(capsys, "enhance", "lq.mp4", "-o", output, "--region", "frame", *model)
        assert run.code == 0, run.err
        means = scored(capsys, output, clean)
        assert means["result"]["psnr"]["value"] < means["input"]["psnr"]["value"]  # the weights are random
