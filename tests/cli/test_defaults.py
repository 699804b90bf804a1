"""`vfe enhance` without options does what the options say without arguments."""

from __future__ import annotations

from dataclasses import fields

import pytest

from vfe.cli.parser import build_parser, model_options_of, options_of
from vfe.options import ModelOptions, RestoreOptions

NAMES = {"prompt_embedding": "--context", "loras": "--lora", "fold": "--no-fold", "folders": "--models"}
"""The options that are called otherwise than what they set."""
VALUES = {
    **{"--size": "64x48", "--codec": "ffv1", "--region": "face", "--faces": "largest", "--attention": "flash"},
    **{"--memory": "8GB", "--overwrite": None, "--compile": None, "--fp8": None, "--no-fold": None},
    **{
        "--scale": "2",
        "--min-face": "9",
        "--strength": "0.3",
        "--blend": "0.3",
        "--fidelity": "0.3",
        "--crf": "9",
        "--steps": "2",
    },
    "--report": "report.json",
}
"""A value for each option that does not take the name of a file; None for those that take none."""


def chosen(*more: str) -> tuple[RestoreOptions, ModelOptions]:
    args = build_parser().parse_args(["enhance", "clip.mp4", "-o", "restored.mp4", *more])
    return options_of(args), model_options_of(args)


def test_nothing_given_is_the_defaults() -> None:
    assert chosen() == (RestoreOptions(), ModelOptions())


@pytest.mark.parametrize("name", [field.name for kind in (RestoreOptions, ModelOptions) for field in fields(kind)])
def test_each_field_has_an_option_that_sets_it(name: str) -> None:
    option = NAMES.get(name, f"--{name.replace('_', '-')}")
    value = VALUES.get(option, "file")
    given, model = chosen(option) if value is None else chosen(option, value)
    changed = {name for name in vars(given) if vars(given)[name] != vars(RestoreOptions())[name]}
    changed |= {name for name in vars(model) if vars(model)[name] != vars(ModelOptions())[name]}
    assert changed == {name}
