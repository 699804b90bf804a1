"""VFE in VapourSynth scripts, for a Python that has VapourSynth:

from vfe.vapoursynth import restore

clip = restore(clip, region="face", strength=0.8)
"""

from .node import restore

__all__ = ["restore"]
