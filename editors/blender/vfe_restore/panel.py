"""The panel in the sidebar of the sequencer."""

from typing import ClassVar

import bpy

from .operators import VFE_OT_restore
from .settings import OWN
from .strips import scene_of, selected_strips


class VFE_PT_restore(bpy.types.Panel):
    """How strips are restored, and how far that is."""

    bl_label = "Restore Faces"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "VFE"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the options, and the button or the progress."""
        layout, scene = self.layout, scene_of(context)
        if scene is None:
            layout.label(text="No scene is edited here")
            return
        settings = scene.vfe_restore
        layout.use_property_split, layout.use_property_decorate = True, False
        column = layout.column()
        column.enabled = VFE_OT_restore.queue is None
        column.prop(settings, "preset")
        if settings.preset == OWN:
            column.prop(settings, "own_preset")
        column.prop(settings, "region")
        column.prop(settings, "handles")
        if VFE_OT_restore.queue is not None:
            _draw_progress(layout)
            return
        count = len(selected_strips(scene))
        row = layout.row()
        row.scale_y = 1.4
        row.operator("vfe.restore_faces", text=f"Restore Faces of {count} Strips" if count > 1 else "Restore Faces")


class VFE_PT_more(bpy.types.Panel):
    """What few people change."""

    bl_label = "More"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "VFE"
    bl_parent_id = "VFE_PT_restore"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the other options."""
        scene = scene_of(context)
        if scene is None:
            return
        layout, settings = self.layout, scene.vfe_restore
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.enabled = VFE_OT_restore.queue is None
        for name in ("strength", "fidelity", "min_face", "codec", "folder"):
            layout.prop(settings, name)


def _draw_progress(layout: bpy.types.UILayout) -> None:
    queue = VFE_OT_restore.queue
    assert queue is not None
    box = layout.column(align=True)
    if hasattr(layout, "progress"):  # from Blender 4.0 on
        box.progress(factor=queue.share, text=f"{queue.share:.0%}")
    else:
        box.label(text=f"{queue.share:.0%}", icon="TIME")
    box.label(text=queue.text)
    box.operator("vfe.cancel", icon="CANCEL")
