"""What people start: restoring strips, ending that, and looking whether vfe is there."""

import time
from pathlib import Path
from typing import ClassVar

import bpy

from .command import CommandError, check, program
from .job_queue import Queue
from .placing import place_result
from .settings import options_of, preferences_of, program_path
from .strips import StripError, scene_of, selected_strips
from .wishes import Place, Wish, joined_jobs, wish_of

TICK = 0.25
"""The seconds between two looks at the run."""


class VFE_OT_restore(bpy.types.Operator):
    """Restore the faces in the selected strips. vfe runs as a process of its own: go on working meanwhile"""

    bl_idname = "vfe.restore_faces"
    bl_label = "Restore Faces"
    bl_options: ClassVar = {"UNDO"}

    queue: ClassVar[Queue | None] = None
    """What is being done, for the panel; Blender has no other place for it."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether there is something to do, and nothing being done."""
        return cls.queue is None and bool(selected_strips(scene_of(context)))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restore, and wait for it, as scripts do."""
        if not self._prepare(context):
            return {"CANCELLED"}
        try:
            while not self._queue.step():
                time.sleep(TICK / 5)
        finally:
            self._close(context)
        return self._place_all(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Begin to restore, and let people go on working."""
        del event
        if not self._prepare(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look how far the run is; what happens otherwise in Blender is not minded."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not self._queue.step():
            self._show(context)
            return {"PASS_THROUGH"}
        self._close(context)
        return self._place_all(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """End the run where another file is opened or Blender ends."""
        self._queue.cancel()
        self._close(context)

    def _prepare(self, context: bpy.types.Context) -> bool:
        """Decide what is to be done, and begin; return whether there is anything."""
        scene, preferences = scene_of(context), preferences_of(context)
        self._scene, self._timer = scene.name, None
        settings = scene.vfe_restore
        try:
            start = program(program_path(preferences))
            self._where = Place(_folder_of(settings.folder), settings.handles)
        except (CommandError, StripError) as error:
            self.report({"ERROR"}, str(error))
            return False
        wishes: list[Wish] = []
        refused = 0
        for strip in selected_strips(scene):
            try:
                wishes.append(wish_of(scene, strip, options_of(settings, preferences), self._where))
            except StripError as error:
                refused += 1
                self.report({"WARNING"}, str(error))
        self._wishes = joined_jobs(wishes)
        jobs = dict.fromkeys(wish.job for wish in self._wishes if wish.found is None)
        self._queue = Queue(start, list(jobs))
        if not wishes:
            return False
        VFE_OT_restore.queue = self._queue
        return True

    def _place_all(self, context: bpy.types.Context) -> set[str]:
        """Show the results above their strips, in one step for undo; say what was not done."""
        scene = bpy.data.scenes.get(self._scene)
        queue, placed = self._queue, 0
        for note in queue.notes:
            self.report({"INFO"}, note)
        for wish in self._wishes if scene is not None else ():
            result = wish.found or queue.results.get(wish.job)
            if result is None:
                continue
            try:
                told = place_result(context, scene, wish, result, self._where)
                placed += 1
            except StripError as error:
                self.report({"ERROR"}, str(error))
            else:
                if told:
                    self.report({"WARNING"}, told)
        for reason in queue.errors.values():
            self.report({"ERROR"}, reason)
        if queue.is_cancelled:
            self.report({"WARNING"}, "Restoring faces was cancelled; what was done before is kept")
        if not placed:
            return {"CANCELLED"}
        self.report({"INFO"}, f"Faces restored in {placed} strip{'' if placed == 1 else 's'}")
        return {"FINISHED"}

    def _show(self, context: bpy.types.Context) -> None:
        """Show how far the run is, in the status bar and the panel."""
        queue = self._queue
        context.workspace.status_text_set(f"VFE  {queue.share:4.0%}  {queue.text}")
        _redraw(context)

    def _close(self, context: bpy.types.Context) -> None:
        VFE_OT_restore.queue = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
            for workspace in bpy.data.workspaces:
                workspace.status_text_set(None)
            _redraw(context)


class VFE_OT_cancel(bpy.types.Operator):
    """End the run. Strips that are done get their results"""

    bl_idname = "vfe.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether anything runs."""
        del context
        return VFE_OT_restore.queue is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End the run; the operator that began it ends at its next tick."""
        del context
        if VFE_OT_restore.queue is not None:
            VFE_OT_restore.queue.cancel()
        return {"FINISHED"}


class VFE_OT_check(bpy.types.Operator):
    """Ask vfe for its version"""

    bl_idname = "vfe.check"
    bl_label = "Check"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask vfe for its version, and show the answer in the preferences."""
        preferences = preferences_of(context)
        try:
            preferences.answer = f"{check(program_path(preferences))} is ready"
        except CommandError as error:
            preferences.answer = str(error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, preferences.answer)
        return {"FINISHED"}


def stop_running() -> None:
    """End the run where the add-on is switched off."""
    if VFE_OT_restore.queue is not None:
        VFE_OT_restore.queue.cancel()
        VFE_OT_restore.queue = None


def _folder_of(text: str) -> Path:
    """Return the folder of the results. Raises StripError where nobody can know it."""
    if not text.strip():
        raise StripError("No folder is named for the results; name one in the panel VFE")
    if text.startswith("//") and not bpy.data.filepath:
        raise StripError("Save the blend file first, or choose another folder for the results in the panel VFE")
    return Path(bpy.path.abspath(text)).resolve()


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()
