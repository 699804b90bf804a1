"""The menu script of DaVinci Resolve, against a mock of the documented API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editors.resolve import install
from editors.resolve.vfe_resolve import choices as choices_of
from editors.resolve.vfe_resolve.choices import Choices
from editors.resolve.vfe_resolve.cut import path_of, placements_of
from editors.resolve.vfe_resolve.dialog import WINDOW
from editors.resolve.vfe_resolve.failure import Failure
from editors.resolve.vfe_resolve.menu import main
from editors.resolve.vfe_resolve.run import run_in_console
from editors.resolve.vfe_resolve.tracks import Tracks
from tests.support.clips import Clip, write_clip
from tests.support.mock_fusion_ui import MockDispatcher, MockUIManager, fusion_with
from tests.support.mock_resolve import (
    MockMediaPool,
    MockMediaPoolItem,
    MockProject,
    MockResolve,
    MockTimeline,
    MockTimelineItem,
)
from tests.support.resolve_scene import START, Scene
from tests.support.restored_cut import clip, nested, timeline_of, track
from tests.support.vfe_program import vfe_program
from vfe.video.probe import probe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for vfe is a script of Unix")


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices_of, "SETTINGS", tmp_path / "settings.json")


A, B, C = ("a.18-79.mov", START, 12, 10), ("b.0-33.mov", START + 15, 10, 12), ("a.18-79.mov", START + 3, 42, 8)


@pytest.mark.parametrize("counts_end", [True, False], ids=["the last frame counts", "it does not"])
def test_clips_come_above_those_they_are_of(counts_end: bool, tmp_path: Path) -> None:
    scene = Scene(tmp_path, counts_end=counts_end)
    placements, others = placements_of(scene.restored)
    assert Tracks(scene.project, scene.timeline).place(placements) == (3, [])
    assert others == []
    assert scene.timeline.names == ["", "VFE of V1", "", "VFE of V2"]
    assert scene.placed() == [[A, B], [C]]


def test_an_older_resolve_has_them_on_top(tmp_path: Path) -> None:
    scene = Scene(tmp_path, inserts_tracks=False)
    Tracks(scene.project, scene.timeline).place(placements_of(scene.restored)[0])
    assert scene.timeline.names == ["", "", "VFE of V2", "VFE of V1"]
    assert scene.placed() == [[C], [A, B]]


def test_what_was_on_the_timeline_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path, counts_end=False)
    before = [list(items) for items in scene.timeline.tracks]
    Tracks(scene.project, scene.timeline).place(placements_of(scene.restored)[0])
    after = [items for name, items in zip(scene.timeline.names, scene.timeline.tracks, strict=True) if not name]
    assert after == before
    assert scene.pool.folder == "Master"


def test_a_clip_that_is_not_where_the_file_says_is_left_out(tmp_path: Path) -> None:
    """As where the timeline was cut on meanwhile."""
    scene = Scene(tmp_path)
    scene.timeline.tracks[0][1].start += 1
    count, left = Tracks(scene.project, scene.timeline).place(placements_of(scene.restored)[0])
    assert (count, left) == (2, ["B"])
    assert scene.placed() == [[A], [C]]


def test_files_that_resolve_does_not_read_are_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.pool.refuses = "b.0-33.mov"
    with pytest.raises(Failure, match=r"does not import .*b\.0-33\.mov"):
        Tracks(scene.project, scene.timeline).place(placements_of(scene.restored)[0])
    assert scene.timeline.names == ["", ""]


def test_changed_speed_and_nested_clips_are_left_out(tmp_path: Path) -> None:
    fast = clip("fast", tmp_path / "a.mov", 20, 10, (0, 60), effect="LinearTimeWarp.1")
    inner = nested("inner", clip("deep", tmp_path / "a.mov", 0, 7, (0, 60)))
    output = timeline_of(tmp_path / "cut.otio", track([fast, inner, clip("after", tmp_path / "a.mov", 5, 6, (0, 60))]))
    placements, others = placements_of(output)
    assert others == ["fast", "inner"]
    assert [(one.name, one.record) for one in placements] == [("after", 17)]


def test_rates_may_differ_from_that_of_the_timeline(tmp_path: Path) -> None:
    """Media of 50 frames/s in a timeline of 25: the place in the file is in frames of the file."""
    output = timeline_of(tmp_path / "cut.otio", track([clip("A", tmp_path / "a.mov", 30, 10, (40, 90), rate=50.0)]))
    (one,) = placements_of(output)[0]
    assert (one.record, one.duration, one.first, one.frames) == (0, 10, 20, 20)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tracks": {"children": [{"kind": "Video"}]}}', '{"tracks": 3}'])
def test_files_that_are_no_timeline_are_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "cut.otio").write_text(text, encoding="utf-8")
    with pytest.raises(Failure, match=r"cut\.otio: cannot be read as a timeline") as caught:
        placements_of(tmp_path / "cut.otio")
    assert "\n" not in str(caught.value)


def test_urls_and_paths_are_read(tmp_path: Path) -> None:
    (tmp_path / "a b.mov").touch()
    expected = str(tmp_path / "a b.mov")
    uri = (tmp_path / "a b.mov").as_uri()
    for url in (expected, uri, uri.replace("file:///", "file://localhost/"), "a b.mov", "a%20b.mov"):
        assert path_of(url, tmp_path) == expected


# --- with vfe ---------------------------------------------------------------------------------------------------------


def stand_in(folder: Path, body: str) -> str:
    """A program in place of vfe; `body` has its options in `given`."""
    program = folder / "vfe"
    head = f"#!{sys.executable}\nimport sys, json, time, os, shutil\ngiven = sys.argv[1:]\n"
    program.write_text(head + body, encoding="utf-8")
    program.chmod(0o755)
    return str(program)


RESTORES = """
assert "PYTHONPATH" not in os.environ and given[0] == "conform" and "--overwrite" in given
json.dump(given, open(os.path.join(os.path.dirname(sys.argv[0]), "given.json"), "w"))
print(json.dumps({"stage": "restoring", "done": 5, "total": 10}), file=sys.stderr, flush=True)
print("[1/1] a.mov: 10 frames", flush=True)
shutil.copyfile(given[1], given[given.index("-o") + 1])
"""


def console(scene: Scene, choices: Choices) -> list[str]:
    said: list[str] = []
    run_in_console(MockResolve(scene.project), choices, said.append, pause=0.01)
    return said


def choices_for(scene: Scene, body: str = RESTORES, **given: Any) -> Choices:  # noqa: ANN401
    return Choices(program=stand_in(scene.folder, body), folder=str(scene.folder / "results"), **given)


def test_a_run_exports_restores_and_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "of Resolve")
    scene = Scene(tmp_path)
    said = console(scene, choices_for(scene, region="auto", only_clips="-A*", min_face=64))
    assert said[-1] == "3 clips restored on new tracks"
    assert "restoring: 5 of 10 frames" in said
    assert scene.placed() == [[A, B], [C]]
    given = json.loads((tmp_path / "given.json").read_text(encoding="utf-8"))
    assert Path(given[1]).name == "My cut _ 1.otio"
    assert given[-5:] == ["--region", "auto", "--min-face", "64", "--only-clips=-A*"]


def test_the_result_may_be_a_timeline_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    said = console(scene, choices_for(scene, as_timeline=True))
    assert said[-1] == "the timeline My cut / 1 restored is there"
    output = str(tmp_path / "results" / "My cut _ 1.restored.otio")
    assert scene.pool.timelines == [(output, {"timelineName": "My cut / 1 restored", "importSourceClips": True})]
    assert scene.placed() == []


def test_what_vfe_says_last_is_shown_where_it_fails(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    said = console(scene, choices_for(scene, "print('vfe: error: a.mov: no such file', file=sys.stderr); sys.exit(1)"))
    assert said[-1] == "VFE: vfe: error: a.mov: no such file"
    assert scene.timeline.names == ["", ""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _scene, choices: setattr(choices, "program", "no/vfe"), "the program no/vfe is not there"),
        (lambda scene, _choices: setattr(scene.project, "timeline", None), "no timeline is open"),
        (lambda _scene, choices: setattr(choices, "folder", "/dev/null/x"), "/dev/null/x: cannot be made"),
    ],
    ids=["program", "timeline", "folder"],
)
def test_what_is_missing_is_said(change: Callable[[Scene, Choices], None], words: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    choices = choices_for(scene)
    change(scene, choices)
    (line,) = console(scene, choices)
    assert words in line


def test_a_resolve_without_otio_says_so(tmp_path: Path) -> None:
    class Older(MockResolve):
        EXPORT_OTIO = None  # type: ignore[assignment]

    said: list[str] = []
    scene = Scene(tmp_path)
    run_in_console(Older(scene.project), choices_for(scene), said.append)
    assert "needed is version 18.5" in said[0]


@pytest.mark.slow
def test_with_vfe_itself(tmp_path: Path) -> None:
    """The timeline is one that OpenTimelineIO wrote, and what lies on the new track is what the cut shows."""
    otio = pytest.importorskip("opentimelineio", reason="OpenTimelineIO is not installed here")
    source = write_clip(tmp_path / "a b.mkv", Clip(frames=60, width=128, height=96, codec="ffv1"))
    rate, zero = 25, otio.opentime.RationalTime(0, 25)
    whole = otio.opentime.TimeRange(zero, otio.opentime.RationalTime(60, rate))
    used = otio.opentime.TimeRange(otio.opentime.RationalTime(20, rate), otio.opentime.RationalTime(9, rate))
    cut = otio.schema.Timeline("cut", global_start_time=otio.opentime.RationalTime(START, rate))
    line = otio.schema.Track("V1", kind="Video")
    line.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(zero, otio.opentime.RationalTime(7, rate))))
    line.append(otio.schema.Clip("A", otio.schema.ExternalReference(str(source), whole), used))
    cut.tracks.append(line)
    otio.adapters.write_to_file(cut, str(tmp_path / "cut.otio"))
    timeline = MockTimeline(
        tmp_path / "cut.otio", [[MockTimelineItem(MockMediaPoolItem(source), START + 7, 9)]], names=[""]
    )
    project = MockProject(timeline, MockMediaPool(timeline))
    said: list[str] = []
    choices = Choices(program=str(vfe_program(tmp_path)), folder=str(tmp_path / "results"), region="frame")
    run_in_console(MockResolve(project), choices, said.append)
    assert said[-1] == "1 clip restored on new tracks"
    (placed,) = timeline.tracks[1]
    assert placed.item is not None
    assert (placed.start, placed.duration) == (START + 7, 9)
    assert placed.info["startFrame"] == 12  # of the file, which begins 12 frames before: the handles
    assert probe(placed.item.path).frames == 12 + 9 + 12


def in_dialog(scene: Scene, choices: Choices, user: Callable[[MockDispatcher], None]) -> MockDispatcher:
    """Run the menu entry with a dialog and a user."""
    choices.write()
    dispatcher = MockDispatcher(user)
    bmd = type("Bmd", (), {"UIDispatcher": staticmethod(lambda _ui: dispatcher)})
    main(MockResolve(scene.project, fusion_with(MockUIManager())), bmd, "vfe")
    return dispatcher


def wait_for(dispatcher: MockDispatcher, is_there: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < until
        dispatcher.tick()
        time.sleep(0.02)


def test_the_dialog_runs_it_and_keeps_the_choices(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    shown: list[str] = []

    def user(dispatcher: MockDispatcher) -> None:
        assert dispatcher.window is not None
        items = dispatcher.window.GetItems()
        assert items["Region"].entries == ["Faces, nothing else", "Faces, or whole frames they fill", "Whole frames"]
        items["Region"].CurrentIndex = 2
        dispatcher.send("Start", "Clicked")
        assert (items["Start"].Enabled, items["Cancel"].Enabled) == (False, True)
        wait_for(dispatcher, lambda: bool(items["Start"].Enabled))
        dispatcher.tick()  # nothing is imported twice
        shown.append(items["Status"].Text)
        dispatcher.send(WINDOW, "Close")

    dispatcher = in_dialog(scene, choices_for(scene), user)
    assert shown == ["3 clips restored on new tracks"]
    assert dispatcher.has_left
    assert scene.placed() == [[A, B], [C]]
    assert Choices.read().region == "frame"


@pytest.mark.parametrize("by", ["Cancel", "Close"])
def test_the_dialog_ends_the_process(by: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    slow = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(100)"

    def user(dispatcher: MockDispatcher) -> None:
        dispatcher.send("Start", "Clicked")
        wait_for(dispatcher, lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        dispatcher.send("Cancel", "Clicked") if by == "Cancel" else dispatcher.send(WINDOW, "Close")
        if by == "Cancel":
            assert dispatcher.window is not None
            assert "cancelled" in str(dispatcher.window.GetItems()["Status"].Text)

    in_dialog(scene, choices_for(scene, slow), user)
    pid, until = int((tmp_path / "pid").read_text()), time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert scene.timeline.names == ["", ""]


def is_running(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
        os.kill(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return False
    return True


def test_without_a_dialog_the_console_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path)
    choices_for(scene).write()
    main(MockResolve(scene.project, fusion_with(None)), object(), "vfe")
    assert capsys.readouterr().out.splitlines()[-1] == "3 clips restored on new tracks"


@pytest.mark.parametrize("text", ["", "[1]", '{"folder": 3, "region": "face", "more": 1}'])
def test_settings_that_make_no_sense_count_for_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(text, encoding="utf-8")
    assert Choices.read() == Choices()


# --- the installer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, ".local/share/DaVinciResolve/Fusion/Scripts/Utility"),
        ("darwin", {}, "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility"),
        ("win32", {}, "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Utility"),
    ],
)
def test_scripts_lie_where_the_readme_says(platform: str, environ: dict[str, str], expected: str) -> None:
    assert install.scripts_folder(platform, Path("home"), environ) == Path("home") / expected


def test_the_entry_leads_to_the_script(tmp_path: Path) -> None:
    """It is run as Resolve runs it: in a fresh Python, with its objects as globals."""
    entry = install.install(tmp_path / "Utility", "/opt/it's/vfe")
    ran = f"import runpy; runpy.run_path({str(entry)!r}, {{'resolve': None, 'bmd': None}})"
    done = subprocess.run([sys.executable, "-I", "-c", ran], capture_output=True, text=True)
    assert done.stdout == "VFE: this is for DaVinci Resolve; start it there under Workspace > Scripts\n", done.stderr
