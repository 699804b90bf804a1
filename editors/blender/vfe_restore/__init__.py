"""A Blender add-on: faces in the strips of the sequencer are restored by VFE, which runs as a process of its own.

It is an extension for Blender 4.2 and later, and an add-on for 3.4 to 4.1. Inside of Blender it needs nothing but
Blender: neither torch nor vfe is imported. Modules without `bpy` know nothing of Blender, so that they can be tested
without it.
"""

bl_info = {
    "name": "VFE Restore Faces",
    "author": "VFE project",
    "version": (0, 2, 0),
    "blender": (3, 4, 0),
    "location": "Video Sequencer > Sidebar > VFE",
    "description": "Restores faces in strips of the video sequencer",
    "doc_url": "https://github.com/vfe-project/video-face-enhancement/blob/main/docs/editors.md",
    "category": "Sequencer",
}


def register() -> None:
    """Make the add-on known to Blender."""
    from .registration import register_all

    register_all()


def unregister() -> None:
    """Take the add-on out of Blender, and end what it runs."""
    from .registration import unregister_all

    unregister_all()
