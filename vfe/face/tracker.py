"""The older name of what is in `vfe.face.track` now."""

from .track.tracker import FaceTracker as FaceTracker
from .track.tracker import TrackConfig as TrackConfig
from .track.tracker import track_faces as track_faces
