"""The names that timelines have for media: URLs, paths of this system or of another, relative or not."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import quote, unquote, urlsplit

_DRIVE = re.compile(r"/?[A-Za-z]:[\\/]")


def path_text(url: str) -> str | None:
    """Return the path that a URL or a path names, as its own system writes it; None for what is no file.

    >>> [path_text(url) for url in ("file://localhost/C%3A/a%20b.mov", "clips/a.mov", "https://example.org/a.mov")]
    ['C:/a b.mov', 'clips/a.mov', None]
    """
    if "\0" in url or not url.strip():
        return None
    if _DRIVE.match(url) or url.startswith("\\\\"):
        return url.lstrip("/")
    parts = urlsplit(url) if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url) else None
    if parts is None:
        return url
    if parts.scheme.lower() != "file":
        return None
    path = unquote(parts.path)
    if _DRIVE.match(path):
        return path.lstrip("/")
    host = parts.netloc.lower()
    return path if host in ("", "localhost") else f"//{parts.netloc}{path}"


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the folders of a path and of its file, whichever system it is of; no root, drive or `..`."""
    is_windows = _DRIVE.match(text) is not None or ("\\" in text and "/" not in text)
    path = PureWindowsPath(text) if is_windows else PurePosixPath(text)
    return tuple(part for part in path.parts if part not in (path.anchor, "..", "."))


def url_like(url: str, path: Path, folder: Path) -> str:
    """Return how a timeline in `folder` is to name a file: relative where it named `url` so, else as a URL or a path.

    >>> url_like("clips/a.mov", Path("/cut/new/a b.mov"), Path("/cut"))
    'new/a b.mov'
    """
    text = path_text(url)
    is_url = url.lower().startswith("file:")
    if text is not None and not is_url and not Path(text).is_absolute() and not _DRIVE.match(text):
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # on another drive
            return file_url(path)
    if is_url:
        host = "localhost" if url.lower().startswith("file://localhost") else ""
        return file_url(path, host)
    return str(path)


def file_url(path: Path, host: str = "") -> str:
    """Return the URL of a file by its absolute path."""
    text = path.as_posix()
    return f"file://{host}{'' if text.startswith('/') else '/'}{quote(text, safe='/:')}"
