"""Download a file of the catalogue once: its size and hash are checked, and it takes its name only when it is whole."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ..types import Progress, VFEError
from .catalogue import CatalogueEntry

SPARE_DISK_BYTES = 256 << 20
"""The bytes that must stay free on the disk after a download."""
_CHUNK = 8 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What `pull` did."""

    path: Path
    downloaded: bool
    bytes: int
    sha256: str
    pinned: bool
    """Whether the hash is the catalogue's; otherwise it is the one that the hub named before the download."""


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What a file must be. `commit` is known only after the hub was asked."""

    bytes: int
    sha256: str
    commit: str | None = None


def pull(
    entry: CatalogueEntry, folder: Path, there: Iterable[Path] = (), on_progress: Progress | None = None
) -> Pulled:
    """Get a file into `folder`/`entry.folder`, unless it is on this machine already; only then the hub is asked.

    `there` are model files of this machine, one of which may be the file under any name. `on_progress` gets bytes
    hashed and their total. An interrupted download leaves at most what huggingface_hub can go on with.
    Raises VFEError: huggingface_hub missing, offline, no room, a wrong size or hash (nothing of it is left then).
    """
    target = folder / entry.folder / entry.file_name
    needed = _known(entry, target) or _ask_hub(entry)
    for path in dict.fromkeys([target, *there]):
        if path.is_file() and path.stat().st_size == needed.bytes and file_hash(path, on_progress) == needed.sha256:
            return _pulled(entry, path, needed, downloaded=False)
    if target.exists():
        raise VFEError(f"{target}: another file than {entry.name} of {entry.repository}; move it away and pull again")
    offered = needed if needed.commit else _ask_hub(entry)
    if (offered.bytes, offered.sha256) != (needed.bytes, needed.sha256):
        raise VFEError(
            f"{_url(entry)} is not the known file any more: {offered.bytes} bytes with SHA-256 {offered.sha256},"
            f" needed are {needed.bytes} bytes with {needed.sha256}; nothing was downloaded"
        )
    _download(entry, offered, target, on_progress)
    return _pulled(entry, target, needed, downloaded=True)


def file_hash(path: Path, on_progress: Progress | None = None) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits; `on_progress` gets the bytes done and their total."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if on_progress:
                on_progress(done, total)
    return digest.hexdigest()


def _known(entry: CatalogueEntry, target: Path) -> _Facts | None:
    """Return what the catalogue says of a file, or the note that an earlier download left beside it; else None."""
    if entry.bytes is not None and entry.sha256 is not None:
        return _Facts(bytes=entry.bytes, sha256=entry.sha256)
    note = _note(target)
    if target.is_file() and note.is_file():
        noted = note.read_text(encoding="utf-8", errors="replace")[:64]
        if _SHA256.fullmatch(noted):
            return _Facts(bytes=target.stat().st_size, sha256=noted)
    return None


def _note(target: Path) -> Path:
    """Return the path of the note beside a file whose hash the catalogue does not have.

    It holds a line that `sha256sum --check` reads too.
    """
    return target.with_name(f"{target.name}.sha256")


def _pulled(entry: CatalogueEntry, path: Path, facts: _Facts, *, downloaded: bool) -> Pulled:
    pinned = entry.sha256 is not None
    if downloaded and not pinned:
        _note(path).write_text(f"{facts.sha256}  {path.name}\n", encoding="utf-8")
    return Pulled(path=path, downloaded=downloaded, bytes=facts.bytes, sha256=facts.sha256, pinned=pinned)


def _ask_hub(entry: CatalogueEntry) -> _Facts:
    """Ask the hub for size, hash and commit of a file as it is now. The ETag of a file in LFS is its SHA-256."""
    hub = _hub()
    try:
        metadata = hub.get_hf_file_metadata(hub.hf_hub_url(entry.repository, entry.file))
    except _hub_errors() as error:
        raise VFEError(f"{_url(entry)} {_why(error)}") from error
    if not (metadata.size and metadata.commit_hash and metadata.etag and _SHA256.fullmatch(metadata.etag)):
        raise VFEError(f"{_url(entry)}: the hub names no size and SHA-256; download it by hand and check it")
    return _Facts(bytes=metadata.size, sha256=metadata.etag, commit=metadata.commit_hash)


def _download(entry: CatalogueEntry, offered: _Facts, target: Path, on_progress: Progress | None) -> None:
    """Get the file into a hidden folder beside `target`, check it there, then rename it into place."""
    aside = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_room(target.parent, offered.bytes)
        aside.mkdir(exist_ok=True)
    except OSError as error:
        raise VFEError(f"{target.parent}: cannot be written ({error.strerror}); choose another folder") from error
    got = _fetch(entry, offered, aside)
    size, sha256 = got.stat().st_size, file_hash(got, on_progress)
    if (size, sha256) != (offered.bytes, offered.sha256):
        shutil.rmtree(aside)
        raise VFEError(
            f"{_url(entry)}: what came is {size} bytes with SHA-256 {sha256}, needed are {offered.bytes} bytes with"
            f" {offered.sha256}; it was deleted, pull it again"
        )
    got.replace(target)
    shutil.rmtree(aside)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_DISK_BYTES:
        raise VFEError(
            f"{folder}: {free / 1e9:.2f} GB free, needed are {(size + SPARE_DISK_BYTES) / 1e9:.2f} GB;"
            " free some space or choose another folder"
        )


def _fetch(entry: CatalogueEntry, offered: _Facts, aside: Path) -> Path:
    """Return the path of the downloaded file. After a failure only what huggingface_hub can go on with is left.

    Older versions go on with their `.incomplete` file in the next call; newer ones (2.4) only within a call.
    """
    with ExitStack() as on_failure:
        on_failure.callback(_remove_unless_resumable, aside)
        try:
            got = _hub().hf_hub_download(entry.repository, entry.file, revision=offered.commit, local_dir=aside)
        except _hub_errors() as error:
            raise VFEError(f"{_url(entry)} {_why(error)}; pull it again") from error
        on_failure.pop_all()
    return Path(got)


def _remove_unless_resumable(aside: Path) -> None:
    if not any(aside.rglob("*.incomplete")):
        shutil.rmtree(aside)


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise VFEError(
            "downloading needs huggingface_hub, which is not installed; pip install 'video-face-enhancement[hub]'"
        ) from error
    return huggingface_hub


def _hub_errors() -> tuple[type[BaseException], ...]:
    """What a download fails with for outside reasons.

    Versions of huggingface_hub use different HTTP libraries, whose errors share a base with the hub's own.
    RuntimeError is what its native downloader raises.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return (OSError, RuntimeError, *HfHubHTTPError.__bases__)


def _url(entry: CatalogueEntry) -> str:
    return f"{entry.repository}/{entry.file}"


def _why(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be had from the Hugging Face hub: {text[:200]}"
