"""The nodes have the defaults and the ranges of the command."""

from __future__ import annotations

from dataclasses import fields

import pytest
from comfy_api.latest import io

from tests.support.comfy_pack import NODES, Loose
from vfe.cli.parser import build_parser, options_of
from vfe.options import CRFS, LoraFile, RestoreOptions
from vfe.pipeline.chosen_window import choose_window

ARGUMENTS = build_parser().parse_args(["enhance", "clip.mp4", "-o", "restored.mp4"])
COMMAND = vars(ARGUMENTS) | {name: value for name, value in vars(options_of(ARGUMENTS)).items() if value is not None}
"""What the command comes to for each option where none is given."""
INPUTS = {
    (node.removeprefix("VFE_"), given.id): given
    for node, kind in NODES.items()
    for given in kind.define_schema().inputs
    if getattr(given, "default", None) is not None
}
BOTH = sorted(key for key in INPUTS if key[1] in COMMAND and key[1] != "output")
"""A place to write to has no default that both could share."""
NOT_GIVEN = {
    "window": 0,
    "overlap": 0,
    "crf": -1,
    "vae": "auto",
    "context": "auto",
    "adapter": "none",
    "scale": "x1",
    "size": "",
    "preset": "none",
}
"""What stands in the nodes for an option of the command that is not given."""
NUMBERS = [key for key in BOTH if key[1] in {field.name for field in fields(RestoreOptions)} and key[1] != "crf"]
NUMBERS = [key for key in NUMBERS if type(INPUTS[key].default) in (int, float)]


def test_the_two_have_much_in_common() -> None:
    """Else the tests below would be about nothing."""
    assert {name for _, name in BOTH} >= {
        *("model", "dtype", "attention", "vae", "context", "adapter", "strength", "window", "overlap"),
        *("region", "faces", "min_face", "blend", "fidelity", "crf"),
    }
    assert len(NUMBERS) >= 5


@pytest.mark.parametrize(("node", "name"), BOTH)
def test_a_default_is_that_of_the_command(node: str, name: str) -> None:
    default = INPUTS[node, name].default
    if COMMAND[name] is None:
        assert default == NOT_GIVEN[name]
    elif name == "model":
        assert default == f"{COMMAND[name]} (bundled)"
    else:
        assert default == COMMAND[name]


@pytest.mark.parametrize(("node", "name"), NUMBERS)
def test_the_ends_of_a_range_are_those_of_the_options(node: str, name: str) -> None:
    given: Loose = INPUTS[node, name]
    for end, beyond in ((given.min, -1), (given.max, 1)):
        RestoreOptions(**{name: end})
        with pytest.raises(ValueError, match=name):
            RestoreOptions(**{name: end + beyond})


def test_the_quality_has_one_number_below_its_range() -> None:
    crf = INPUTS["EnhanceFaceVideo", "crf"]
    assert (crf.min + 1, crf.max) == (CRFS.least, CRFS.most)


def test_the_strengths_of_loras_have_the_range_of_the_command() -> None:
    strength = INPUTS["LoadWanRestorer", "strength_1"]
    assert strength.default == LoraFile(ARGUMENTS.input).strength
    for end, beyond in ((strength.min, -1), (strength.max, 1)):
        LoraFile(ARGUMENTS.input, end)
        with pytest.raises(ValueError, match="LoRA strength"):
            LoraFile(ARGUMENTS.input, end + beyond)


def test_windows_have_the_range_of_the_command() -> None:
    for node, name in (key for key in BOTH if key[1] == "window"):
        most = INPUTS[node, name].max
        assert choose_window(most, None).config is not None
        with pytest.raises(ValueError, match="window is"):
            choose_window(most + 1, None)


SEARCHED = (
    "restore", "restoration", "face restore", "codeformer", "gfpgan", "vividface", "dvface", "deblur", "denoise",
    "upscale", "old film", "face detect", "compare",
)  # fmt: skip


@pytest.mark.skipif(
    "search_aliases" not in {field.name for field in fields(io.Schema)}, reason="this ComfyUI searches no such words"
)
@pytest.mark.parametrize("words", SEARCHED)
def test_the_search_finds_a_node_by_what_people_type(words: str) -> None:
    assert [name for name, kind in NODES.items() if words in kind.define_schema().search_aliases]
