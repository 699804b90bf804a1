"""What the user chooses, and what was chosen the last time."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

SETTINGS = Path.home() / ".vfe-resolve.json"
REGIONS = ("face", "auto", "frame")


@dataclass
class Choices:
    """What the user chooses. Without a dialog these defaults count, or what SETTINGS has."""

    program: str = "vfe"
    folder: str = str(Path.home() / "Videos" / "VFE")
    region: str = "face"
    only_clips: str = ""
    min_face: int = 0
    as_timeline: bool = False

    @classmethod
    def read(cls) -> Choices:
        """Return those of last time, as far as they make sense."""
        try:
            kept = json.loads(SETTINGS.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        choices = cls()
        for name, value in kept.items() if isinstance(kept, dict) else ():
            if type(value) is type(getattr(choices, name, None)):
                setattr(choices, name, value)
        return choices

    def write(self) -> None:
        """Keep them for the next time, where that is possible."""
        with suppress(OSError):
            SETTINGS.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
