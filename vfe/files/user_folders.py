"""Where a system keeps what belongs to its user: one place for each kind of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UserFolder:
    """A kind of files: the variable and the folders by which each system has them, below the user's home."""

    windows_variable: str
    windows: Path
    mac: Path
    xdg_variable: str
    """That of the XDG rules, for Linux and others."""
    xdg: Path

    def on(self, platform: str, environ: Mapping[str, str]) -> Path:
        """Return the folder on a platform, as `sys.platform` names it."""
        home = Path.home()
        if platform == "win32":
            return Path(environ.get(self.windows_variable) or home / self.windows)
        if platform == "darwin":
            return home / self.mac
        named = Path(environ.get(self.xdg_variable, ""))
        return named if named.is_absolute() else home / self.xdg  # the rules: a relative one is to be ignored


SETTINGS = UserFolder(
    "APPDATA", Path("AppData", "Roaming"), Path("Library", "Application Support"), "XDG_CONFIG_HOME", Path(".config")
)
CACHE = UserFolder(
    "LOCALAPPDATA", Path("AppData", "Local"), Path("Library", "Caches"), "XDG_CACHE_HOME", Path(".cache")
)
