"""A stand-in for the Hugging Face hub that serves one small file, and the catalogue's entry for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from vfe.library.catalogue import CatalogueEntry

DATA = b"weights" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
ENTRY = CatalogueEntry(
    name="tiny",
    what="a tiny file",
    repository="someone/tiny",
    file="split_files/vae/tiny.safetensors",
    folder="vae",
    licence="MIT",
    bytes=len(DATA),
    sha256=SHA256,
)
UNPINNED = replace(ENTRY, bytes=None, sha256=None)
COMMIT = "c" * 40


class Hub:
    """Serves one file as huggingface_hub does: metadata by URL, content into `local_dir`, and counts both."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.offered = SimpleNamespace(size=len(DATA), etag=SHA256, commit_hash=COMMIT, location="", xet_file_data=None)
        self.error: BaseException | None = None
        self.asked = 0
        self.downloads = 0

    def get_hf_file_metadata(self, url: str) -> SimpleNamespace:
        assert url.endswith(f"/{ENTRY.repository}/resolve/main/{ENTRY.file}")
        self.asked += 1
        if self.error and not self.downloads:
            raise self.error
        return self.offered

    def hf_hub_download(self, repo_id: str, filename: str, *, revision: str, local_dir: Path) -> str:
        assert (repo_id, filename, revision) == (ENTRY.repository, ENTRY.file, COMMIT)
        assert local_dir.name.startswith(".")  # aside: no other program takes a half file for a whole one
        self.downloads += 1
        path = local_dir / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        (local_dir / ".cache").mkdir(exist_ok=True)
        return str(path)
