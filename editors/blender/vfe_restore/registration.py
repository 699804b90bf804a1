"""The classes of the add-on, which Blender must know."""

import bpy

from .operators import VFE_OT_cancel, VFE_OT_check, VFE_OT_restore, stop_running
from .panel import VFE_PT_more, VFE_PT_restore
from .settings import VFE_Preferences, VFE_Settings

CLASSES = (
    VFE_Settings,
    VFE_Preferences,
    VFE_OT_restore,
    VFE_OT_cancel,
    VFE_OT_check,
    VFE_PT_restore,
    VFE_PT_more,
)


def register_all() -> None:
    """Make all classes known, in an order in which each knows those that it needs."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.vfe_restore = bpy.props.PointerProperty(type=VFE_Settings)
    bpy.types.SEQUENCER_MT_strip.append(_draw_in_menu)


def unregister_all() -> None:
    """Take all of it back, and end what runs."""
    stop_running()
    bpy.types.SEQUENCER_MT_strip.remove(_draw_in_menu)
    del bpy.types.Scene.vfe_restore
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)


def _draw_in_menu(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    del context
    menu.layout.separator()
    menu.layout.operator("vfe.restore_faces")
