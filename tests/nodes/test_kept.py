"""What a run made is not made again: seen by how often detector and models are called, and by equal results."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import folder_paths
import pytest
import skimage.data
import torch
from comfy_api.latest import InputImpl
from torch import Tensor

from tests.support.comfy_pack import Loose, images_of, part, run
from tests.support.comfy_wan_files import DIT, write_files
from vfe.types import VideoShape
from vfe.video.read import open_source

FRAMES, CUT, SIDE = 12, 7, 160
TICKS = 0.05  # seconds in which the clocks of files go on
KEPT = Path(folder_paths.get_temp_directory()) / "vfe_kept"


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """Each test begins with nothing kept."""
    shutil.rmtree(KEPT, ignore_errors=True)
    yield


@pytest.fixture(scope="module")
def restorer() -> Loose:
    return run("LoadWanRestorer", dtype="fp32")[0]


class Calls:
    """How often nets were called since it was asked for last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts = dict.fromkeys(("looks", "steps", "windows"), 0)
        for net in ("Detector", "Refiner"):
            self._count(monkeypatch, getattr(part("vfe.face.detect.net"), net), "forward", "looks")
        self._count(monkeypatch, part("nodes.backend.lite").ComfyLite, "velocity", "steps")
        self._count(monkeypatch, part("nodes.backend.wan").ComfyWan, "velocity", "steps")
        self._count(monkeypatch, part("vfe.pipeline.one_step").OneStepPipeline, "restore_window", "windows")

    def _count(self, monkeypatch: pytest.MonkeyPatch, owner: Loose, name: str, counter: str) -> None:
        plain = getattr(owner, name)

        def counted(*given: Loose, **more: Loose) -> Loose:
            self.counts[counter] += 1
            return plain(*given, **more)

        monkeypatch.setattr(owner, name, counted)

    def taken(self) -> set[str]:
        """Which were called: looks for faces, steps of a model, windows of frames restored. Counting begins anew."""
        called = {name for name, count in self.counts.items() if count}
        self.counts = dict.fromkeys(self.counts, 0)
        return called


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


EVERYTHING = {"looks", "steps", "windows"}


@pytest.fixture(scope="module")
def images() -> Tensor:
    """The astronaut's face twice, one of them mirrored, drifting over a plain wall, then a cut: an IMAGE."""
    picture = torch.from_numpy(skimage.data.astronaut().copy()).permute(2, 0, 1) / 127.5 - 1
    face = torch.nn.functional.interpolate(picture[None, :, 20:220, 130:310], (120, 108), mode="area")[0]
    clip = torch.full((FRAMES, 3, SIDE, 2 * SIDE), 0.1)
    for index, frame in enumerate(clip):
        if index >= CUT:
            frame.fill_(-0.7)
        frame[:, 20:140, 20 + index : 128 + index] = face
        if index < CUT:
            frame[:, 30:150, 190 - index : 298 - index] = face.flip(-1)
    return images_of(clip)


@pytest.fixture(scope="module")
def clip(images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 2 * SIDE, SIDE, "yuv420p"
        for image in (images * 255).round().byte().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def enhanced(restorer: Loose, clip: Path, **options: Loose) -> tuple[Tensor, str]:
    """The frames of the output, and what is said of them but for the time."""
    chosen = {"region": "face", "window": 9, "crf": 0, "fidelity": 1.0, **options}
    video = InputImpl.VideoFromFile(str(clip))
    result, report = run("EnhanceFaceVideo", restorer=restorer, video=video, **chosen)
    with open_source(Path(result.get_stream_source())) as source:
        frames = torch.stack([frame.pixels for frame in source])
    return frames, re.sub(r"in [\d.]+ s, .*", "", report)


def check_fresh(given: tuple[Tensor, str], restorer: Loose, clip: Path, **options: Loose) -> None:
    """It is what comes out where nothing is kept."""
    shutil.rmtree(KEPT)
    frames, report = enhanced(restorer, clip, **options)
    assert torch.equal(given[0], frames)
    assert given[1] == report


CHANGES: dict[str, tuple[dict[str, Loose], set[str]]] = {
    "blend": ({"blend": 0.4}, set()),
    "strength": ({"strength": 0.5}, {"windows"}),
    "faces": ({"faces": "1"}, set()),
    "min_face": ({"min_face": 20}, set()),
    "crf": ({"crf": 12}, set()),
    "fidelity": ({"fidelity": 0.2}, {"steps", "windows"}),
    "scale": ({"scale": "x2"}, {"steps", "windows"}),
}
"""Options that change after a run, and what has to be done again for them."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_does_again_what_depends_on_a_change(restorer: Loose, clip: Path, calls: Calls, name: str) -> None:
    options, needed = CHANGES[name]
    before = enhanced(restorer, clip)
    assert calls.taken() == EVERYTHING
    given = enhanced(restorer, clip, **options)
    assert calls.taken() == needed
    assert given[0].shape != before[0].shape or not torch.equal(given[0], before[0]) or name == "min_face"
    check_fresh(given, restorer, clip, **options)


def test_faces_in_whole_frames_are_blended_again(restorer: Loose, clip: Path, calls: Calls) -> None:
    """Of frames the steps are kept; crops are, which the part for faces made of what those give again."""
    options = {"region": "frame", "fidelity": 0.2}
    enhanced(restorer, clip, **options)
    calls.taken()
    given = enhanced(restorer, clip, **options, blend=0.3)
    assert calls.taken() == {"windows"}
    check_fresh(given, restorer, clip, **options, blend=0.3)


def test_a_wan_restorer_keeps_what_it_made(clip: Path, calls: Calls) -> None:
    write_files()
    (restorer,) = run("LoadWanRestorer", model=DIT.name, dtype="fp32")
    enhanced(restorer, clip)
    assert calls.taken() == EVERYTHING
    enhanced(restorer, clip, blend=0.5)
    assert calls.taken() == set()
    given = enhanced(restorer, clip, strength=0.5)
    assert calls.taken() == {"windows"}
    check_fresh(given, restorer, clip, strength=0.5)
    calls.taken()
    lora = {"lora_1": "lora1.safetensors", "strength_1": 0.5}
    (other,) = run("LoadWanRestorer", model=DIT.name, dtype="fp32", **lora)
    enhanced(other, clip)
    assert calls.taken() == {"steps", "windows"}  # faces are where they were


def test_a_model_that_computes_otherwise_restores_anew(restorer: Loose, clip: Path, calls: Calls) -> None:
    enhanced(restorer, clip)
    calls.taken()
    (same,) = run("LoadWanRestorer", dtype="fp32")
    enhanced(same, clip)
    assert calls.taken() == set()
    (other,) = run("LoadWanRestorer", dtype="bf16")
    enhanced(other, clip)
    assert calls.taken() == {"steps", "windows"}


def test_steps_of_the_last_blocks_make_another_model(restorer: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of it is not taken for what it gives with more steps."""

    def identity() -> str:
        size, reporter = VideoShape(9, 64, 64), part("nodes.host.reporter").Reporter(9)
        shown = part("nodes.run.shown").shown_restorer(restorer, size, None, reporter)
        return str(shown.pipeline.pipeline.results.identity)

    before = identity()
    assert identity() == before
    monkeypatch.setattr(restorer.dit, "roll", part("vfe.models.dit.head_steps").HeadRoll(1, 2, 1.0))
    assert identity() != before


def test_another_clip_is_looked_at(restorer: Loose, clip: Path, calls: Calls, tmp_path: Path) -> None:
    enhanced(restorer, clip)
    calls.taken()
    enhanced(restorer, Path(shutil.copy(clip, tmp_path / "copy.mp4")))
    assert calls.taken() == set()
    with av.open(str(clip)) as source, av.open(str(tmp_path / "short.mp4"), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[:CUT]:
            packet.stream = stream
            container.mux(packet)
    enhanced(restorer, tmp_path / "short.mp4")
    assert "looks" in calls.taken()


def test_damaged_files_are_made_anew(restorer: Loose, clip: Path, calls: Calls) -> None:
    before = enhanced(restorer, clip)
    calls.taken()
    for path in KEPT.iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    assert torch.equal(enhanced(restorer, clip)[0], before[0])
    assert calls.taken() == EVERYTHING


def test_photos_are_blended_again(restorer: Loose, images: Tensor, calls: Calls) -> None:
    (first, _) = run("EnhanceFaceImage", restorer=restorer, image=images[:1], region="face")
    assert calls.taken() == EVERYTHING
    (half, _) = run("EnhanceFaceImage", restorer=restorer, image=images[:1], region="face", blend=0.5)
    assert calls.taken() == {"looks"}
    assert (half - torch.lerp(images[:1], first, 0.5)).abs().max() < 1e-5


@pytest.mark.parametrize(
    "change",
    [{"faces": "2"}, {"feather": 0.3}, {"margin": 2.5}, {"crop_size": 64}, {"min_face": 500}, {"names": "1 Ann"}],
    ids=lambda change: next(iter(change)),
)
def test_faces_of_an_image_are_found_once(images: Tensor, calls: Calls, change: dict[str, Loose]) -> None:
    run("FaceMask", images=images)
    assert calls.taken() == {"looks"}
    given = run("FaceMask", images=images, **change)
    assert calls.taken() == set()
    shutil.rmtree(KEPT)
    fresh = run("FaceMask", images=images, **change)
    assert calls.taken() == {"looks"}
    for kept, anew in zip(given, fresh, strict=True):
        if isinstance(kept, Tensor):
            assert torch.equal(kept, anew)
    assert given[3] == fresh[3]
    assert given[1].tracks.cuts == fresh[1].tracks.cuts == (CUT,)
    for kept, anew in zip(given[1].tracks.tracks, fresh[1].tracks.tracks, strict=True):
        for field in ("boxes", "landmarks", "scores", "seen", "presence", "masks", "matrices"):
            assert torch.equal(getattr(kept, field), getattr(anew, field))


def test_another_image_or_other_boxes_are_looked_at(images: Tensor, calls: Calls) -> None:
    run("FaceMask", images=images)
    calls.taken()
    changed = images.clone()
    changed[-1, 0, 0, 0] += 0.01
    run("FaceMask", images=changed)
    assert calls.taken() == {"looks"}
    for x in (20, 22):
        run("FaceMask", images=images, detections=[{"x": x, "y": 20, "width": 108, "height": 120}])
        assert calls.taken() == {"looks"}


def test_what_is_kept_has_an_end(tmp_path: Path) -> None:
    """A run makes room by what earlier ones left, the least used of it, and by nothing of its own."""
    files = part("nodes.host.kept_files").KeptFiles
    value = {"value": torch.arange(1000.0)}
    room = 3 * 4200  # with headers

    def has(key: str) -> bool:
        return files(tmp_path, room).find(key, lambda source: source.get("value")) is not None

    first = files(tmp_path, room)
    for key in "abcd":
        first.keep(key, value)
    assert [has(key) for key in "abcd"] == [True, True, True, False]
    time.sleep(TICKS)
    assert has("a")  # and b is now the one that was not used for the longest time
    time.sleep(TICKS)
    second = files(tmp_path, room)
    for key in "ef":
        second.keep(key, value)
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["a", "e", "f"]
    second.keep("g", {"value": torch.zeros(9000)})
    assert [path.stem for path in sorted(tmp_path.iterdir())] == ["a", "e", "f"]


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = part("nodes.host.kept_files").KeptFiles(tmp_path / "file")
    assert not kept.keep("a", {"value": torch.zeros(3)})
    assert kept.find("a", lambda source: source.get("value")) is None


def test_without_room_nothing_is_looked_for(tmp_path: Path) -> None:
    """Of a clip that is larger than the room the first windows are found again, and no more is paid for the others."""
    results, files = part("nodes.run.kept_windows").Results, part("nodes.host.kept_files").KeptFiles
    looked = []

    class Noted(files):  # type: ignore[valid-type,misc]
        def find(self, key: str, read: Loose) -> Loose:
            found = super().find(key, read)
            looked.append(found is not None)
            return found

    def take(values: Iterable[int]) -> None:
        once = results(Noted(tmp_path, 2 * 4200), "a model").once
        for value in values:
            made = once([torch.tensor(value)], lambda: "so", lambda value=value: torch.full((1000,), float(value)))
            assert made.eq(value).all()

    take(range(6))
    assert looked == [False, False, False]  # the third found no room
    looked.clear()
    take(range(6))
    assert looked == [True, True, False]


def test_what_is_made_in_another_way_is_kept_as_that(tmp_path: Path) -> None:
    """As where memory runs out meanwhile: with it, the next run would have made the other."""
    results, files = part("nodes.run.kept_windows").Results, part("nodes.host.kept_files").KeptFiles
    ways = ["at once"]

    def short_of_memory() -> Tensor:
        ways[0] = "in parts"
        return torch.ones(2)

    seen = [torch.arange(3)]
    results(files(tmp_path), "a model").once(seen, lambda: ways[0], short_of_memory)
    ways[0] = "at once"
    assert results(files(tmp_path), "a model").once(seen, lambda: ways[0], lambda: torch.zeros(2)).eq(0).all()
    ways[0] = "in parts"
    assert results(files(tmp_path), "a model").once(seen, lambda: ways[0], lambda: torch.zeros(2)).eq(1).all()


def test_what_is_kept_lies_in_memory_as_it_did(tmp_path: Path) -> None:
    """Networks may compute otherwise, to the last bits, of what lies otherwise."""
    once = part("nodes.run.kept_windows").Results(part("nodes.host.kept_files").KeptFiles(tmp_path), "a model").once
    given = torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)
    for _ in range(2):
        made = once([], lambda: "so", lambda: given)
        assert torch.equal(made, given)
        assert made.stride() == given.stride()


WORDS = 70_001  # more than a part of a fingerprint, and a rest


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64], ids=str)
def test_fingerprints_tell_tensors_apart(dtype: torch.dtype) -> None:
    fingerprint = part("nodes.host.fingerprint").fingerprint
    plain = torch.arange(WORDS).remainder(200).to(dtype)
    prints = {fingerprint(plain), fingerprint(plain[:-1]), fingerprint(plain[None]), fingerprint(plain[1:])}
    for index in (0, 1, 2, 3, 40_000, WORDS - 1):
        changed = plain.clone()
        changed[index] = 201
        prints.add(fingerprint(changed))
        changed[index - 5] = 201
        prints.add(fingerprint(changed))
    swapped = plain.clone()
    swapped[0], swapped[4] = plain[4], plain[0]
    prints.add(fingerprint(swapped))
    assert len(prints) == 4 + 2 * 6 + 1
    assert fingerprint(plain.clone()) == fingerprint(plain)
    assert fingerprint(torch.cat([plain[:1], plain])[1:]) == fingerprint(plain)  # that begins elsewhere in memory


def test_fingerprints_see_the_highest_bits_alone() -> None:
    """Where numbers differ by multiples of 2^48, sums of the plain numbers would be equal once in 65 536 pairs."""
    fingerprint = part("nodes.host.fingerprint").fingerprint
    chance = torch.Generator().manual_seed(1)
    high = torch.randint(0, 2**15, (20_000, 8), generator=chance) << 48
    assert len({fingerprint(row) for row in high}) == len(high)
