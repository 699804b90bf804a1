"""Downloads: asked for, checked, once; with a stand-in for the hub that serves files of a folder."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.fake_hub import COMMIT, DATA, ENTRY, SHA256, UNPINNED, Hub
from tests.support.paths import ROOT
from tests.support.terminal import Terminal
from vfe.cli.percent import PercentLine
from vfe.library import download as downloads
from vfe.library.catalogue import CatalogueEntry
from vfe.library.download import file_hash, pull
from vfe.types import VFEError

huggingface_hub = pytest.importorskip("huggingface_hub")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_comes_once(hub: Hub, tmp_path: Path) -> None:
    first = pull(ENTRY, tmp_path)
    assert first.path == tmp_path / "vae" / "tiny.safetensors"
    assert first.path.read_bytes() == DATA
    assert first.downloaded
    assert first.pinned
    assert first.sha256 == SHA256
    assert files(tmp_path) == {"vae/tiny.safetensors"}
    hub.asked = hub.downloads = 0
    again = pull(ENTRY, tmp_path)
    assert not again.downloaded
    assert again.path == first.path
    assert (hub.asked, hub.downloads) == (0, 0)


def test_a_copy_elsewhere_under_another_name_is_used(hub: Hub, tmp_path: Path) -> None:
    (other := tmp_path / "ComfyUI.safetensors").write_bytes(DATA)
    (false_friend := tmp_path / "same_size.safetensors").write_bytes(bytes(len(DATA)))
    pulled = pull(ENTRY, tmp_path / "cache", [false_friend, other])
    assert pulled.path == other
    assert not pulled.downloaded
    assert (hub.asked, hub.downloads) == (0, 0)
    assert not (tmp_path / "cache").exists()


def test_a_file_of_unknown_hash_is_checked_against_the_hub_once(hub: Hub, tmp_path: Path) -> None:
    first = pull(UNPINNED, tmp_path)
    assert first.downloaded
    assert not first.pinned
    assert first.sha256 == SHA256
    note = tmp_path / "vae" / "tiny.safetensors.sha256"
    assert note.read_text() == f"{SHA256}  tiny.safetensors\n"
    hub.asked = hub.downloads = 0
    assert not pull(UNPINNED, tmp_path).downloaded
    assert (hub.asked, hub.downloads) == (0, 0)
    note.unlink()
    assert not pull(UNPINNED, tmp_path).downloaded  # asked for its hash, not for the file
    assert (hub.asked, hub.downloads) == (1, 0)


@pytest.mark.parametrize("entry", [ENTRY, UNPINNED], ids=["pinned", "unpinned"])
@pytest.mark.parametrize("data", [bytes(len(DATA)), DATA[:-1], b""], ids=["wrong hash", "cut", "nothing"])
def test_what_is_not_the_file_leaves_nothing(data: bytes, entry: CatalogueEntry, hub: Hub, tmp_path: Path) -> None:
    hub.data = data
    with pytest.raises(VFEError, match="it was deleted, pull it again") as caught:
        pull(entry, tmp_path)
    assert SHA256 in str(caught.value)
    assert str(len(DATA)) in str(caught.value)
    assert files(tmp_path) == set()
    assert not list((tmp_path / "vae").iterdir())


@pytest.mark.parametrize("change", [{"size": 5}, {"etag": "0" * 64}])
def test_a_file_that_changed_on_the_hub_is_not_downloaded(change: dict[str, object], hub: Hub, tmp_path: Path) -> None:
    vars(hub.offered).update(change)
    with pytest.raises(VFEError, match="not the known file any more"):
        pull(ENTRY, tmp_path)
    assert hub.downloads == 0


@pytest.mark.parametrize("change", [{"size": None}, {"etag": "a git hash"}, {"commit_hash": None}])
def test_a_hub_that_names_no_hash_is_not_trusted(change: dict[str, object], hub: Hub, tmp_path: Path) -> None:
    vars(hub.offered).update(change)
    with pytest.raises(VFEError, match="no size and SHA-256"):
        pull(UNPINNED, tmp_path)
    assert hub.downloads == 0


def test_another_file_of_that_name_is_kept(hub: Hub, tmp_path: Path) -> None:
    (mine := tmp_path / "vae" / "tiny.safetensors").parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(VFEError, match="move it away"):
        pull(ENTRY, tmp_path)
    assert mine.read_bytes() == b"mine"
    assert hub.downloads == 0


class Server(BaseHTTPRequestHandler):
    """The part of huggingface.co that serves one file."""

    def do_HEAD(self) -> None:
        is_file = self.path.startswith(f"/{ENTRY.repository}/resolve/") and self.path.endswith(ENTRY.file)
        self.send_response(200 if is_file else 404)
        for name, value in {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{SHA256}"',
            "X-Linked-Etag": f'"{SHA256}"',
            "X-Linked-Size": str(len(DATA)),
            "Content-Length": str(len(DATA)),
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(DATA)

    def log_message(self, *_: object) -> None:
        pass


REAL_PULL = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.support.fake_hub import ENTRY, UNPINNED
from vfe.library.download import pull
from vfe.types import VFEError
for folder, entry in (("a", ENTRY), ("b", UNPINNED), ("c", replace(UNPINNED, file="missing.safetensors"))):
    try:
        print(pull(entry, Path(sys.argv[1]) / folder).downloaded)
    except VFEError as error:
        print(error)
"""


def test_the_real_huggingface_hub_downloads_and_reports(tmp_path: Path) -> None:
    """In a process of its own: the library reads its settings when it is imported."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "home")}
        environment = os.environ | settings | {"NO_PROXY": "127.0.0.1", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", REAL_PULL, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        server.shutdown()
    pinned, unpinned, missing = done.stdout.splitlines()
    assert (pinned, unpinned) == ("True", "True"), done.stderr
    assert missing.startswith("someone/tiny/missing.safetensors cannot be had from the Hugging Face hub: ")
    assert files(tmp_path / "a") == {"vae/tiny.safetensors"}
    assert files(tmp_path / "b") == {"vae/tiny.safetensors", "vae/tiny.safetensors.sha256"}


def hub_errors() -> list[BaseException]:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    base = HfHubHTTPError.__bases__[0]  # of the HTTP library: timeouts, refused connections
    return [
        OfflineModeIsEnabled("offline mode is enabled"),
        LocalEntryNotFoundError("cannot reach\nthe hub"),
        base("connection refused"),
        ConnectionError("no network"),
        RuntimeError("Data processing error: of the native downloader"),
    ]


@pytest.mark.parametrize("error", hub_errors(), ids=lambda error: type(error).__name__)
def test_offline_is_one_line(error: BaseException, hub: Hub, tmp_path: Path) -> None:
    hub.error = error
    with pytest.raises(VFEError, match="cannot be had from the Hugging Face hub: ") as caught:
        pull(ENTRY, tmp_path)
    assert "\n" not in str(caught.value)
    assert ENTRY.repository in str(caught.value)
    assert files(tmp_path) == set()


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("error", [ConnectionError("reset"), KeyboardInterrupt()], ids=["network", "Ctrl-C"])
@pytest.mark.parametrize("resumable", [True, False])
def test_an_interrupted_download_keeps_what_can_be_resumed(
    resumable: bool, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which huggingface_hub finds in the folder that it was given the last time."""
    folders = []

    def interrupted(repo_id: str, filename: str, *, revision: str, local_dir: Path) -> str:
        del repo_id, filename, revision
        folders.append(local_dir)
        (local_dir / "lock").touch()
        if resumable:
            (local_dir / "part.incomplete").write_bytes(DATA[:100])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "hf_hub_download", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else VFEError):
                pull(ENTRY, tmp_path)
    assert folders[0] == folders[1]
    assert folders[0].exists() == resumable
    assert not (tmp_path / "vae" / "tiny.safetensors").exists()
    assert pull(ENTRY, tmp_path).downloaded
    assert files(tmp_path) == {"vae/tiny.safetensors"}
    assert not folders[0].exists()


def test_a_full_disk_is_noticed_before_the_download(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    room = downloads.SPARE_DISK_BYTES + len(DATA)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(room, 0, room - 1))
    with pytest.raises(VFEError, match="GB free, needed are"):
        pull(ENTRY, tmp_path)
    assert hub.downloads == 0
    assert not list((tmp_path / "vae").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(room, 0, room))
    assert pull(ENTRY, tmp_path).downloaded


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(VFEError, match="No space left on device"):
        pull(ENTRY, tmp_path)


@pytest.mark.usefixtures("hub")
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "vae").write_text("a file in the way")
    with pytest.raises(VFEError, match="cannot be written"):
        pull(ENTRY, tmp_path)


def test_without_huggingface_hub_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(VFEError, match=r"pip install 'video-face-enhancement\[hub\]'"):
        pull(ENTRY, tmp_path)


def test_a_hash_is_made_with_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_CHUNK", 3000)
    (path := tmp_path / "file").write_bytes(DATA)
    seen: list[tuple[int, int | None]] = []
    assert file_hash(path, lambda done, total: seen.append((done, total))) == SHA256
    assert seen == [(3000, 7000), (6000, 7000), (7000, 7000)]


def test_progress_is_for_terminals() -> None:
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        line = PercentLine(stream, "checking file")
        for done in (1, 1, 2):
            line(done, 2)
        line.clear()
    assert log.getvalue() == ""
    written = terminal.getvalue().split("\r")
    assert [text.strip() for text in written] == ["", "checking file: 50 %", "checking file: 100 %", "", ""]
