"""Values of the command line that several commands read."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..options import LoraFile, parse_size


def read_path(text: str) -> Path:
    """Read the name of a file or folder, which may not be empty."""
    if not text:  # Path("") is the current folder, which nobody means who passes an unset variable
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)


def read_count(text: str) -> int:
    """Read a number of 1 or more."""
    if not re.fullmatch(r"0*[1-9]\d{0,3}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes, needed is 1 or more")
    return int(text)


def read_steps(text: str) -> int:
    """Read a number of steps, 1 or more."""
    if not re.fullmatch(r"0*[1-9]\d{0,2}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps, needed is 1 or more")
    return int(text)


def read_lora(text: str) -> LoraFile:
    """Read FILE or FILE:STRENGTH; a file whose name has a colon, as all on Windows' drives, is taken as it is."""
    file, colon, strength = text.rpartition(":")
    if not colon or Path(text).exists() or not re.fullmatch(r"[-+]?\d*\.?\d+", strength):
        return LoraFile(read_path(text))
    try:
        return LoraFile(read_path(file), float(strength))
    except ValueError as error:  # of which argparse would not say the text
        raise argparse.ArgumentTypeError(str(error)) from error


def read_memory(text: str) -> int:
    """Read an amount of memory as bytes; as on graphics cards, a GB is 1024^3."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MG])i?B?", text.strip(), re.IGNORECASE)
    if not match or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of memory, needed is one such as 8GB or 900MB")
    return int(float(match[1]) * (1024**3 if match[2] in "gG" else 1024**2))


def read_seconds(text: str) -> float:
    """Read a time as seconds: 83.5, 1:23.5 or 0:01:23.5."""
    if not re.fullmatch(r"(\d{1,4}:)?(\d{1,4}:)?\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no time, needed are seconds or a clock such as 1:23.5")
    seconds = 0.0
    for number in text.split(":"):
        seconds = 60 * seconds + float(number)
    return seconds


def read_device(text: str) -> str:
    """Read the name of a kind of device, with a number or without."""
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"unknown device {text!r}, needed is auto, cpu, cuda, mps or xpu")
    return text


def read_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT in pixels."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
