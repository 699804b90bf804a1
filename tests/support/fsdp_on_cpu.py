"""FSDP2 in CPU processes: `torchrun ... -m tests.support.fsdp_on_cpu CONFIG STEPS`, resumed where it can be.

Accelerate gives FSDP to accelerators alone, though torch's own works with gloo. So its state is told here what the
launcher's environment would tell it on GPUs; the rest is the loop as it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import FullyShardedDataParallelPlugin

from training.train import load_config, start


def main(config: str, steps: int) -> None:
    torch.set_num_threads(1)
    os.environ["FSDP_VERSION"] = "2"
    create = AcceleratorState.__init__

    def told(self: AcceleratorState, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401
        create(self, *arguments, **settings)
        self.fsdp_plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2,
            auto_wrap_policy="transformer_based_wrap",
            transformer_cls_names_to_wrap=["Block"],
            state_dict_type="SHARDED_STATE_DICT",
            cpu_ram_efficient_loading=False,
        )
        self.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = told
    run = start(load_config(Path(config)), resume=True)
    run.train(steps)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
