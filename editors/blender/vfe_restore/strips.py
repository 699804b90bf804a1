"""Strips of the sequencer: which can be restored, and what they show.

Blender 3.4 to 5 have other names for some things, which are known here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import bpy

from .results import Clip
from .timing import Play, Timing, play_of

RESULT = "vfe_result"
"""The property of strips that have a result: the name of the strip that it was made of."""
CHANNELS = 128
"""The channels of the sequencer."""


class StripError(Exception):
    """A reason in one sentence why a strip cannot be restored, or its result not be shown."""


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the scene whose strips are edited: from Blender 5 on, that need not be the one of the window."""
    return getattr(context, "sequencer_scene", None) or context.scene


def strips_of(scene: bpy.types.Scene) -> bpy.types.Strips:
    """Return the collection of strips that is edited, which is that of a meta strip while it is open; or None."""
    if scene is None or scene.sequence_editor is None:
        return None
    edited = _edited(scene)
    return edited.strips if hasattr(edited, "strips") else edited.sequences


def selected_strips(scene: bpy.types.Scene) -> list[bpy.types.Strip]:
    """Return the strips that are selected, from left to right."""
    chosen = [strip for strip in strips_of(scene) or () if strip.select]
    return sorted(chosen, key=lambda strip: (strip.frame_final_start, strip.channel))


def check(strip: bpy.types.Strip, strips: Iterable[bpy.types.Strip]) -> None:
    """Raise StripError for a strip that cannot be restored."""
    kind = strip.type.lower().replace("_", " ")
    if strip.type == "META":
        raise StripError(f"{strip.name} is a meta strip: open it (Tab) and select the strips in it")
    if strip.type not in ("MOVIE", "IMAGE"):
        raise StripError(f"{strip.name} is a {kind} strip: only movie and image strips have faces in a file")
    if RESULT in strip.keys():
        raise StripError(f"{strip.name} is restored already")
    if getattr(strip, "use_multiview", False):
        raise StripError(f"{strip.name} is stereoscopic: restore each view as a strip of its own")
    if strip.type == "MOVIE" and strip.stream_index:
        raise StripError(f"{strip.name} shows stream {strip.stream_index} of its file: only the first is restored")
    speeds = [effect.name for effect in strips if effect.type == "SPEED" and inputs_of(effect, strip)]
    if speeds:
        raise StripError(f"{strip.name} is played by {speeds[0]}: restore it before it gets a speed effect")


def inputs_of(effect: bpy.types.Strip, strip: bpy.types.Strip) -> list[str]:
    """Return by which of its properties an effect takes a strip."""
    return [name for name in ("input_1", "input_2") if getattr(effect, name, None) == strip]


def video_path(strip: bpy.types.Strip) -> Path:
    """Return the file of a movie strip."""
    return Path(bpy.path.abspath(strip.filepath))


def image_paths(strip: bpy.types.Strip) -> list[Path]:
    """Return the files of an image strip."""
    folder = Path(bpy.path.abspath(strip.directory))
    return [folder / element.filename for element in strip.elements]


def result_path(strip: bpy.types.Strip) -> Path:
    """Return the file of a movie strip, or the folder of an image strip."""
    return Path(bpy.path.abspath(strip.filepath if strip.type == "MOVIE" else strip.directory))


def clip_of(strip: bpy.types.Strip, path: Path) -> Clip:
    """Look at a file of a strip. Raises StripError where it is missing."""
    try:
        return Clip.of(path)
    except OSError as error:
        raise StripError(f"{strip.name}: {path}: {error.strerror}") from error


def image_timing(strip: bpy.types.Strip) -> Timing:
    """Return the times of an image strip, whose frames are its images."""
    speed = getattr(strip, "speed_factor", 1.0)
    play = Play.RETIMED if _is_retimed(strip) else Play.PLAIN if speed == 1 else Play.FASTER
    return _timing(strip, max(1, strip.frame_duration), play, speed)


def video_timing(scene: bpy.types.Scene, strip: bpy.types.Strip) -> Timing:
    """Return the times of a movie strip. Raises StripError where its file cannot be read."""
    rate = strip.fps
    if not rate > 0:
        raise StripError(f"{strip.name}: {video_path(strip)} cannot be read by Blender")
    frames = strip.frame_duration
    if _is_retimed(strip):
        return _timing(strip, frames, Play.RETIMED, 1.0)
    by_rate = rate / (scene.render.fps / scene.render.fps_base)
    own = getattr(strip, "speed_factor", 1.0)  # of Blender up to 3.6
    if abs(by_rate - 1) < 1e-4:
        return _timing(strip, frames, Play.PLAIN if own == 1 else Play.FASTER, own)
    if own != 1:
        return _timing(strip, frames, Play.RETIMED, 1.0)
    frames = _frames_of_file(scene, strip) - strip.animation_offset_start - strip.animation_offset_end
    length = strip.frame_final_duration + strip.frame_offset_start + strip.frame_offset_end
    play = play_of(frames, length, by_rate)
    return _timing(strip, frames, play, 1.0 if play in (Play.PLAIN, Play.RETIMED) else by_rate)


def free_channel(scene: bpy.types.Scene, strip: bpy.types.Strip, above: int) -> int:
    """Return the lowest channel above another that is free as long as a strip lasts, and neither muted nor locked.

    Raises StripError if there is none.
    """
    taken = {other.channel for other in strips_beside(strips_of(scene), strip)}
    taken |= {number for number, channel in enumerate(_edited(scene).channels) if channel.mute or channel.lock}
    for channel in range(above + 1, CHANNELS + 1):
        if channel not in taken:
            return channel
    raise StripError(f"{strip.name}: no channel above {above} is free; move the strips there")


def strips_beside(strips: Iterable[bpy.types.Strip], strip: bpy.types.Strip) -> Iterator[bpy.types.Strip]:
    """Yield the other strips that are shown at the same time as a strip for a while."""
    for other in strips:
        overlaps = other.frame_final_start < strip.frame_final_end and strip.frame_final_start < other.frame_final_end
        if other != strip and overlaps:
            yield other


def _edited(scene: bpy.types.Scene) -> bpy.types.SequenceEditor:
    """Return the sequence editor, or the meta strip that is open in it."""
    editor = scene.sequence_editor
    return editor.meta_stack[-1] if len(editor.meta_stack) else editor


def _is_retimed(strip: bpy.types.Strip) -> bool:
    return len(getattr(strip, "retiming_keys", ())) > 0


def _frames_of_file(scene: bpy.types.Scene, strip: bpy.types.Strip) -> int:
    """Return the frames of a strip's file as Blender counts them: a new strip has them all, for a moment."""
    strips = strips_of(scene)
    probe = strips.new_movie(name="vfe", filepath=str(video_path(strip)), channel=CHANNELS, frame_start=0)
    try:
        return int(probe.frame_duration)
    finally:
        strips.remove(probe)


def _timing(strip: bpy.types.Strip, length: int, play: Play, speed: float) -> Timing:
    return Timing(
        start=strip.frame_start,
        offset=strip.frame_offset_start,
        duration=strip.frame_final_duration,
        length=length,
        skipped=strip.animation_offset_start,
        play=play,
        speed=speed,
        strobe=max(1.0, strip.strobe),
        is_reversed=strip.use_reverse_frames,
    )
