"""A result becomes a strip above the one that it was made of: a duplicate of it, which shows the result's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .jobs import VideoJob
from .results import Result
from .strips import (
    RESULT,
    StripError,
    free_channel,
    image_timing,
    inputs_of,
    strips_beside,
    strips_of,
    video_path,
    video_timing,
)
from .wishes import Place, Wish, images_shown


def place_result(context: bpy.types.Context, scene: bpy.types.Scene, wish: Wish, result: Result, place: Place) -> str:
    """Show a result above its strip; return what a person should know of that, or "".

    Raises StripError where the strip is not what it was, or where its result cannot be shown.
    """
    strips = strips_of(scene)
    strip = None if strips is None else strips.get(wish.name)
    if strip is None:
        raise StripError(f"{wish.name} is no longer there; its result is {result.path}")
    timing = video_timing(scene, strip) if strip.type == "MOVIE" else image_timing(strip)
    is_same = strip.type == "IMAGE" or (isinstance(wish.job, VideoJob) and str(video_path(strip)) == wish.job.clip.path)
    fits = timing.fits(result.frames) if strip.type == "MOVIE" else timing == wish.timing
    if not is_same or not fits:
        raise StripError(f"{wish.name} was changed while it was restored; restore it again")
    channel = free_channel(scene, strip, strip.channel)
    made = _duplicate(context, scene, strip)
    try:
        if strip.type == "MOVIE":
            _show_video(strip, made, result, timing.moved(result.frames))
        else:
            _show_images(made, result, images_shown(timing, len(strip.elements), place.handles).first)
        _settle(strip, made, channel)
    except StripError:
        strips.remove(made)
        raise
    _take_over(scene, strip, made)
    covered = [other.name for other in strips_beside(strips, strip) if _hides(made, strip, other)]
    return f"{made.name} lies above {', '.join(covered)}" if covered else ""


def _show_video(strip: bpy.types.Strip, made: bpy.types.Strip, result: Result, moved: float) -> None:
    made.use_proxy = False
    made.filepath = _short_path(result.path)
    made.animation_offset_start = 0
    if result.frames.stop is not None:
        made.animation_offset_end = 0
    made.colorspace_settings.name = strip.colorspace_settings.name
    if not abs(made.fps - strip.fps) < 1e-3 * strip.fps:
        raise StripError(
            f"{strip.name}: its frames do not come at one rate, {strip.fps:.3f} frames/s became {made.fps:.3f}; "
            f"give the clip a constant rate first. The result is {result.path}"
        )
    if moved:
        made.frame_start = strip.frame_start + moved
        made.frame_offset_start = strip.frame_offset_start - moved


def _show_images(made: bpy.types.Strip, result: Result, first: int) -> None:
    """Let images that were restored take the place of those of the strip; others show the nearest one."""
    images = sorted(path.name for path in result.path.glob("*.png"))
    if not images:
        raise StripError(f"{result.path}: no images there; delete the folder and restore again")
    made.directory = _short_path(result.path) + "/"
    for number, element in enumerate(made.elements):
        element.filename = images[min(max(0, number - first), len(images) - 1)]


def _settle(strip: bpy.types.Strip, made: bpy.types.Strip, channel: int) -> None:
    """Give the duplicate its channel and name, and see that it is shown when the strip is."""
    ends = (strip.frame_final_start, strip.frame_final_end)
    made.channel = channel
    made.frame_final_start, made.frame_final_end = ends
    made.channel = channel
    made.name = f"{strip.name} restored"
    made[RESULT] = strip.name
    if (made.frame_final_start, made.frame_final_end) != ends or made.channel != channel:
        raise StripError(f"{strip.name}: its result has no room on channel {channel}; move the strips above it")


def _take_over(scene: bpy.types.Scene, strip: bpy.types.Strip, made: bpy.types.Strip) -> None:
    """Let effects that take the strip, such as a cross, take the restored one instead."""
    for effect in strips_of(scene):
        for name in inputs_of(effect, strip):
            setattr(effect, name, made)
    _lift_effects(scene, made)


def _lift_effects(scene: bpy.types.Scene, taken: bpy.types.Strip) -> None:
    """Move the effects that take a strip above it, for a strip above its effect hides it; and those that take them."""
    for effect in strips_of(scene):
        if inputs_of(effect, taken) and effect.channel <= taken.channel:
            effect.channel = free_channel(scene, effect, taken.channel)
            _lift_effects(scene, effect)


def _hides(made: bpy.types.Strip, strip: bpy.types.Strip, other: bpy.types.Strip) -> bool:
    """Return whether a strip that lay above the original one lies below the restored one."""
    between = strip.channel < other.channel < made.channel
    return between and other.type != "SOUND" and RESULT not in other.keys() and not inputs_of(other, made)


def _short_path(path: Path) -> str:
    """Return a path as blend files have it: from where they are, if they are somewhere near."""
    try:
        near = bpy.data.filepath and path.is_relative_to(Path(bpy.data.filepath).parent)
        return bpy.path.relpath(str(path)) if near else str(path)
    except ValueError:  # another drive
        return str(path)


def _duplicate(context: bpy.types.Context, scene: bpy.types.Scene, strip: bpy.types.Strip) -> bpy.types.Strip:
    """Return a duplicate of a strip, with its modifiers, its speed and its animation; what is selected stays so."""
    strips, editor = strips_of(scene), scene.sequence_editor
    before = {other.name for other in strips}
    active, selected = editor.active_strip, [other for other in strips if other.select]
    try:
        for other in strips:
            other.select = other == strip
        editor.active_strip = strip
        with _in_sequencer(context, scene):
            bpy.ops.sequencer.duplicate()
        made = [other for other in strips if other.name not in before]
        for other in made:
            other.select = False
    finally:
        for other in selected:
            other.select = True
        editor.active_strip = active
    if len(made) != 1:
        raise StripError(f"{strip.name} could not be duplicated")
    return made[0]


@contextmanager
def _in_sequencer(context: bpy.types.Context, scene: bpy.types.Scene) -> Iterator[None]:
    """Let operators run as if somebody called them in a sequencer that shows the scene."""
    windows = list(context.window_manager.windows)
    if not windows:
        raise StripError("Blender has no window to work in; open a blend file with one")
    for window in windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type != "PREVIEW":
                with _shown(context, scene, window, area):
                    yield
                return
    window, area = windows[0], windows[0].screen.areas[0]
    kind, area.type = area.ui_type, "SEQUENCE_EDITOR"
    try:
        with _shown(context, scene, window, area):
            yield
    finally:
        area.ui_type = kind


@contextmanager
def _shown(
    context: bpy.types.Context, scene: bpy.types.Scene, window: bpy.types.Window, area: bpy.types.Area
) -> Iterator[None]:
    region = next(region for region in area.regions if region.type == "WINDOW")
    workspace = window.workspace
    before = getattr(workspace, "sequencer_scene", None)
    if hasattr(workspace, "sequencer_scene"):
        workspace.sequencer_scene = scene
    try:
        with context.temp_override(window=window, area=area, region=region, scene=scene):
            yield
    finally:
        if hasattr(workspace, "sequencer_scene"):
            workspace.sequencer_scene = before
