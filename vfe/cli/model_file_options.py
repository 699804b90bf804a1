"""The options of the commands that find, download and rewrite model files. Torch is not imported."""

from __future__ import annotations

import argparse

from .common_options import add_model_folders, add_output
from .values import read_lora, read_path


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vfe models`, and its action `pull`."""
    add_model_folders(parser)
    actions = parser.add_subparsers(dest="action", metavar="pull", parser_class=type(parser))
    pull = actions.add_parser("pull", help="download model files by name; without a name, list the names")
    pull.add_argument("names", nargs="*", metavar="NAME", help="which; several are downloaded one after another")
    pull.add_argument("--to", type=read_path, metavar="DIR", help="folder to put them into (default: the user's cache)")
    add_model_folders(pull, inherit=True)


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe convert`."""
    parser.add_argument(
        "input", type=read_path, metavar="INPUT", help="weights: a file, an index of shards or a folder"
    )
    add_output(parser, "a .safetensors file")
    parser.add_argument("--dtype", choices=("fp16", "bf16", "fp32"), help="default: that of the input, fp8 as bf16")
    parser.add_argument("--lora", type=read_lora, action="append", default=[], metavar="FILE[:S]", help="merge a LoRA")
    parser.add_argument("--rule", choices=("vividface", "dvface"), help="note that it restores, and by which equation")
    parser.add_argument("--timestep", type=float, metavar="T", help="t* of 1000 that it was trained at (default: 400)")


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe export`."""
    parser.add_argument("trained", type=read_path, metavar="TRAINED", help="the folder of a run, or a file it exported")
    add_output(parser, "a .safetensors file; a folder for peft")
    forms = ("comfyui", "peft", "merged", "adapter", "vae")
    parser.add_argument("--as", dest="form", choices=forms, default="comfyui", help="default: comfyui, a LoRA")
    parser.add_argument(
        "--base", type=read_path, metavar="FILE", help="the DiT that a LoRA was trained on, to merge into"
    )
    parser.add_argument("--dtype", choices=("fp16", "bf16", "fp32"), help="default: that of the files")


def add_embed_prompt(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe embed-prompt`."""
    parser.add_argument("encoder", type=read_path, metavar="TEXT_ENCODER", help="umT5-XXL: a file or a folder")
    add_output(parser, "a .safetensors file of a few KB")
    parser.add_argument("--prompt", default="", help="default: the empty prompt, with which restorers are trained")
    parser.add_argument(
        "--tokenizer", type=read_path, metavar="FILE", help="tokenizer.json or spiece.model; not for ''"
    )
