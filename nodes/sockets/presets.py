"""The input `preset`: options that suit a kind of footage, by the names that the command has for them.

A widget always has a value. One that is at its default counts as not given, so that the preset's value is taken; any
other was chosen, and comes before the preset, as options of the command line do.
"""

from __future__ import annotations

from dataclasses import fields

from comfy_api.latest import io

from ...vfe.batch.given import GivenOptions
from ...vfe.batch.presets import BUNDLED, preset_names, with_preset
from ...vfe.options import RestoreOptions
from .inputs import DEFAULTS

NO_PRESET = "none"
"""The entry of the list that stands for no preset, as where the command is given none."""


def preset_input() -> io.Combo.Input:
    """Return the input `preset`; it is optional, as earlier workflows have none."""
    return io.Combo.Input(
        "preset",
        options=[NO_PRESET, *_names()],
        default=NO_PRESET,
        optional=True,
        tooltip="Options that suit a kind of footage. They take the place of inputs that are at their defaults; what "
        "you have set to something else stays.",
    )


def _names() -> tuple[str, ...]:
    """Return the names of all presets, or of the package's where the user's folder cannot be looked into.

    A service may run as somebody without a home; its nodes must be there all the same.
    """
    try:
        return preset_names()
    except (OSError, RuntimeError):
        return tuple(preset.name for preset in BUNDLED)


def given_options(preset: str, chosen: RestoreOptions) -> GivenOptions:
    """Return what of the options counts as given: the preset, and what differs from the defaults."""
    names = (field.name for field in fields(GivenOptions) if field.name != "preset")
    changed = {name: getattr(chosen, name) for name in names if getattr(chosen, name) != getattr(DEFAULTS, name)}
    return GivenOptions(preset=None if preset == NO_PRESET else preset, **changed)


def with_chosen_preset(preset: str, chosen: RestoreOptions) -> RestoreOptions:
    """Return the options of the widgets with those of the preset below them. Raises VFEError for one that is none."""
    return with_preset(given_options(preset, chosen)).applied_to(chosen)


def preset_note(preset: str, chosen: RestoreOptions, options: RestoreOptions) -> str:
    """Return what a preset has set, as "preset webcam: region auto, crf 18"; empty without one."""
    if preset == NO_PRESET:
        return ""
    names = (field.name for field in fields(GivenOptions) if field.name != "preset")
    taken = [f"{name} {getattr(options, name)}" for name in names if getattr(options, name) != getattr(chosen, name)]
    return f"preset {preset}: {', '.join(taken) or 'nothing but what is set already'}"
