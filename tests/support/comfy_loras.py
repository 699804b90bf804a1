"""LoRAs merged by ComfyUI's own code, in a process of its own."""

from __future__ import annotations

# Loads each LoRA with ComfyUI's own reader and merges it with its own arithmetic.
MERGE_IN_COMFYUI = """
import importlib.util, sys, types
from unittest.mock import MagicMock
if importlib.util.find_spec("torchvision") is None:  # imported by models that have no part in this
    class Stub(MagicMock):
        __path__ = []
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[name] = Stub()
folder, argv = sys.argv[1], sys.argv[2:]
sys.argv = ["comfy", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import comfy.lora, comfy.lora_convert
from safetensors.torch import load_file, save_file
state = {"diffusion_model." + name: value for name, value in load_file(folder + "/base.safetensors").items()}
model = types.SimpleNamespace(state_dict=lambda: state, model_config=types.SimpleNamespace(unet_config={}))
for form in argv:
    lora = comfy.lora_convert.convert_lora(load_file(f"{folder}/{form}.safetensors"))
    patches = comfy.lora.load_lora(lora, comfy.lora.model_lora_keys_unet(model, {}))
    merged = {
        name.removeprefix("diffusion_model."): comfy.lora.calculate_weight(
            [(0.7, patches[name], 1.0, None, None)] if name in patches else [], value.clone(), name
        )
        for name, value in state.items()
    }
    save_file(merged, f"{folder}/{form} merged.safetensors")
"""
