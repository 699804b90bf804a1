"""The older name of what is in `vfe.face.detect` now."""

from .detect.facexlib import HeavyConfig as HeavyConfig
from .detect.facexlib import HeavyFaceDetector as HeavyFaceDetector
