"""Every YAML file is a run that loads and takes two steps at a small size; accelerate reads its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env

from tests.support.clips import Clip, write_clip
from tests.support.distill_run import write_flow_model
from tests.support.face_set import write_face_set
from tests.support.paths import CONFIGS
from tests.support.tiny_prior import SMALL_PRIOR, TINY_PRIOR, tiny_fusion
from tests.support.training_set import write_training_set
from tests.support.wan_training import LORA, write_wan_files
from tests.support.weight_layouts import TINY_DIT
from training.distill.restorer import RestorerConfig
from training.run.config import RunConfig
from training.stages.distill import DistillConfig
from training.train import load_config, start
from vfe.config import from_mapping
from vfe.models.dit import model as dit
from vfe.models.lite import LiteConfig, LiteModel
from vfe.models.prior import DualCodebookPrior, PriorConfig
from vfe.weights.adapter import write_adapter
from vfe.weights.lite import load_lite_model, save_lite_model

pytestmark = pytest.mark.slow

SMALL_DIT = {
    "in_channels": 768, "dim": 32, "heads": 2, "layers": 1, "ffn_dim": 32, "freq_dim": 16, "text_dim": 8,
    "patch": [1, 1, 1], "window": [1, 4, 4], "local_kernel": 3,
}  # fmt: skip
SMALL_FUSION = {"dim": 32, "layers": 1, "prior_dim": 8, "width": 8, "heads": 2, "hidden": 16, "window": [2, 2]}


def small(whole: RunConfig, folder: Path) -> dict[str, Any]:
    """What makes a YAML file small enough for a test: a new stage adds a case."""
    clips = {"root": str(write_training_set(folder / "data")), "frames": 5, "side": 32, "batch": 2, "segment": 6}
    match whole.stage:
        case "lite":
            fused = getattr(whole, "prior", None) is not None
            model = {"data": clips, "model.dit": SMALL_DIT, "init": None}
            return {**model, "prior": write_prior(folder), "fusion": SMALL_FUSION} if fused else model
        case "prior_codebook":
            return {"data": clips, "model": SMALL_PRIOR, "discriminator": {"width": 4, "stages": 1}}
        case "prior_predict":
            return {"data": clips, "init": write_prior(folder)}
        case "dvface":
            return {"data": clips, **(small_lite(folder) if getattr(whole, "lite", None) else small_wan(folder))}
        case "vividface_latent" | "vividface_pixel":
            return {"data": clips, "model": write_wan_files(folder / "wan").config(), "fixed": None}
        case "score":
            return {"data": clips, "lite": small_lite(folder)["lite"]}
        case "distill":
            assert isinstance(whole, DistillConfig)
            size = small_distillation(folder, whole.student)
            teacher = {**taught_by(whole, size), "kind": whole.teacher.kind}
            taught: dict[str, Any] = {"data": clips, "student": size, "teacher": teacher}
            taught |= {"real.root": write_footage(folder / "real")} if whole.real else {}
            return taught | small_method(whole)
        case "face_net":
            album = {"root": str(write_face_set(folder / "faces")), "clip_stride": 1, "scene_stride": 1, "empty": []}
            return {"album": album, "batch": {"frames": 2, "crops": 1}, "recalibrate": 1}
        case _:
            raise NotImplementedError(f"no small size is known for stage {whole.stage!r}: add it here")


def write_prior(folder: Path, config: PriorConfig | None = None) -> str:
    path = folder / "prior.safetensors"
    write_adapter(path, DualCodebookPrior(config or from_mapping(PriorConfig, SMALL_PRIOR)), {})
    return str(path)


def small_lite(folder: Path) -> dict[str, Any]:
    path = folder / "lite.safetensors"
    save_lite_model(path, LiteModel(from_mapping(LiteConfig, {"dit": SMALL_DIT})), {})
    return {"lite": str(path), "prior": write_prior(folder), "fusion": SMALL_FUSION}


def small_distillation(folder: Path, student: RestorerConfig) -> dict[str, Any]:
    """The files of a student or teacher, with a LoRA on a Wan DiT where the student has one."""
    if student.wan is not None:
        return {"wan": write_wan_files(folder / "wan").config(LORA if student.wan.lora else None)}
    path = folder / "student.safetensors"
    save_lite_model(path, LiteModel(from_mapping(LiteConfig, {"dit": {**SMALL_DIT, "layers": 2}})), {})
    return {"lite": str(path)}


def small_method(whole: DistillConfig) -> dict[str, Any]:
    """What of a method does not fit so small a model."""
    if whole.method.decoder is not None:
        return {"method.decoder.dim": 4}
    if whole.method.head_steps is not None:
        return {"method.head_steps.blocks": 1}
    if whole.method.prune is not None:
        return {"method.prune.intervals": [[0, 1]], "method.prune.ffn_dim": 16}
    return {}


def write_footage(folder: Path) -> str:
    folder.mkdir()
    write_clip(folder / "clip.mp4", Clip(frames=6))
    return str(folder)


def taught_by(whole: DistillConfig, files: dict[str, Any]) -> dict[str, Any]:
    """The files of a teacher: for a flow model, those of the student as one."""
    if whole.teacher.kind == "ground_truth":
        return {}
    if whole.teacher.kind == "restorer":
        return files
    if whole.teacher.wan is not None:
        return {"wan": {**files["wan"], "lora": None}}
    path = Path(files["lite"]).with_name("flow.safetensors")
    write_flow_model(path, load_lite_model(Path(files["lite"]), torch.device("cpu"), torch.float32))
    return {"lite": str(path)}


def small_wan(folder: Path) -> dict[str, Any]:
    wan = {**write_wan_files(folder / "wan").config(), "flow": {"rule": "dvface", "timestep": 400.0}}
    fusion = vars(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers))
    return {"wan": wan, "prior": write_prior(folder, TINY_PRIOR), "fusion": fusion}


def shipped() -> list[Path]:
    return sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_config_takes_two_steps(tmp_path: Path, path: Path) -> None:
    common = {"steps": 2, "minutes": None, "output": str(tmp_path / "run"), "workers": 0, "precision": "no"}
    overrides = {
        **common,
        "compile": False,
        "accumulate": 1,
        "eval.root": None,
        **small(load_config(path), tmp_path),
    }
    run = start(load_config(path, overrides))
    run.train()
    assert run.progress.step == 2
    assert run.progress.skipped == 0
    assert (run.output / "last.safetensors").exists()


def launched(name: str) -> Any:  # noqa: ANN401 - argparse's namespace
    file = str(CONFIGS / "accelerate" / f"{name}.yaml")
    arguments = ["--config_file", file, "--num_processes", "2", "-m", "training.train", "run.yaml"]
    parsed, _, _ = _validate_launch_command(launch_command_parser().parse_args(arguments))
    assert parsed.module
    assert parsed.num_processes == 2
    return parsed


def test_accelerates_files_are_what_accelerate_reads() -> None:
    files = {path.stem: load_config_from_file(str(path)) for path in (CONFIGS / "accelerate").glob("*.yaml")}
    assert {name: config.distributed_type for name, config in files.items()} == {
        "multi_gpu": DistributedType.MULTI_GPU,
        "fsdp": DistributedType.FSDP,
        "deepspeed_zero2": DistributedType.DEEPSPEED,
    }
    assert files["deepspeed_zero2"].deepspeed_config["zero_stage"] == 2


def test_fsdp_shards_the_blocks_of_the_dit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `accelerate launch` hands the file's settings to a process: through its environment."""
    environment = prepare_multi_gpu_env(launched("fsdp"))
    assert environment["ACCELERATE_USE_FSDP"] == "true"
    for name in (name for name in environment if name.startswith("FSDP_")):
        monkeypatch.setenv(name, environment[name])
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.transformer_cls_names_to_wrap == [dit.Block.__name__]
