"""How two clips are shown in one picture."""

from __future__ import annotations

from typing import Literal, get_args

Layout = Literal["wipe", "side by side", "stacked"]
"""One over the other with a divider that moves, or both whole."""
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
