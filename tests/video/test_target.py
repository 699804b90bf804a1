"""Nothing of the user's is lost, nothing half-written stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.clips import write_image
from tests.support.media import Media, make
from tests.support.paths import ROOT
from vfe.types import VFEError
from vfe.video.info import VideoInfo
from vfe.video.planes import MAX_SIDE
from vfe.video.probe import probe
from vfe.video.read import Frame
from vfe.video.sidestreams import SideStreams
from vfe.video.videosink import VideoSink
from vfe.video.write import SinkConfig, open_sink

SIZE = (64, 48)
OVERWRITE = SinkConfig(overwrite=True)
FRAME = Frame(torch.zeros(3, 48, 64))


@pytest.fixture
def info(tmp_path: Path) -> VideoInfo:
    return probe(make(tmp_path / "in.mp4", Media(audio="aac")))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def refuses(path: Path | str, info: VideoInfo, words: str, config: SinkConfig | None = None) -> None:
    with pytest.raises(VFEError, match=words) as caught:
        open_sink(path, info, SIZE, config or SinkConfig())
    assert "\n" not in str(caught.value)


def test_output_folder_missing(tmp_path: Path, info: VideoInfo) -> None:
    refuses(tmp_path / "no" / "b.mp4", info, "no such folder; create it")
    refuses(tmp_path / "no" / "frames", info, "no such folder; create it")


def test_output_folder_is_a_file(tmp_path: Path, info: VideoInfo) -> None:
    refuses(tmp_path / "in.mp4" / "b.mp4", info, "no such folder")


def test_read_only_folder(tmp_path: Path, info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and Path(path) == locked))
    refuses(locked / "b.mp4", info, "cannot be written to")
    refuses(locked / "frames", info, "cannot be written to")


def test_existing_output(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / "b.mp4").write_text("mine")
    refuses(tmp_path / "b.mp4", info, "exists already; use --overwrite")
    with open_sink(tmp_path / "b.mp4", info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
        assert (tmp_path / "b.mp4").read_text() == "mine"
    assert probe(tmp_path / "b.mp4").frames == 1


def test_input_equals_output_also_through_links(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / "soft.mp4").symlink_to(tmp_path / "in.mp4")
    os.link(tmp_path / "in.mp4", tmp_path / "hard.mp4")
    for name in ("in.mp4", "soft.mp4", "hard.mp4"):
        refuses(tmp_path / name, info, "is the input itself", OVERWRITE)


def test_frames_never_go_into_the_folder_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "1.png")
    refuses(tmp_path / "in", probe(tmp_path / "in"), "folder of the input images", OVERWRITE)
    refuses(tmp_path / "in" / "1.png", probe(tmp_path / "in" / "1.png"), "is the input itself", OVERWRITE)


@pytest.mark.parametrize("name", ["b.xyz", "b.webm", "b.avi", "b.txt"])
def test_unknown_suffix(tmp_path: Path, info: VideoInfo, name: str) -> None:
    refuses(tmp_path / name, info, "unknown suffix")


def test_one_image_for_many_frames(tmp_path: Path, info: VideoInfo) -> None:
    refuses(tmp_path / "b.png", info, "names one image, but the input has many frames")


@pytest.mark.parametrize("size", [(0, 48), (64, 0), (-2, 48), (MAX_SIDE + 1, 48), (10**6, 10**6)])
def test_impossible_size(tmp_path: Path, info: VideoInfo, size: tuple[int, int]) -> None:
    with pytest.raises(VFEError, match="each side must be 1 to 16384"):
        open_sink(tmp_path / "b.mp4", info, size, SinkConfig())


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "frames", "frames2/"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, VFEError])
def test_an_exception_leaves_nothing(tmp_path: Path, info: VideoInfo, name: str, error: type[BaseException]) -> None:
    before = names(tmp_path)
    with pytest.raises(error), open_sink(f"{tmp_path}/{name}", info, SIZE, SinkConfig()) as sink:
        sink.write(FRAME)
        assert len(names(tmp_path)) == len(before) + 1  # the hidden temporary one
        raise error
    assert names(tmp_path) == before


def test_an_early_exception_and_a_clip_without_frames(tmp_path: Path, info: VideoInfo) -> None:
    before = names(tmp_path)
    with pytest.raises(KeyboardInterrupt), open_sink(tmp_path / "b.mp4", info, SIZE, SinkConfig()):
        raise KeyboardInterrupt
    assert names(tmp_path) == before


def test_interrupted_while_finishing(tmp_path: Path, info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SideStreams, "finish", interrupt)
    before = names(tmp_path)
    with pytest.raises(KeyboardInterrupt), open_sink(tmp_path / "b.mp4", info, SIZE, SinkConfig()) as sink:
        sink.write(FRAME)
    assert names(tmp_path) == before


def test_disk_full_is_named(tmp_path: Path, info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoSink, "_mux", full)
    before = names(tmp_path)
    with (
        pytest.raises(VFEError, match=r"disk full while writing .*b\.mp4"),
        open_sink(tmp_path / "b.mp4", info, SIZE, SinkConfig()) as sink,
    ):
        sink.write(FRAME)
    assert names(tmp_path) == before


LIMITED = """
import resource, signal, sys
import torch
from vfe.types import VFEError
from vfe.video.probe import probe
from vfe.video.read import Frame
from vfe.video.write import open_sink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, target, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    with open_sink(target, probe(source), (256, 256)) as sink:
        for i in range(40):
            torch.manual_seed(i)
            sink.write(Frame(torch.rand(3, 256, 256) * 2 - 1))
except VFEError as error:
    sys.exit(str(error))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the limit is a POSIX one")
@pytest.mark.parametrize("name", ["b.mp4", "frames"])
def test_disk_full_in_the_middle(tmp_path: Path, info: VideoInfo, name: str) -> None:
    """A real limit of the system on the size of files, met half way."""
    before = names(tmp_path)
    command = [sys.executable, "-c", LIMITED, str(info.path), str(tmp_path / name), "150000"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    assert run.stderr.startswith("disk full while writing"), run.stderr
    assert names(tmp_path) == before


def test_folder_with_files_of_the_user(tmp_path: Path, info: VideoInfo) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for name in ("notes.txt", "000001.png", "000009.png"):
        (frames / name).write_text(name)
    refuses(frames, info, "not empty; use --overwrite")
    with pytest.raises(KeyboardInterrupt), open_sink(frames, info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
        raise KeyboardInterrupt
    assert all((frames / name).read_text() == name for name in names(frames))
    assert len(names(frames)) == 3
    with open_sink(frames, info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
    assert names(frames) == ["000001.png", "000009.png", "notes.txt"]
    assert (frames / "000001.png").read_bytes()[1:4] == b"PNG"
    assert (frames / "000009.png").read_text() == "000009.png"
    assert names(tmp_path) == ["frames", "in.mp4"]


def test_empty_folder_is_used(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / "frames").mkdir()
    with open_sink(tmp_path / "frames", info, SIZE, SinkConfig()) as sink:
        sink.write(FRAME)
    assert names(tmp_path / "frames") == ["000001.png"]


def test_names_that_ffmpeg_could_misread(tmp_path: Path) -> None:
    source = make(tmp_path / "in.mp4")
    source = source.rename(tmp_path / "a:b %03d 'x'?.mp4")
    with open_sink(tmp_path / "pipe:out %d.mp4", probe(source), SIZE, SinkConfig()) as sink:
        sink.write(FRAME)
    assert probe(tmp_path / "pipe:out %d.mp4").frames == 1


LONGEST = {"plain": "x" * 246, "accents": "é" * 123}


@pytest.mark.parametrize("stem", LONGEST.values(), ids=LONGEST)
@pytest.mark.parametrize("suffix", [".mp4", ".png", ".jpeg", ""])
def test_the_longest_names(tmp_path: Path, stem: str, suffix: str) -> None:
    info = replace(probe(make(tmp_path / "in.mp4")), frames=1)
    path = tmp_path / (stem + suffix)
    with open_sink(path, info, SIZE) as sink:
        sink.write(FRAME)
    assert path.exists()
    assert names(tmp_path) == sorted(["in.mp4", path.name])


def test_long_names_of_images_of_one_stem(tmp_path: Path) -> None:
    """The second one is told apart by its suffix, as far as a name may go."""
    folder = tmp_path / "in"
    folder.mkdir()
    for suffix in (".bmp", ".png"):
        write_image(folder / f"{'y' * 251}{suffix}")
    with open_sink(tmp_path / "out", probe(folder), SIZE) as sink:
        for name in names(folder):
            sink.write(replace(FRAME, name=name))
    assert len(names(tmp_path / "out")) == 2


def test_a_folder_with_a_long_suffix_of_its_name(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / ("v." + "9" * 250)).mkdir()
    with open_sink(tmp_path / ("v." + "9" * 250), info, SIZE) as sink:
        sink.write(FRAME)
    assert names(tmp_path / ("v." + "9" * 250)) == ["000001.png"]


@pytest.mark.parametrize("kind", ["file", "dangling", "two links"])
@pytest.mark.parametrize("name", ["b.mp4", "b.png"])
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path, info: VideoInfo, kind: str, name: str) -> None:
    info = replace(info, frames=1)
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "stored", tmp_path / name
    target.write_text("old")
    if kind == "two links":
        (tmp_path / "between").symlink_to(target)
    link.symlink_to(tmp_path / "between" if kind == "two links" else Path("elsewhere") / "stored")
    if kind == "dangling":
        target.unlink()
    else:
        refuses(link, info, "exists already; use --overwrite")
    with open_sink(link, info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
    assert link.is_symlink()
    assert not target.is_symlink()
    assert probe(link).frames == 1
    assert names(tmp_path / "elsewhere") == ["stored"]


def test_links_in_and_to_a_folder_of_frames(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "kept.png").write_text("old")
    (tmp_path / "elsewhere" / "000001.png").symlink_to(tmp_path / "kept.png")
    (tmp_path / "frames").symlink_to("elsewhere")
    with open_sink(tmp_path / "frames", info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
    assert (tmp_path / "frames").is_symlink()
    assert (tmp_path / "frames" / "000001.png").is_symlink()
    assert (tmp_path / "kept.png").read_bytes()[1:4] == b"PNG"
    assert names(tmp_path / "elsewhere") == ["000001.png"]


def test_a_link_of_a_frame_to_another_disk(tmp_path: Path, info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "frames").mkdir()
    (tmp_path / "disk" / "far.png").write_text("old")
    (tmp_path / "frames" / "000001.png").symlink_to(tmp_path / "disk" / "far.png")
    move = Path.replace

    def as_between_disks(self: Path, target: Path) -> Path:
        if self.parent.name != "disk" and target.parent.name == "disk":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", as_between_disks)
    with open_sink(tmp_path / "frames", info, SIZE, OVERWRITE) as sink:
        sink.write(FRAME)
    assert (tmp_path / "disk" / "far.png").read_bytes()[1:4] == b"PNG"
    assert names(tmp_path / "disk") == ["far.png"]


def test_links_that_lead_nowhere_or_in_a_circle(tmp_path: Path, info: VideoInfo) -> None:
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "no" / "folder.mp4")
    refuses(tmp_path / "nowhere.mp4", info, "no such folder")
    (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")
    refuses(tmp_path / "a.mp4", info, "leads in a circle")


def test_pipes_are_refused(info: VideoInfo) -> None:
    for name in ("-", "/dev/stdout"):
        refuses(name, info, "a pipe cannot stand here; give the name of a file")
    for name in ("-", "/dev/stdin"):
        with pytest.raises(VFEError, match="a pipe cannot stand here"):
            probe(name)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipes_and_devices_by_their_kind(tmp_path: Path, info: VideoInfo) -> None:
    """Opening a pipe that nobody writes to would wait for ever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    refuses(tmp_path / "pipe.mp4", info, "is a pipe, not a file", OVERWRITE)
    refuses("/dev/null", info, "is a device", OVERWRITE)
    for path, kind in ((tmp_path / "pipe.mp4", "pipe"), (Path("/dev/null"), "device")):
        with pytest.raises(VFEError, match=f"is a {kind}"):
            probe(path)
