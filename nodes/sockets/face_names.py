"""Names of faces as a text has them: "1 Anna, 2 Ben", a line or a comma for each, of Chinese writing too."""

from __future__ import annotations

import re

from ...vfe.types import VFEError

MAX_NAME = 40
"""How many signs of a name are kept."""


def face_names(text: str) -> dict[int, str]:
    """Return the names by the numbers of the faces. Raises VFEError for an entry that is no number with a name."""
    names = {}
    for entry in re.split(r"[,;\n\uff0c\uff1b]", text):
        if not entry.strip():
            continue
        found = re.fullmatch(r"\s*(\d{1,6})\s*[\s=:\uff1a]\s*(\S.*?)\s*", entry)
        if found is None:
            raise VFEError(f'names "{entry.strip()[:40]}": needed are a number and a name, as "1 Anna, 2 Ben"')
        names[int(found[1])] = found[2][:MAX_NAME]
    return names
