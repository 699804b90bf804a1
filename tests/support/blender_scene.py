"""Runs inside of Blender: installs the add-on, restores the strips of a scene, and tells in JSON what came of it.

`blender -b --factory-startup -P blender_scene.py -- ORDER.json`, or a Python that has `bpy`. It knows neither pytest
nor this repository: Blender has a Python of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

FOLLOWED = ("channel", "frame_start", "frame_offset_start", "frame_final_start", "frame_final_end")


def install(package: str, program: str, model: str) -> str:
    """Install the zip as people do, as an extension or as an add-on of old; return the answer of the check."""
    if bpy.app.version >= (4, 2, 0):
        bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=True)
        name = "bl_ext.user_default.vfe_restore"
    else:
        bpy.ops.preferences.addon_install(filepath=package, overwrite=True)
        bpy.ops.preferences.addon_enable(module="vfe_restore")
        name = "vfe_restore"
    preferences = bpy.context.preferences.addons[name].preferences
    preferences.program, preferences.model = program, model
    bpy.ops.vfe.check()
    return preferences.answer


def strips_of(scene: bpy.types.Scene) -> bpy.types.Strips:
    """The strips of a scene, by either of their names."""
    editor = scene.sequence_editor
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def in_sequencer() -> bpy.types.Context:
    """The context of an operator of the sequencer."""
    area = bpy.context.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    return bpy.context.temp_override(area=area, region=region)


def new_effect(
    strips: bpy.types.Strips, name: str, kind: str, place: Sequence[int], inputs: Sequence[bpy.types.Strip] = ()
) -> None:
    """Add an effect at (channel, start, end); Blender 5 has lengths in place of ends, and other names for inputs."""
    channel, start, end = place
    spelled = [prop.identifier for prop in strips.bl_rna.functions["new_effect"].parameters]
    more = {"length": end - start} if "length" in spelled else {"frame_end": end}
    names = ("input1", "input2") if "input1" in spelled else ("seq1", "seq2")
    more.update(zip(names, inputs, strict=False))
    strips.new_effect(name=name, type=kind, channel=channel, frame_start=start, **more)


def trim(strip: bpy.types.Strip, offset: int, duration: int) -> bpy.types.Strip:
    """Let a strip show `duration` frames after those that it hides."""
    strip.frame_offset_start = offset
    strip.frame_final_duration = duration
    return strip


def retime(strip: bpy.types.Strip) -> None:
    """Play a strip at a speed that changes, or twice as fast where Blender knows no other."""
    if hasattr(strip, "speed_factor"):
        strip.speed_factor = 2.0
        return
    for other in strips_of(bpy.context.scene):
        other.select = other == strip
    bpy.context.scene.sequence_editor.active_strip = strip
    with in_sequencer():
        bpy.ops.sequencer.retiming_key_add(timeline_frame=int(strip.frame_final_start) + 8)
        bpy.ops.sequencer.retiming_segment_speed_set(speed=60)


def build(scene: bpy.types.Scene, clips: Mapping[str, Any]) -> None:
    """Strips of all kinds that are restored or refused, one after the other so that each is seen alone."""
    strips = strips_of(scene)
    at = iter(range(1, 10_000, 100))

    def movie(name: str, clip: str) -> bpy.types.Strip:
        return strips.new_movie(name=name, filepath=clips[clip], channel=1, frame_start=next(at))

    trim(movie("plain", "gray"), 10, 12)
    later = movie("skipping", "gray")
    later.animation_offset_start, later.animation_offset_end = 5, 3
    trim(later, 4, 10)
    backwards = movie("backwards", "gray")
    backwards.use_reverse_frames = True
    trim(backwards, 6, 9)
    strobe = movie("strobe", "gray")
    strobe.strobe = 3
    trim(strobe, 7, 12)
    trim(movie("other rate", "fast"), 10, 12)
    near = movie("near", "gray")  # whose frames overlap with those of the first: one job
    trim(near, 16, 10)
    retimed = movie("retimed", "other")
    retime(retimed)
    retimed.frame_final_start += 5
    images = strips.new_image(name="images", filepath=clips["images"][0], channel=1, frame_start=next(at))
    for name in clips["images"][1:]:
        images.elements.append(Path(name).name)
    trim(images, 5, 8)
    still = strips.new_image(name="still", filepath=clips["images"][2], channel=1, frame_start=next(at))
    still.frame_final_duration = 5
    start = next(at)
    one = strips.new_movie(name="left", filepath=clips["gray"], channel=1, frame_start=start - 20)
    trim(one, 20, 10)
    two = strips.new_movie(name="right", filepath=clips["other"], channel=2, frame_start=start + 6 - 5)
    trim(two, 5, 10)
    new_effect(strips, "cross", "CROSS", (3, start + 6, start + 10), (one, two))
    start = next(at)
    new_effect(strips, "title", "COLOR", (1, start, start + 5))
    strips.new_meta("meta", channel=2, frame_start=start)


def add_by_rate(scene: bpy.types.Scene, clip: str) -> None:
    """Add a strip that is played at the frame rate of its file, as people add them."""
    strips = strips_of(scene)
    for strip in strips:
        strip.select = False
    with in_sequencer():
        bpy.ops.sequencer.movie_strip_add(
            filepath=clip, frame_start=5000, channel=1, sound=False, adjust_playback_rate=True, use_framerate=False
        )
    strip = next(strip for strip in strips if strip.select)
    strip.name = "by rate"
    trim(strip, 14, 10)


def render(scene: bpy.types.Scene, folder: Path) -> dict[str, list[float]]:
    """Return the middle of each frame in which a strip is seen, from 0 to 255, by strip."""
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.display_settings.display_device = "sRGB"
    scene.render.use_sequencer = True
    seen: dict[str, list[float]] = {}
    for strip in list(strips_of(scene)):
        if strip.channel > 1 or strip.type not in ("MOVIE", "IMAGE"):
            continue
        values = seen.setdefault(strip.name, [])
        for frame in range(int(strip.frame_final_start), int(strip.frame_final_end)):
            scene.frame_set(frame)
            scene.render.filepath = str(Path(folder) / "frame.png")
            bpy.ops.render.render(write_still=True)
            image = bpy.data.images.load(scene.render.filepath, check_existing=False)
            at = (16 * 32 + 16) * 4
            values.append(round(255 * image.pixels[at], 1))
            bpy.data.images.remove(image)
    return seen


def described(scene: bpy.types.Scene) -> dict[str, dict[str, Any]]:
    """What is to be known of the strips, by name."""
    about = {}
    for strip in strips_of(scene):
        told = {name: getattr(strip, name) for name in FOLLOWED}
        told["path"] = getattr(strip, "filepath", getattr(strip, "directory", ""))
        told["transform"] = strip.transform.scale_x if hasattr(strip, "transform") else None
        about[strip.name] = told
    return about


def restore(scene: bpy.types.Scene) -> list[str]:
    """Select everything and run the operator as people do, with a step of undo."""
    for strip in strips_of(scene):
        strip.select = True
    return sorted(bpy.ops.vfe.restore_faces("EXEC_DEFAULT", True))


def main(order: Mapping[str, Any]) -> None:
    """Do all of it, and tell."""
    told: dict[str, Any] = {
        "version": list(bpy.app.version),
        "check": install(order["package"], order["program"], order["model"]),
    }
    folder = Path(order["folder"])
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "film.blend"))
    scene = bpy.context.scene
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    scene.render.fps, scene.render.fps_base = 25, 1.0
    scene.sequence_editor_create()
    build(scene, order["clips"])
    if bpy.app.version < (4, 0, 0):  # without a window, later ones end the process
        add_by_rate(scene, order["clips"]["fast"])
    scene.vfe_restore.handles = 2
    scene.vfe_restore.codec = "ffv1"
    strips_of(scene)["plain"].transform.scale_x = 1.5
    scene.sequence_editor.channels[4].mute = True  # above "right" and its cross: what lies there is not seen
    told["before"] = render(scene, folder)
    bpy.ops.ed.undo_push(message="before")
    told["first"] = restore(scene)
    told["strips"], told["after"] = described(scene), render(scene, folder)
    told["second"] = restore(scene)
    told["count"] = len(strips_of(scene))
    told["results"] = sorted(path.name for path in (folder / "vfe_restored").iterdir())
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    told["undone"] = sorted(strip.name for strip in strips_of(scene))
    told["again"] = restore(scene)
    told["results again"] = sorted(path.name for path in (folder / "vfe_restored").iterdir())
    (folder / "told.json").write_text(json.dumps(told))


main(json.loads(Path(sys.argv[-1]).read_text()))
