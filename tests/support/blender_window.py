"""Runs inside of Blender with a window: strips are restored while people could go on working; takes pictures of that.

`xvfb-run -a blender --factory-startup --app-template Video_Editing --window-geometry 0 0 1280 720 -P blender_window.py
-- ORDER.json`. The order names the zip (`package`), vfe or its Python (`program`), a clip and a folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

ORDER = json.loads(Path(sys.argv[-1]).read_text())
FOLDER = Path(ORDER["folder"])
TOLD: dict[str, Any] = {"texts": []}
SECONDS = 300


def sequencer(view: str = "SEQUENCER") -> dict[str, Any]:
    """The context of the sequencer that shows strips, or that of the preview."""
    window = bpy.context.window_manager.windows[0]
    areas = [area for area in window.screen.areas if area.type == "SEQUENCE_EDITOR"]
    area = next(area for area in areas if area.spaces.active.view_type == view)
    kind = "WINDOW" if view == "SEQUENCER" else "PREVIEW"
    region = next(region for region in area.regions if region.type == kind)
    return {"window": window, "area": area, "region": region}


def strips() -> Any:  # noqa: ANN401 - Blender has no types
    editor = bpy.context.scene.sequence_editor or bpy.context.scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def show_panel() -> None:
    """Open the sidebar with our panel alone, for a script of Blender 3.4 cannot choose its tab.

    The file browser goes, which shows the folders of this machine.
    """
    for area in sequencer()["window"].screen.areas:
        if area.type == "FILE_BROWSER":
            area.type = "TEXT_EDITOR"
    sequencer()["window"].cursor_warp(600, 250)  # where nothing tells what is below the mouse
    sequencer()["area"].spaces.active.show_region_ui = True
    for name in dir(bpy.types):
        kind = getattr(bpy.types, name)
        is_panel = isinstance(kind, type) and issubclass(kind, bpy.types.Panel) and hasattr(kind, "bl_space_type")
        if is_panel and (kind.bl_space_type, kind.bl_region_type) == ("SEQUENCE_EDITOR", "UI") and "VFE" not in name:
            bpy.utils.unregister_class(kind)


def add_strips() -> None:
    for number, (start, hidden) in enumerate(((1, 5), (31, 10))):
        strip = strips().new_movie(
            name=f"Astronaut {number + 1}", filepath=bpy.path.relpath(ORDER["clip"]), channel=1, frame_start=start
        )
        strip.frame_offset_start = hidden
        strip.frame_final_duration = 25
        strip.select = True
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 75
    scene.render.resolution_x = scene.render.resolution_y = 384
    scene.frame_set(20)
    scene.vfe_restore.handles = 4


def view_all() -> None:
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.sequencer.view_all()
    with bpy.context.temp_override(**sequencer("PREVIEW")):
        bpy.ops.sequencer.view_all_preview()


def picture(name: str) -> None:
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.screen.screenshot(filepath=str(FOLDER / name))


def restore() -> None:
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.vfe.restore_faces("INVOKE_DEFAULT")


def waits(seconds: float) -> Iterator[float]:
    """Let Blender draw."""
    for _ in range(int(seconds / 0.1)):
        yield 0.1


def runs() -> Iterator[float]:
    """Wait while the add-on runs; note what the panel says."""
    until = time.monotonic() + SECONDS
    while not bpy.ops.vfe.restore_faces.poll() and time.monotonic() < until:
        for kind in bpy.types.Operator.__subclasses__():
            if kind.__name__ == "VFE_OT_restore" and kind.queue is not None:
                TOLD["texts"].append(kind.queue.text)
        yield 0.1


def play() -> Iterator[float]:
    """What somebody does, step by step; each number is a pause in seconds."""
    bpy.ops.preferences.addon_install(filepath=ORDER["package"], overwrite=True)
    bpy.ops.preferences.addon_enable(module="vfe_restore")
    bpy.context.preferences.addons["vfe_restore"].preferences.program = ORDER["program"]
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "film.blend"))
    add_strips()
    show_panel()
    view_all()
    bpy.ops.ed.undo_push(message="strips")
    yield from waits(1)
    restore()
    yield from waits(0.5)
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.vfe.cancel()
    yield from waits(1)
    TOLD["after cancel"] = [strip.name for strip in strips()]
    TOLD["left by cancel"] = sorted(path.name for path in (FOLDER / "vfe_restored").iterdir())
    picture("before.png")
    restore()
    TOLD["poll while it runs"] = bpy.ops.vfe.restore_faces.poll()
    seen = 0
    for pause in runs():
        if "restoring" in (TOLD["texts"] or [""])[-1]:
            seen += 1
            if seen == 8:
                picture("running.png")
        yield pause
    yield from waits(1)
    TOLD["after"] = [strip.name for strip in strips()]
    view_all()
    yield from waits(1)
    picture("after.png")
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.ed.undo()
    yield from waits(1)
    TOLD["undone"] = [strip.name for strip in strips()]
    with bpy.context.temp_override(**sequencer()):
        bpy.ops.ed.redo()
    yield from waits(1)
    TOLD["redone"] = [strip.name for strip in strips()]


bpy.context.preferences.view.show_splash = False
STEPS = play()


def step() -> float | None:
    try:
        return next(STEPS)
    except StopIteration:
        (FOLDER / "told.json").write_text(json.dumps(TOLD))
        bpy.ops.wm.quit_blender()
        return None


bpy.app.timers.register(step, first_interval=1.0)
