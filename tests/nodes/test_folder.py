"""A folder of clips, file to file: its results, what is skipped, what fails alone, and names that lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import comfy.model_management
import folder_paths
import pytest

import vfe
from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.comfy_pack import Loose, part, run
from vfe.options import RestoreOptions

FRAMES = 5


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


@pytest.fixture
def tapes(tmp_path: Path) -> Iterator[Path]:
    """ComfyUI's own folders, with two clips and what is none among the inputs."""
    before = folder_paths.get_input_directory(), folder_paths.get_output_directory()
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    folder_paths.set_input_directory(str(tmp_path / "input"))
    folder_paths.set_output_directory(str(tmp_path / "output"))
    folder = tmp_path / "input" / "tapes"
    (folder / "old").mkdir(parents=True)
    write_clip(folder / "a.mp4", Clip(frames=FRAMES, audio=True))
    write_clip(folder / "old" / "b.mkv", Clip(frames=FRAMES))
    (folder / "readme.txt").write_text("no clip")
    yield folder
    folder_paths.set_input_directory(before[0])
    folder_paths.set_output_directory(before[1])


def restored(restorer: Loose, **inputs: Loose) -> tuple[list[str], list[str]]:
    """The lines of the summary, and the results."""
    summary, files = run("EnhanceFolder", restorer=restorer, **{"folder": "tapes", **inputs})
    return summary.splitlines(), files


def test_each_clip_comes_out_as_by_vfe(restorer: Loose, tapes: Path) -> None:
    lines, files = restored(restorer, output="done/here", crf=0)
    output = tapes.parents[1] / "output" / "done" / "here"
    assert files == [str(output / "a.mp4"), str(output / "old" / "b.mkv")]
    assert lines[0] == "2 clips: 2 restored"
    assert lines[1].startswith(f"a.mp4: {FRAMES} frames in ")
    own = tapes.parent / "own.mp4"
    vfe.load("lite", "cpu", "fp32").restore_file(tapes / "a.mp4", own, RestoreOptions(crf=0))
    assert abs(read_pixels(output / "a.mp4").astype(int) - read_pixels(own)).max() <= 1


def test_more_steps_than_it_was_trained_for_are_refused(restorer: Loose, tapes: Path) -> None:
    """Before a clip is begun, as all would fail."""
    with pytest.raises(ValueError, match="set steps to what it was trained for"):
        restored(restorer, steps=2)
    assert not list((tapes.parents[1] / "output").rglob("*.mp4"))


def test_what_is_done_is_skipped_and_what_is_new_is_not(restorer: Loose, tapes: Path) -> None:
    _, first = restored(restorer)
    write_clip(tapes / "c.mp4", Clip(frames=1))
    lines, files = restored(restorer)
    assert lines[0] == "3 clips: 1 restored, 2 skipped"
    assert "a.mp4: done before" in lines
    assert set(first) < set(files)


def test_one_that_fails_stops_no_other(restorer: Loose, tapes: Path) -> None:
    (tapes / "a.mp4").write_bytes(b"no video")
    lines, files = restored(restorer)
    assert lines[0] == "2 clips: 1 restored, 1 failed"
    assert lines[1].startswith("a.mp4: failed: ")
    assert [Path(file).name for file in files] == ["b.mkv"]


def test_where_all_fail_the_node_does(restorer: Loose, tapes: Path) -> None:
    for clip in (tapes / "a.mp4", tapes / "old" / "b.mkv"):
        clip.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"none of 2 clips could be restored; a\.mp4: failed: ") as caught:
        restored(restorer)
    assert "\n" not in str(caught.value)


def test_other_options_replace_nothing_unasked(restorer: Loose, tapes: Path) -> None:
    del tapes
    restored(restorer)
    for changed in ({"strength": 0.5}, {"preset": "old-film"}, {"window": 9}):
        with pytest.raises(ValueError, match="switch overwrite on to replace it"):
            restored(restorer, **changed)
    lines, _ = restored(restorer, strength=0.5, overwrite=True)
    assert lines[0] == "2 clips: 2 restored"


def test_another_model_is_another_result(restorer: Loose, tapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del tapes
    restored(restorer)
    assert restorer.made_of["model"] == "lite (bundled)"
    monkeypatch.setattr(restorer, "made_of", {**restorer.made_of, "model": "other"})
    with pytest.raises(ValueError, match="another model"):
        restored(restorer)


def test_options_of_one_file_come_between(restorer: Loose, tapes: Path) -> None:
    """What is set on the node comes before them, and the preset after."""
    (tapes / "a.vfe.yaml").write_text("strength: 0.25")
    record = tapes.parents[1] / "output" / "restored" / ".vfe-batch.jsonl"
    restored(restorer, preset="old-film", min_face=9)
    chosen = [line for line in record.read_text().splitlines() if '"done"' in line]
    assert ['"strength": 0.25' in line for line in chosen] == [True, False]
    assert ['"strength": 0.8' in line for line in chosen] == [False, True]
    assert all('"min_face": 9' in line for line in chosen)


@pytest.mark.parametrize("name", ["..", "../elsewhere", "/", "tapes/../..", "tapes\0"])
def test_names_that_lead_elsewhere_are_refused(name: str, restorer: Loose, tapes: Path) -> None:
    del tapes
    for changed in ({"folder": name}, {"output": name}):
        with pytest.raises(ValueError, match=r"is not in ComfyUI's (input|output) folder; name a folder in "):
            restored(restorer, **changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"folder": "none"}, "no such folder; put one with the clips"),
        ({"folder": "tapes/a.mp4"}, "no such folder"),
        ({"folder": "empty"}, "no videos or images there"),
        ({"output": "file"}, "cannot be made"),
        ({"faces": "somebody"}, "faces"),
        ({"preset": "gone"}, "no preset is called 'gone'"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(changed: dict[str, str], words: str, restorer: Loose, tapes: Path) -> None:
    (tapes.parent / "empty").mkdir()
    (tapes.parents[1] / "output" / "file").touch()
    with pytest.raises(ValueError, match=words):
        restored(restorer, **changed)


def test_links_among_the_inputs_are_followed(restorer: Loose, tapes: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write_clip(tmp_path / "elsewhere" / "c.mp4", Clip(frames=1))
    (tapes.parent / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert [Path(file).name for file in restored(restorer, folder="linked")[1]] == ["c.mp4"]


def test_an_interrupt_leaves_nothing_and_goes_on(restorer: Loose, tapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the second clip: the first is done, and is skipped when the node runs again."""
    reporter = part("nodes.host.reporter").Reporter
    plain, output = reporter.report, tapes.parents[1] / "output" / "restored"

    def report(self: Loose, done: int, total: int | None = None) -> None:
        if (output / "old").exists():
            comfy.model_management.interrupt_current_processing()
        plain(self, done, total)

    with monkeypatch.context() as patched:
        patched.setattr(reporter, "report", report)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            restored(restorer)
    assert sorted(path.name for path in output.rglob("*")) == [".vfe-batch.jsonl", "a.mp4", "old"]
    assert restored(restorer)[0][0] == "2 clips: 1 restored, 1 skipped"


def test_it_says_which_clip_it_is_at(restorer: Loose, tapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del tapes
    said: list[str] = []
    monkeypatch.setattr(part("nodes.host.reporter"), "show_text", said.append)
    monkeypatch.setattr(part("nodes.run.folder"), "show_text", said.append)
    restored(restorer)
    for name in ("a.mp4 (1 of 2): ", "old/b.mkv (2 of 2): "):
        assert any(line.startswith(name) for line in said)
    assert said[-1] == "2 clips: 2 restored"


def test_it_runs_again_though_nothing_was_changed_in_the_graph() -> None:
    node = part("nodes.enhance_folder").EnhanceFolder
    assert node.fingerprint_inputs(folder="tapes") != node.fingerprint_inputs(folder="tapes")
