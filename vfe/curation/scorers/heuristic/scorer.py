"""The scorer without weights.

It ranks clips. Its totals are not those of VividFace's model (section 3.3), and nobody has looked at whether its 90 is
theirs.
"""

from __future__ import annotations

from ...clip import FaceClip
from ...verdict import WEIGHTS, Verdict
from ..conversation import hash_of
from .artefacts import artefacts
from .detail import detail
from .faces import sampled_faces
from .lighting import lighting
from .occlusion import occlusion
from .stability import stability

VERSION = 2
"""Raised with every change of what verdicts come to, so that old ones are not taken for new ones."""
SAMPLED = 9
"""The frames on which all but stability is measured."""


class HeuristicScorer:
    """Measures a clip. It gives neither bonus nor penalty: what they are for takes a look at the clip."""

    @property
    def name(self) -> str:
        return f"heuristic-{VERSION}"

    @property
    def key(self) -> str:
        return hash_of({"scorer": self.name, "frames": SAMPLED})

    def score(self, clip: FaceClip) -> Verdict:
        """Return the verdict, which there always is."""
        faces = sampled_faces(clip, SAMPLED)
        points = {
            "detail": detail(faces),
            "stability": stability(clip),
            "lighting": lighting(faces),
            "artefacts": artefacts(clip, faces),
            "occlusion": occlusion(clip, faces),
        }
        worst = min(WEIGHTS, key=lambda name: points[name])
        rounded = {name: round(100 * value, 2) for name, value in points.items()}
        return Verdict.of(rounded, why=f"the least is {worst}, {rounded[worst]:.0f}")
