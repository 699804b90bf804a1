"""Inputs of a live run: files at their own speed, cameras of three platforms, streams that are not there."""

from __future__ import annotations

import time
import types
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.clips import Clip, picture, write_clip
from tests.support.media import Media, make
from vfe.live import cameras
from vfe.live.cameras import Camera, CameraMode, find_camera, list_cameras
from vfe.live.source import LiveInput, LiveSource
from vfe.types import VFEError
from vfe.video.read import open_source

CLIP = Clip(frames=10, rate=100)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("live") / "clip.mp4", CLIP)


def test_a_file_is_played_at_its_own_speed(clip: Path) -> None:
    source = LiveSource(LiveInput(clip))
    began = time.monotonic()
    frames = list(source.frames())
    source.close()
    assert [frame.number for frame in frames] == list(range(10))
    assert all(frame.taken - began >= frame.number / 100 for frame in frames)
    assert np.abs(frames[3].develop().astype(int) - picture(3, 64, 48)).mean() < 4


def test_a_file_begins_again(clip: Path) -> None:
    source = LiveSource(LiveInput(clip, loops=True))
    frames = source.frames()
    seen = [next(frames) for _ in range(25)]
    source.stopped.set()
    assert list(frames) == []
    source.close()
    assert [frame.number for frame in seen] == list(range(25))
    assert np.array_equal(seen[3].develop(), seen[13].develop())
    assert np.array_equal(seen[3].develop(), seen[23].develop())


def test_stopping_does_not_wait_for_a_frame_that_is_not_due(tmp_path: Path) -> None:
    slow = write_clip(tmp_path / "slow.mkv", Clip(frames=2, codec="ffv1", pts=(0, 3_600_000)))
    source = LiveSource(LiveInput(slow))
    frames = source.frames()
    next(frames)
    source.stopped.set()
    assert list(frames) == []
    source.close()


def test_turned_files_are_upright(tmp_path: Path) -> None:
    path = make(tmp_path / "turned.mp4", Media(rotation=90))
    source = LiveSource(LiveInput(path))
    first = next(source.frames())
    source.close()
    with open_source(path) as whole:
        shown = ((next(iter(whole)).pixels + 1) * 127.5).permute(1, 2, 0).numpy()
    assert first.develop().shape == shown.shape
    assert np.abs(first.develop() - shown).mean() < 3


@pytest.mark.parametrize("where", [Path("missing.mp4"), "udp://127.0.0.1:1?timeout=1", "nonsense://there"])
def test_what_is_not_there_gives_one_line(where: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfe.live.source.READ_SECONDS", 0.2)
    with pytest.raises(VFEError, match="cannot be opened") as caught:
        LiveSource(LiveInput(where))
    assert str(where) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_video_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VFEError, match=r"text\.mp4: cannot be opened"):
        LiveSource(LiveInput(tmp_path / "text.mp4"))


def test_a_camera_that_is_gone_gives_one_line() -> None:
    camera = Camera("/dev/video97", "Webcam", "v4l2")
    with pytest.raises(VFEError, match="camera Webcam: cannot be opened") as caught:
        LiveSource(LiveInput(camera))
    assert "--list" in str(caught.value)


def write_cameras(folder: Path, **titles: str) -> None:
    """As Linux lists them; of each camera there is a second device without pictures."""
    for number, (name, title) in enumerate(titles.items()):
        for index in ("0", "1"):
            device = folder / f"video{2 * number + int(index)}"
            device.mkdir(parents=True)
            (device / "name").write_text(f"{title}\n")
            (device / "index").write_text(f"{index}\n")
        assert name


def test_cameras_of_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cameras(tmp_path, first="Integrated Camera", second="USB Capture")
    monkeypatch.setattr(cameras, "LINUX_CAMERAS", tmp_path)
    assert [(camera.device, camera.title) for camera in list_cameras("linux")] == [
        ("/dev/video0", "Integrated Camera"),
        ("/dev/video2", "USB Capture"),
    ]
    assert find_camera("", CameraMode(), "linux").device == "/dev/video0"
    assert find_camera("1", CameraMode(), "linux").device == "/dev/video2"
    assert find_camera("usb", CameraMode(), "linux").device == "/dev/video2"
    chosen = find_camera("/dev/video9", CameraMode((640, 480), 30), "linux")
    assert chosen.device == "/dev/video9"
    assert chosen.options == {"video_size": "640x480", "framerate": "30"}


@pytest.mark.parametrize(
    ("platform", "form", "devices"),
    [("darwin", "avfoundation", ["0:none", "1:none"]), ("win32", "dshow", ["video=@a", "video=@b"])],
)
def test_cameras_of_others(platform: str, form: str, devices: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By PyAV, which sees microphones too."""
    found = [("@a", "FaceTime", ["video"]), ("@m", "Mic", ["audio"]), ("@b", "Capture", ["video", "audio"])]
    asked: list[str] = []

    def enumerate_input_devices(name: str) -> list[types.SimpleNamespace]:
        asked.append(name)
        return [types.SimpleNamespace(name=n, description=d, media_types=m) for n, d, m in found]

    module = types.SimpleNamespace(enumerate_input_devices=enumerate_input_devices)
    monkeypatch.setitem(__import__("sys").modules, "av.device", module)
    assert [camera.device for camera in list_cameras(platform)] == devices
    assert [camera.title for camera in list_cameras(platform)] == ["FaceTime", "Capture"]
    assert asked[0] == form
    assert find_camera("capture", CameraMode(), platform).device == devices[1]


def test_cameras_that_are_not_there_give_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "LINUX_CAMERAS", tmp_path)
    with pytest.raises(VFEError, match="no camera on this machine; plug one in"):
        find_camera("", CameraMode(), "linux")
    write_cameras(tmp_path, first="Integrated Camera")
    with pytest.raises(VFEError, match="no camera 'usb' on this machine; there are 0 Integrated Camera"):
        find_camera("usb", CameraMode(), "linux")
    with pytest.raises(VFEError, match="no way to read cameras on plan9"):
        list_cameras("plan9")


def test_an_older_pyav_cannot_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av.device", None)
    with pytest.raises(VFEError, match="install PyAV"):
        list_cameras("darwin")


def test_a_camera_that_has_no_frame_yet_is_asked_again(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of macOS say so instead of waiting."""
    source = LiveSource(LiveInput(clip))
    real, times = source._container, []

    class Impatient:
        def demux(self, stream: object) -> object:
            times.append(1)
            if len(times) < 3:
                raise av.BlockingIOError(11, "Resource temporarily unavailable")
            return real.demux(stream)

    def demux(stream: object) -> object:
        def packets() -> object:
            yield from Impatient().demux(stream)  # type: ignore[misc]

        return packets()

    monkeypatch.setattr(source, "_container", types.SimpleNamespace(demux=demux))
    assert len(list(source.frames())) == 10
    assert len(times) == 3
    real.close()


def test_a_stream_that_ends_says_so(clip: Path) -> None:
    source = LiveSource(LiveInput(f"file:{clip}"))
    with pytest.raises(VFEError, match="has ended"):
        list(source.frames())
    source.close()
