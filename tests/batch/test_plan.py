"""What is done with each clip: where it goes, with which options, and when it is left alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vfe.batch.clips import Clip
from vfe.batch.given import GivenOptions
from vfe.batch.option_files import OptionFiles
from vfe.batch.plan import Choices, Failed, FileTask, Made, Planner, Skipped
from vfe.batch.record import Record

MADE = Made(3, 0.1)


class Folders:
    """A folder of clips and one of outputs."""

    def __init__(self, root: Path) -> None:
        self.root, self.output = root / "tapes", root / "restored"
        self.root.mkdir()
        self.output.mkdir()
        self.choices = Choices(self.output, GivenOptions(), {"model": "lite"})

    def clip(self, name: str) -> Clip:
        """A file of this name."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a clip")
        return Clip(path, Path(name))

    def planner(self, **changes: object) -> Planner:
        """A planner of another run, whose command line differs so."""
        choices = replace(self.choices, **changes)  # type: ignore[arg-type]
        return Planner(choices, OptionFiles(self.root), Record(self.output))

    def restored(self, clip: Clip) -> Path:
        """Restore a clip in a run of its own."""
        planner = self.planner()
        task = planner.plan(clip)
        assert isinstance(task, FileTask)
        assert planner.begin(task) is None
        task.output.write_bytes(b"restored")
        planner.end(task, MADE)
        return task.output


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def planned(planner: Planner, clip: Clip) -> FileTask:
    task = planner.plan(clip)
    assert isinstance(task, FileTask), task
    return task


def reason(planner: Planner, clip: Clip) -> str:
    failed = planner.plan(clip)
    assert isinstance(failed, Failed), failed
    assert "\n" not in failed.reason
    return failed.reason


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("a/b.mp4", "a/b.mp4"),
        ("b.MOV", "b.MOV"),
        ("b.avi", "b.mp4"),
        ("b.c.vob", "b.c.mp4"),
        ("b.jpg", "b.png"),
        ("b.heic", "b.png"),
        ("x" * 252 + ".ts", "x" * 251 + ".mp4"),
    ],
)
def test_outputs_lie_as_their_clips(name: str, output: str, folders: Folders) -> None:
    assert planned(folders.planner(), folders.clip(name)).output == folders.output / output


def test_a_folder_of_frames_becomes_a_folder(folders: Folders) -> None:
    folders.clip("a/reel.1/1.png")
    clip = Clip(folders.root / "a/reel.1", Path("a/reel.1"))
    assert planned(folders.planner(), clip).output == folders.output / "a/reel_1"


@pytest.mark.parametrize("other", ["a.mp4", "A.AVI", "A.mp4"])
def test_of_two_with_one_name_the_first_gets_it(other: str, folders: Folders) -> None:
    planner = folders.planner()
    first, second = folders.clip("a.avi"), folders.clip(other)
    planned(planner, first)
    assert "same name as a.avi" in reason(planner, second)
    planned(planner, first)


def test_names_that_unicode_writes_in_two_ways_are_one(folders: Folders) -> None:
    planner = folders.planner()
    planned(planner, folders.clip("caf\u00e9.avi"))
    assert "same name" in reason(planner, folders.clip("cafe\u0301.avi"))


def test_the_command_line_comes_first_and_a_preset_last(folders: Folders) -> None:
    clip = folders.clip("a.mp4")
    (folders.root / "batch.yaml").write_text('"*": {preset: old-film, strength: 0.2, fidelity: 0.1, crf: 20}')
    (folders.root / "a.vfe.yaml").write_text("strength: 0.3\nfidelity: 0.2")
    task = planned(folders.planner(given=GivenOptions(strength=0.4)), clip)
    options = task.options
    assert (options.strength, options.fidelity, options.crf) == (0.4, 0.2, 20)
    assert planned(folders.planner(given=GivenOptions(preset="webcam")), clip).options.region == "auto"
    assert "region" not in planned(folders.planner(given=GivenOptions(preset="webcam")), clip).given.named


def test_a_wrong_file_of_options_fails_its_clip(folders: Folders) -> None:
    clip = folders.clip("a.mp4")
    (folders.root / "a.vfe.yaml").write_text("preset: none-such")
    assert "'none-such'" in reason(folders.planner(), clip)


def test_what_is_done_is_skipped(folders: Folders) -> None:
    clip = folders.clip("a/b.mp4")
    output = folders.restored(clip)
    assert folders.planner().plan(clip) == Skipped("done before")
    assert folders.planner(overwrite=True).plan(clip) == Skipped("done before")
    assert "done before" not in reason(folders.planner(resume=False), clip)
    planned(folders.planner(resume=False, overwrite=True), clip)
    output.unlink()
    planned(folders.planner(), clip)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda folders, _: (folders.root / "a.mp4").write_bytes(b"another"), "made from an earlier a.mp4"),
        (lambda _, output: output.write_bytes(b"mine"), "was changed since it was made"),
        (lambda folders, _: (folders.output / ".vfe-batch.jsonl").unlink(), "was not made by such a run"),
        (lambda folders, _: (folders.root / "a.vfe.yaml").write_text("crf: 9"), "another crf (none, now 9)"),
    ],
)
def test_anything_else_is_left_as_it_is(change: object, part: str, folders: Folders) -> None:
    clip = folders.clip("a.mp4")
    output = folders.restored(clip)
    change(folders, output)  # type: ignore[operator]
    text = reason(folders.planner(), clip)
    assert part in text
    assert "--overwrite" in text
    planned(folders.planner(overwrite=True), clip)


def test_a_result_of_another_clip_or_model_is_left_as_it_is(folders: Folders) -> None:
    folders.restored(folders.clip("a.avi"))
    assert "made from a.avi" in reason(folders.planner(), folders.clip("a.mp4"))
    other = folders.planner(model={"model": "vividface"})
    assert "another model (lite, now vividface)" in reason(other, folders.clip("a.avi"))


def test_a_run_that_died_before_its_line_has_made_the_file(folders: Folders) -> None:
    """An output gets its name when it is complete."""
    clip, planner = folders.clip("a.mp4"), folders.planner()
    task = planned(planner, clip)
    planner.begin(task)
    planned(folders.planner(), clip)
    task.output.write_bytes(b"restored")
    assert folders.planner().plan(clip) == Skipped("done before")


def test_a_run_that_died_keeps_what_it_was_to_replace(folders: Folders) -> None:
    clip = folders.clip("a.mp4")
    (mine := folders.output / "a.mp4").write_bytes(b"mine")
    planner = folders.planner(overwrite=True)
    planner.begin(planned(planner, clip))
    assert "was not made by such a run" in reason(folders.planner(), clip)
    assert mine.read_bytes() == b"mine"


def test_what_appears_after_a_failure_is_not_ours(folders: Folders) -> None:
    clip, planner = folders.clip("a.mp4"), folders.planner()
    task = planned(planner, clip)
    planner.begin(task)
    planner.end(task, Failed("it is bad"))
    planned(folders.planner(), clip)
    task.output.write_bytes(b"mine")
    assert "was not made by such a run" in reason(folders.planner(), clip)


@pytest.mark.parametrize("ended", [True, False])
def test_what_a_killed_process_left_is_removed(ended: bool, folders: Folders) -> None:
    """Whether only its worker died, or the whole run."""
    clip, planner = folders.clip("a.mp4"), folders.planner()
    task = planned(planner, clip)
    planner.begin(task)
    left, others = folders.output / ".a.vfe-0123abcd.mp4", folders.output / ".b.vfe-0123abcd.mp4"
    left.touch()
    others.touch()
    if ended:
        planner.end(task, Failed("its process died"))
    else:
        folders.planner().begin(task)
    assert not left.exists()
    assert others.exists()


def test_what_the_disk_does_not_keep_has_failed(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    clip, planner = folders.clip("a.mp4"), folders.planner()
    task = planned(planner, clip)
    planner.begin(task)
    task.output.write_bytes(b"restored")
    with monkeypatch.context() as patch:
        patch.setattr("vfe.batch.plan.flush", full)
        assert planner.end(task, MADE) == Failed(f"{task.output}: No space left on device")
    assert "was not made by such a run" in reason(folders.planner(), clip)


def test_what_cannot_be_read_is_one_line(folders: Folders) -> None:
    planner = folders.planner()
    task = planned(planner, Clip(folders.root / "gone.mp4", Path("gone.mp4")))
    assert isinstance(failed := planner.begin(task), Failed)
    assert "No such file" in failed.reason
    if hasattr(os, "mkfifo"):
        os.mkfifo(folders.root / "pipe.mp4")
        assert "is a pipe" in reason(planner, Clip(folders.root / "pipe.mp4", Path("pipe.mp4")))


def test_a_file_where_a_folder_is_to_be(folders: Folders) -> None:
    clip, planner = folders.clip("a/b.mp4"), folders.planner()
    (folders.output / "a").touch()
    failed = planner.begin(task) if isinstance(task := planner.plan(clip), FileTask) else task
    assert isinstance(failed, Failed)
    assert str(folders.output / "a") in failed.reason or "Not a directory" in failed.reason
