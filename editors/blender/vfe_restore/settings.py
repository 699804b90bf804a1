"""What people choose: how strips of a scene are restored, and in the preferences where vfe is.

Blender reads properties from annotations, which must not be text: this file does without `from __future__`.
"""

import bpy

from .command import Options

OWN = "OWN"
RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (5, 0, 0) else set()
"""What lets a path begin with // for the folder of the blend file, from the version on that asks for it."""
PRESETS = (
    ("NONE", "None", "The defaults of vfe"),
    ("old-film", "Old film", "Scanned film: some of the grain stays, faces keep close to what is there"),
    ("webcam", "Webcam", "One or two large faces, badly compressed"),
    ("tv", "TV", "Recorded broadcasts: captions and small faces stay as they are"),
    ("photo", "Photo", "Photos, which people look at for long"),
    (OWN, "Your own", "A preset of yours: the name of a file in the folder that `vfe presets` names"),
)
REGIONS = (
    ("PRESET", "As the preset", "What the preset says; whole frames without one"),
    ("frame", "Whole frames", "Restore whole frames, and the faces in them"),
    ("face", "Faces only", "Every pixel outside of faces stays as it was"),
    ("auto", "Auto", "The faces; whole frames where they fill most of the picture or there is none"),
)
CODECS = (
    ("h264", "H.264 (mp4)", "Small, visually lossless"),
    ("h265", "H.265 (mp4)", "Smaller, for deep colour too"),
    ("prores", "ProRes (mov)", "Large, fast to cut"),
    ("ffv1", "FFV1 (mkv)", "Large and lossless"),
)
DEVICES = (
    ("auto", "Automatic", "A GPU where there is one"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA or AMD GPU"),
    ("mps", "Metal", "The GPU of a Mac"),
    ("xpu", "XPU", "An Intel GPU"),
)


class VFE_Settings(bpy.types.PropertyGroup):
    """How strips of a scene are restored."""

    preset: bpy.props.EnumProperty(name="Preset", items=PRESETS, description="Options that suit a kind of footage")
    own_preset: bpy.props.StringProperty(name="Name", description="The name of a preset of yours")
    region: bpy.props.EnumProperty(name="Region", items=REGIONS, description="What of the picture is restored")
    strength: bpy.props.FloatProperty(
        name="Strength",
        default=1.0,
        min=0.0,
        max=1.0,
        description="1 is the full restoration; used instead of the preset's if not 1",
    )
    fidelity: bpy.props.FloatProperty(
        name="Fidelity",
        default=0.2,
        min=0.0,
        max=1.0,
        description="From 0, the sharpest faces, to 1, the most faithful; used instead of the preset's if not 0.2",
    )
    min_face: bpy.props.IntProperty(
        name="Least Face", default=0, min=0, max=16384, subtype="PIXEL", description="Smaller faces are left alone"
    )
    handles: bpy.props.IntProperty(
        name="Handles",
        default=12,
        min=0,
        max=1000,
        description="Frames before and after what a strip shows that are restored too, so that it can be trimmed later",
    )
    folder: bpy.props.StringProperty(
        name="Folder",
        default="//vfe_restored",
        subtype="DIR_PATH",
        options=RELATIVE,
        description="Where results are kept; // is the folder of the blend file",
    )
    codec: bpy.props.EnumProperty(name="Codec", items=CODECS, description="How results of movie strips are stored")


class VFE_Preferences(bpy.types.AddonPreferences):
    """Where vfe is, and how it runs on this machine."""

    bl_idname = __package__

    program: bpy.props.StringProperty(
        name="vfe or Python",
        subtype="FILE_PATH",
        options=RELATIVE,
        description="The program vfe, or the Python that it is installed in; empty finds vfe in PATH",
    )
    model: bpy.props.StringProperty(
        name="Model", description="A model that `vfe models` lists, or its file; empty is the one that comes with vfe"
    )
    device: bpy.props.EnumProperty(name="Device", items=DEVICES, description="Where models run")
    answer: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    """What the last check said."""

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the preferences of the add-on."""
        del context
        row = self.layout.row(align=True)
        row.prop(self, "program")
        row.operator("vfe.check", text="Check")
        if self.answer:
            self.layout.label(text=self.answer, icon="INFO")
        self.layout.prop(self, "model")
        self.layout.prop(self, "device")


def preferences_of(context: bpy.types.Context) -> VFE_Preferences:
    """Return the preferences of this add-on."""
    return context.preferences.addons[__package__].preferences


def program_path(preferences: VFE_Preferences) -> str:
    """Return the path of vfe that was named; "" where it is to be found."""
    return bpy.path.abspath(preferences.program) if preferences.program else ""


def options_of(settings: VFE_Settings, preferences: VFE_Preferences) -> Options:
    """Return how faces are restored."""
    own = settings.own_preset.strip()
    return Options(
        preset=own if settings.preset == OWN else "" if settings.preset == "NONE" else settings.preset,
        region="" if settings.region == "PRESET" else settings.region,
        strength=settings.strength,
        fidelity=settings.fidelity,
        min_face=settings.min_face,
        model=preferences.model.strip(),
        codec=settings.codec,
        device="" if preferences.device == "auto" else preferences.device,
    )
