"""How a run is spread over processes: accelerate as the launcher's environment says, with this project's precision.

Under DDP, FSDP and DeepSpeed alike weights stay in float32 and the modules compute in autocast.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import GradientAccumulationPlugin, InitProcessGroupKwargs, broadcast
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vfe.device import choose_device, dtypes_for

from .config import RunConfig
from .stage import TrainableModule

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)
"""The kinds of training in which no process has all weights and optimizer states."""
EVALUATION_LIMIT = timedelta(hours=2)  # the other processes wait while the main one evaluates and writes files


PRECISIONS: dict[torch.dtype, Literal["no", "bf16", "fp16"]] = {
    torch.float32: "no",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
}


def fastest_precision() -> Literal["no", "bf16", "fp16"]:
    """What `auto` is on the device that accelerate takes: on a CPU without bf16, bf16 is many times slower."""
    forced = os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true"
    device = torch.device("cpu") if forced or _several_on_cpu() else choose_device()
    return PRECISIONS[dtypes_for(device)[0]]


def _several_on_cpu() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()


def launched_with_fsdp() -> bool:
    """Whether the launcher asked for FSDP, which takes the tensors of each block apart."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def make_accelerator(config: RunConfig) -> Accelerator:
    """Accelerate for this process. Raises ValueError for a precision that sharded training does not have here.

    DeepSpeed is told `no` precision and FSDP gets no casting policy: both would turn codecs and losses into bf16 too,
    so `prepare` wraps the modules in autocast instead.
    """
    deepspeed = os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"
    accelerator = Accelerator(
        cpu=_several_on_cpu(),  # or each CPU process would take itself for the only one
        mixed_precision="no" if deepspeed else config.precision,
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=config.accumulate),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=EVALUATION_LIMIT)],
    )
    if accelerator.distributed_type in SHARDED and config.precision == "fp16":
        raise ValueError("precision is fp16, whose loss scaling FSDP and DeepSpeed do not share: use bf16 or no")
    if accelerator.distributed_type == DistributedType.FSDP:
        if not accelerator.is_fsdp2:
            raise ValueError("fsdp_version is 1, needed 2, as in training/configs/accelerate/fsdp.yaml")
        accelerator.state.fsdp_plugin.mixed_precision_policy = None
    return accelerator


def build_optimizer(module: TrainableModule, config: RunConfig) -> torch.optim.AdamW:
    """AdamW over the trained weights, each at the module's rate; only matrices and kernels have weight decay.

    Raises ValueError where the module has no weights to train.
    """
    kinds: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decay = config.optim.weight_decay if parameter.ndim >= 2 and parameter.shape[0] > 1 else 0.0
            kinds.setdefault((decay, module.rate_of(name)), []).append(parameter)
    if not kinds:
        raise ValueError(f"{type(module).__name__} has no weights to train")
    groups = [
        {"params": parameters, "weight_decay": decay, "lr_scale": scale} for (decay, scale), parameters in kinds.items()
    ]
    optim = config.optim
    return torch.optim.AdamW(groups, lr=optim.lr, betas=optim.betas, eps=optim.eps, fused=True)


def prepare(accelerator: Accelerator, module: TrainableModule, config: RunConfig, clips: int) -> tuple[nn.Module, Any]:
    """The first module and its optimizer as accelerate wraps them; `clips` is how many one process takes at a time."""
    if accelerator.distributed_type in SHARDED and config.precision == "bf16":
        autocast = torch.autocast(accelerator.device.type, torch.bfloat16)
        module.forward = autocast(module.forward)  # type: ignore[method-assign]
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = clips
        settings["gradient_accumulation_steps"] = config.accumulate
        settings["gradient_clipping"] = config.optim.max_grad_norm
    model, optimizer = accelerator.prepare(module, build_optimizer(module, config))
    if accelerator.distributed_type == DistributedType.FSDP:
        from torch.distributed.fsdp import register_fsdp_forward_method

        register_fsdp_forward_method(model, "lend")
    return model, optimizer


def prepare_beside(
    accelerator: Accelerator, module: TrainableModule, config: RunConfig, clips: int
) -> tuple[nn.Module, Any]:
    """A module after the first, such as a critic or a fake score's LoRA, and its optimizer.

    Beside a first one that FSDP shares out they are whole in each process, as under DDP: they are small, and the first
    one asks them in its own turn, when FSDP would not gather them. Raises ValueError for DeepSpeed.
    """
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise ValueError(
            f"{type(module).__name__} is trained beside another module, and DeepSpeed takes one alone; launch with "
            "multi_gpu.yaml or fsdp.yaml"
        )
    if accelerator.distributed_type != DistributedType.FSDP:
        return prepare(accelerator, module, config, clips)
    if config.precision == "bf16":
        autocast = torch.autocast(accelerator.device.type, torch.bfloat16)
        module.forward = autocast(module.forward)  # type: ignore[method-assign]
    devices = [accelerator.device] if accelerator.device.type == "cuda" else None
    whole = DistributedDataParallel(module.to(accelerator.device), device_ids=devices)
    return whole, build_optimizer(module, config)


@contextmanager
def lent(model: nn.Module) -> Iterator[None]:
    """Context in which other modules may compute with a module's weights, where FSDP shares them out.

    Its blocks gather their own when they run; what is in none is gathered meanwhile.
    """
    sharded: Any = model
    if not hasattr(sharded, "unshard"):
        yield
        return
    sharded.lend()  # FSDP takes what runs first for the root of all: let that not be a block
    sharded.unshard()
    try:
        yield
    finally:
        sharded.reshard()


def agree(accelerator: Accelerator, value: float) -> float:
    """The main process's `value` in all processes, so that they end at the same step."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor(value, dtype=torch.float64, device=accelerator.device)))
