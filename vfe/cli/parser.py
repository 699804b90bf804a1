"""The arguments and options of the command line. Torch is not imported: help and usage errors answer at once."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

from .. import __version__
from ..batch.given import GivenOptions
from ..batch.presets import with_preset
from ..options import (
    ATTENTIONS,
    CODECS,
    CRFS,
    DEFAULT_CRFS,
    DEFAULT_DTYPE,
    DTYPES,
    REGIONS,
    REPORT_SUFFIXES,
    ModelOptions,
    RestoreOptions,
)
from ..types import VFEError
from .common_options import add_model_folders, add_output
from .conform_options import add_conform
from .curate_options import add_curate
from .folder_options import add_folders
from .job_options import add_assemble, add_job, add_long_clips, add_report, add_segment, add_segments
from .live_options import add_live
from .model_file_options import add_convert, add_embed_prompt, add_export, add_models
from .score_options import add_degrade, add_score
from .values import read_device, read_lora, read_memory, read_path, read_seconds, read_size, read_steps

EXAMPLES = """examples:
  vfe enhance clip.mp4                      # writes clip.restored.mp4
  vfe enhance clip.mp4 -o restored.mkv --codec ffv1 --size 512x512 --compare side_by_side.mp4
  vfe enhance 'frames/*.png' -o restored_frames --strength 0.7
  vfe enhance film.mp4 -o restored.mp4 --region face --faces largest
  ffmpeg -i clip.vob -f yuv4mpegpipe - | vfe enhance - -o - | ffmpeg -i - restored.webm
  vfe enhance clip.mp4 -o restored.mp4 --model vividface --comfyui ~/ComfyUI --memory 8GB
  vfe enhance tapes/ -o restored/ --jobs 2 --preset old-film
  vfe conform cut.otio -o cut.restored.otio --region face
  vfe live -o http -o virtual
  vfe plan film.mkv -o job; vfe segment job all; vfe assemble job
  vfe faces film.mp4 -o who.png --json faces.json
  vfe curate videos/ -o data/train --open
  vfe compare clip.mp4 restored.mp4 -o side_by_side.png
  vfe degrade clean.mp4 -o lq.mp4 --preset medium; vfe score restored.mp4 --reference clean.mp4 --input lq.mp4
  vfe info clip.mp4
  vfe models pull wan2.1-vae
"""
DEFAULTS = RestoreOptions()
"""The defaults of `vfe enhance`, from the one table that the nodes have too."""
PROGRESS_FORMS = ("text", "json", "percent")
"""The forms in which progress is written: the first for people, the others for programs, the last as melt does."""
COMMANDS = (
    "enhance|conform|live|plan|segment|assemble|job|presets|faces|curate|compare|score|degrade|info|models|convert|"
    "export|embed-prompt"
)


class WrongUsage(Exception):
    """Values of the command line that make no sense together: one line, after which the program exits with 2."""


class Parser(argparse.ArgumentParser):
    """Reports usage errors in one line, with the same prefix for every subcommand."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"vfe: error: {message} (see `{self.prog} --help`)\n")


def build_parser() -> Parser:
    """Return the parser of `vfe`; `command` in what it returns is one of COMMANDS."""
    parser = Parser(
        prog="vfe",
        description="Video face enhancement: restore faces in video, one step per frame.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vfe {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=COMMANDS, parser_class=Parser)
    _add_enhance(commands.add_parser("enhance", help="restore a video, an image, or a folder or glob of them"))
    _add_conform(commands.add_parser("conform", help="restore what a timeline uses, and point a copy of it there"))
    add_live(commands.add_parser("live", help="restore faces of a camera or a stream as it comes"), PROGRESS_FORMS[:2])
    _add_plan(commands.add_parser("plan", help="divide a long clip into segments that any process can restore"))
    add_segment(commands.add_parser("segment", help="restore segments of a job"))
    add_assemble(commands.add_parser("assemble", help="put the segments of a job together"))
    add_job(commands.add_parser("job", help="how far a job is"))
    commands.add_parser("presets", help="list the presets of `vfe enhance`, with their values")
    _add_faces(commands.add_parser("faces", help="who is in a video: a numbered contact sheet, and JSON"))
    add_curate(commands.add_parser("curate", help="make a training set of raw videos: clips of faces, scored"))
    _add_compare(commands.add_parser("compare", help="put two videos or images side by side"))
    add_score(commands.add_parser("score", help="how good a restored clip is, or a folder of them"))
    add_degrade(commands.add_parser("degrade", help="make the damaged twin of a clean clip, or of a folder of them"))
    info = commands.add_parser("info", help="versions, devices and models; or what a video or model file is")
    info.add_argument(
        "file", nargs="?", type=read_path, metavar="FILE", help="a video, an image or a .safetensors file"
    )
    add_models(commands.add_parser("models", help="list the model files that are found, or download some"))
    add_convert(commands.add_parser("convert", help="rewrite a Wan DiT, VividFace checkpoint or VAE as .safetensors"))
    add_export(commands.add_parser("export", help="rewrite what training made: as a LoRA, or merged into its base"))
    add_embed_prompt(commands.add_parser("embed-prompt", help="run a umT5-XXL text encoder once, keep its result"))
    return parser


def given_of(args: argparse.Namespace) -> GivenOptions:
    """Return the options of restoring a file that stand on the command line of `vfe enhance`."""
    return GivenOptions(**{field.name: getattr(args, field.name) for field in fields(GivenOptions)})


def options_of(args: argparse.Namespace) -> RestoreOptions:
    """Return the options of restoring that `vfe enhance` was given, over those of its preset.

    Raises ValueError where one makes no sense, of which VFEError is a kind: that for a preset that is none.
    """
    # A name that is none of a report is that of a folder of them, for many files.
    report = args.report if args.report is not None and args.report.suffix.lower() in REPORT_SUFFIXES else None
    files = RestoreOptions(compare=args.compare, report=report, overwrite=args.overwrite, tracks=args.tracks)
    return with_preset(given_of(args)).applied_to(files)


def model_options_of(args: argparse.Namespace) -> ModelOptions:
    """Return the options of the model that `vfe enhance` was given; ValueError where one makes no sense."""
    return ModelOptions(
        face_model=args.face_model,
        vae=args.vae,
        prompt_embedding=args.context,
        loras=tuple(args.lora),
        adapter=args.adapter,
        attention=args.attention,
        compile=args.compile,
        fold=not args.no_fold,
        fp8=args.fp8,
        memory=args.memory,
        folders=tuple(args.models),
        comfyui=args.comfyui,
        steps=args.steps,
    )


def all_options_of(args: argparse.Namespace) -> tuple[RestoreOptions, ModelOptions]:
    """Return the options of restoring and of the model.

    Raises WrongUsage where one makes no sense, and VFEError for a preset that is none.
    """
    try:
        return options_of(args), model_options_of(args)
    except VFEError:
        raise
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def check_report_name(report: Path | None) -> None:
    """Raise WrongUsage for the name of a report that says of neither kind of file that it is one."""
    try:
        RestoreOptions(report=report)
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe enhance`."""
    parser.add_argument("input", type=read_path, metavar="INPUT", help="video, image, folder, quoted glob or - (Y4M)")
    output = "video (.mp4 .mkv .mov), a folder for PNGs or many files, or - (Y4M); default: beside the input"
    add_output(parser, output, required=False)
    add_long_clips(parser.add_argument_group("clips of more than a minute, which are restored in segments"))
    add_folders(parser.add_argument_group("folders and globs of videos"))
    part = parser.add_argument_group("a part of a video, without its sound")
    part.add_argument(
        "--from", dest="start", type=read_seconds, metavar="TIME", help="from the first frame on: 83.5 or 1:23.5"
    )
    part.add_argument("--to", dest="end", type=read_seconds, metavar="TIME", help="frames from here on are left out")
    beside = parser.add_argument_group("beside the output")
    beside.add_argument("--compare", type=read_path, metavar="FILE", help="also write input and output side by side")
    add_report(beside)
    _add_progress(beside)
    _add_restoring(parser)


def _add_conform(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe conform`."""
    add_conform(parser)
    _add_progress(parser)
    _add_restoring(parser, one_clip=False)


def _add_progress(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    progress = "how progress is written to stderr: for people, a line of JSON every half second, or percentages"
    group.add_argument("--progress", choices=PROGRESS_FORMS, default=PROGRESS_FORMS[0], help=progress)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe plan`."""
    parser.add_argument("input", type=read_path, metavar="INPUT", help="video, folder of images or quoted glob")
    parser.add_argument("-o", "--output", type=read_path, required=True, metavar="JOB", help="a new folder for the job")
    parser.add_argument("--result", type=read_path, metavar="FILE", help="what to assemble (default: beside the input)")
    parser.set_defaults(compare=None, report=None, overwrite=False)
    add_segments(parser.add_argument_group("segments"))
    _add_restoring(parser)


def _add_restoring(parser: argparse.ArgumentParser, *, one_clip: bool = True) -> None:
    """Add the options that say how a clip is restored; without `one_clip`, those that are for many alike."""
    presets = "options that suit a kind of footage: old-film, webcam, tv, photo or your own; `vfe presets` lists them"
    parser.add_argument("--preset", metavar="NAME", help=presets)
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="lite", metavar="M", help="name or path; `vfe models` lists (default: lite)")
    strength = f"0 input to 1 fully restored (default: {DEFAULTS.strength:g})"
    model.add_argument("--strength", type=float, metavar="S", help=strength)
    model.add_argument("--window", type=int, metavar="N", help="frames restored together (default: what suits)")
    model.add_argument("--overlap", type=int, metavar="N", help="frames that windows share (default: what suits)")
    steps = f"steps of the last blocks, for models trained for several (default: {ModelOptions.steps})"
    model.add_argument("--steps", type=read_steps, default=ModelOptions.steps, metavar="N", help=steps)
    devices = "auto|cpu|cuda|mps|xpu"
    model.add_argument("--device", type=read_device, default="auto", metavar=devices, help="default: auto; also cuda:1")
    model.add_argument("--dtype", default=DEFAULT_DTYPE, choices=DTYPES, help=f"default: {DEFAULT_DTYPE}")
    _add_wan(parser.add_argument_group("Wan models (--model vividface)"))
    _add_region(parser.add_argument_group("faces"), one_clip)
    picture = parser.add_argument_group("picture and file")
    size = picture.add_mutually_exclusive_group()
    size.add_argument("--size", type=read_size, metavar="WxH", help="resize the input to this before restoring")
    size.add_argument("--scale", type=float, metavar="N", help="resize the input by this factor before restoring")
    crfs = ", ".join(f"{crf} for {codec}" for codec, crf in DEFAULT_CRFS.items())
    picture.add_argument(
        "--crf", type=int, metavar="N", help=f"{CRFS.least} best to {CRFS.most} worst (default: {crfs})"
    )
    picture.add_argument("--codec", choices=CODECS, help="default: by extension, H.264 for most")


def _add_region(group: argparse._ArgumentGroup, one_clip: bool) -> None:
    """Add the options that say what of a frame, and which faces, are restored."""
    group.add_argument("--region", choices=REGIONS, help=f"what to restore (default: {DEFAULTS.region})")
    group.add_argument(
        "--face-model", metavar="M", help="what restores faces: name, path or none (default: lite's own)"
    )
    which = f"all, largest, 2,5 or 'nearest X,Y'; see `vfe faces` (default: {DEFAULTS.faces})"
    group.add_argument("--faces", metavar="WHICH", help=which)
    if one_clip:
        tracks = "the faces, as `vfe faces --json` writes them, instead of finding them"
        group.add_argument("--tracks", type=read_path, metavar="FILE", help=tracks)
    least = f"leave faces alone that are smaller (default: {DEFAULTS.min_face})"
    group.add_argument("--min-face", type=int, metavar="PX", help=least)
    blend = f"0 input to 1 restored faces (default: {DEFAULTS.blend:g})"
    group.add_argument("--blend", type=float, metavar="B", help=blend)
    fidelity = f"faces: 0 sharpest to 1 most faithful (default: {DEFAULTS.fidelity:g})"
    group.add_argument("--fidelity", type=float, metavar="F", help=fidelity)


def _add_wan(group: argparse._ArgumentGroup) -> None:
    """Add the options of Wan models."""
    group.add_argument("--vae", type=read_path, metavar="FILE", help="Wan2.1 VAE (default: the one that is found)")
    group.add_argument("--context", type=read_path, metavar="FILE", help="prompt embedding (default: the one found)")
    group.add_argument(
        "--lora", type=read_lora, action="append", default=[], metavar="FILE[:S]", help="LoRA and strength"
    )
    group.add_argument("--adapter", type=read_path, metavar="FILE", help="DVFace's prior and fusion for this DiT")
    group.add_argument("--memory", type=read_memory, metavar="8GB", help="device memory to use (default: what is free)")
    group.add_argument(
        "--attention", default=ModelOptions.attention, choices=ATTENTIONS, help=f"default: {ModelOptions.attention}"
    )
    group.add_argument("--compile", action="store_true", help="torch.compile the DiT: slow to start, then faster")
    group.add_argument("--fp8", action="store_true", help="keep the DiT's weights in 8 bits")
    group.add_argument("--no-fold", action="store_true", help="do not fold timestep and prompt into the weights")
    add_model_folders(group)


def _add_faces(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe faces`."""
    parser.add_argument("input", type=read_path, metavar="VIDEO", help="video, image, folder of images or quoted glob")
    add_output(parser, "the contact sheet, an image; frames are counted from 0")
    parser.add_argument("--json", type=read_path, metavar="FILE", help="also write where each face is on each frame")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `vfe compare`."""
    parser.add_argument("a", type=read_path, metavar="A", help="left: video, image, folder of images or quoted glob")
    parser.add_argument("b", type=read_path, metavar="B", help="right: the same")
    add_output(parser, "video (.mp4 .mkv .mov) or .png")
