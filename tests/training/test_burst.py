"""Training for minutes: what is packed, how clips are damaged, and that all stages run, stop in time and go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.packed_faces import SIDE, smooth_picture, tiny_pack
from tests.support.paths import ROOT
from tests.support.random_squeeze import random_squeeze
from tests.support.tiny_lite import tiny_lite
from training.burst import run
from training.burst.clips import PairConfig, PairMaker, Pairs, held_out_pairs
from training.burst.damage import Damage, DamageConfig
from training.burst.damage.camera import Camera, align, film
from training.burst.damage.quantise import Codec, apply_codec, to_rgb, to_ycc
from training.burst.dice import Dice
from training.burst.frame_part import FramePart
from training.burst.loop import STATE_FILE
from training.burst.model import new_restorer, restorer_config
from training.burst.motion import ClipConfig, ClipMaker
from training.burst.pack import PackedItem, list_hash, main
from training.burst.packed import HELD_OUT_EVERY, PackedAlbum, read_pack, read_packed_album, write_pack
from training.burst.plan import Plan, PlanConfig
from training.burst.pool import HELD_OUT_SHARD, MixedLengths, shard_name, write_shard
from training.burst.restorer import ImageDistances, damage_weight
from training.burst.true_codes import predicted_codes, true_codes
from training.lite.net import restore_video
from training.losses.perceptual.squeeze import SQUEEZE_FILE, load_squeeze
from training.prior.naming import target_codes
from vfe.types import VFEError
from vfe.weights.adapter import load_prior
from vfe.weights.lite import load_lite_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    write_pack(folder, tiny_pack())
    save_file(random_squeeze(), folder / SQUEEZE_FILE)
    return folder


@pytest.fixture(scope="module")
def album(packed: Path) -> PackedAlbum:
    return read_packed_album(packed, CPU)


def test_a_pack_comes_back(tmp_path: Path) -> None:
    first, second = (write_pack(tmp_path / name, tiny_pack()) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    for name, value in read_pack(tmp_path / "a")._asdict().items():
        assert np.array_equal(value, getattr(tiny_pack(), name)), name


def test_training_without_a_pack_is_one_line(tmp_path: Path) -> None:
    save_file(random_squeeze(), tmp_path / SQUEEZE_FILE)
    with pytest.raises(SystemExit, match=r"faces.npz does not exist; make it"):
        run.main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--minutes", "1", "--device", "cpu"])


def test_people_are_held_out_with_all_their_clips(album: PackedAlbum) -> None:
    assert len(album.held_out) == 2
    assert len(album.trained) == HELD_OUT_EVERY
    assert album.pictures.shape[1:] == (3, SIDE, SIDE)
    assert (album.pictures[3].float() - smooth_picture(3)).abs().mean() < 3


def test_the_hash_is_of_names_and_contents() -> None:
    item = PackedItem("a.jpg", Path("a.jpg"), Path("a.npz"), "p", "00", False)
    assert list_hash([item]) != list_hash([item._replace(sha256="01")])
    assert list_hash([item]) != list_hash([item._replace(name="b.jpg")])


def test_packing_without_a_manifest_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"manifest.json does not exist"):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "out")])


def test_clips_move_but_keep_their_size_and_are_the_same_again(album: PackedAlbum) -> None:
    maker = ClipMaker(album, ClipConfig(frames=5, still_share=0.0))
    once, again, other = (maker(Dice(6, (0, seed), CPU)) for seed in (1, 1, 2))
    assert once.shape == (6, 5, 3, SIDE, SIDE)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.diff(dim=1).abs().flatten(1).amax(1).min() > 0
    assert once.min() >= 0
    assert once.max() <= 255


def test_colours_convert_exactly() -> None:
    rgb = torch.rand(2, 3, 8, 8, dtype=torch.float64) * 255
    assert torch.allclose(to_rgb(to_ycc(rgb)), rgb, atol=1e-9)
    grey = torch.full((1, 3, 4, 4), 100.0, dtype=torch.float64)
    assert torch.allclose(to_ycc(grey)[:, 0], grey[:, 0])
    assert to_ycc(grey)[:, 1:].abs().max() < 1e-9


def test_a_camera_without_turn_or_size_gives_the_clip_back() -> None:
    video = torch.rand(2, 3, 3, 32, 32) * 255
    camera = Camera(torch.ones(2), torch.zeros(2, 3), torch.zeros(2, 3, 2))
    canvas = camera.canvas(32)
    assert canvas >= 32
    assert canvas % 16 == 0
    back = align(film(video, camera, canvas), camera, 32, torch.zeros(2, dtype=torch.bool))
    assert (back - video).abs().max() < 1e-2


def test_a_turned_camera_puts_the_face_back_where_it_was() -> None:
    """A smooth picture through a turn, a move and half the size: no shift of its place by a tenth of a pixel."""
    picture = torch.stack([smooth_picture(5).float()] * 2)[None]
    camera = Camera(torch.tensor([2.0]), torch.tensor([[0.2, -0.1]]), torch.tensor([[[3.0, -2.0], [0.5, 4.2]]]))
    back = align(film(picture, camera, camera.canvas(SIDE)), camera, SIDE, torch.zeros(1, dtype=torch.bool))
    inner = (slice(None), slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert (back[inner] - picture[inner]).abs().mean() < 1.5


def codec(qp: float, *, table: bool = False) -> Codec:
    yes, no = torch.tensor([True]), torch.tensor([False])
    return Codec(torch.tensor([qp]), yes if table else no, no, yes)


@pytest.mark.parametrize("table", [False, True])
def test_a_codec_loses_more_with_a_larger_step_and_no_colour(table: bool) -> None:
    noise = torch.randn(1, 3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 12
    video = torch.stack([smooth_picture(n).float() for n in range(3)])[None] + noise
    still = Camera(torch.ones(1), torch.zeros(1, 3), torch.zeros(1, 3, 2))
    errors = [(apply_codec(video, codec(qp, table=table), still) - video) for qp in (10.0, 28.0, 40.0)]
    sizes = [float(error.square().mean()) for error in errors]
    assert sizes[0] < sizes[1] < sizes[2]
    assert max(float(error.mean((0, 1, 3, 4)).abs().max()) for error in errors) < 0.7


def test_damage_is_seeded_and_keeps_the_mean_colour(album: PackedAlbum) -> None:
    maker, damage = ClipMaker(album, ClipConfig(frames=4)), Damage(DamageConfig(clean_share=0.0))
    clean = maker(Dice(24, (0, 7), CPU))
    once, again = (damage(clean, Dice(24, (1, 7), CPU)) for _ in range(2))
    assert torch.equal(once, again)
    assert once.shape == clean.shape
    assert torch.equal(once, once.round())
    assert once.min() >= 0
    assert once.max() <= 255
    assert (once - clean).mean((0, 1, 3, 4)).abs().max() < 0.5
    assert (once - clean).square().mean() > 4


def test_clean_clips_stay_as_they_are(album: PackedAlbum) -> None:
    clean = ClipMaker(album, ClipConfig(frames=4))(Dice(3, (0, 1), CPU))
    assert torch.equal(Damage(DamageConfig(clean_share=1.0))(clean, Dice(3, (0, 1), CPU)), clean)


def test_pairs_are_those_of_the_seed_and_the_step(album: PackedAlbum) -> None:
    config = PairConfig(clips=ClipConfig(frames=5))
    first, again, later, other = (
        PairMaker(album, config, seed)(step, 2).clean for seed, step in ((0, 1), (0, 1), (0, 2), (1, 1))
    )
    assert first.shape == (2, 3, 5, SIDE, SIDE)
    assert first.abs().max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("frames", [4, 5])
def test_the_part_for_frames_restores_what_was_damaged(album: PackedAlbum, frames: int) -> None:
    frame_part = FramePart(tiny_lite(0.02))
    config = PairConfig(clips=ClipConfig(frames=frames))
    plain, restored = (PairMaker(album, config, 0, part)(1, 2) for part in (None, frame_part))
    assert torch.equal(plain.clean, restored.clean)
    expected = frame_part((plain.degraded.transpose(1, 2) * 127.5 + 127.5).round())
    assert torch.allclose(restored.degraded, expected.transpose(1, 2) / 127.5 - 1, atol=1e-6)
    assert not torch.equal(plain.degraded, restored.degraded)


def test_some_steps_learn_from_single_frames(album: PackedAlbum) -> None:
    maker = PairMaker(album, PairConfig(clips=ClipConfig(frames=4), still_every=2), 0)
    assert maker(2, 2).clean.shape[2] == 1
    assert maker(3, 2).clean.shape[2] == 4


def test_the_same_image_is_no_perceptual_distance(packed: Path) -> None:
    squeeze = load_squeeze(packed / SQUEEZE_FILE)
    a, b = torch.rand(2, 2, 3, 32, 32)
    assert squeeze(a, a) == 0
    assert squeeze(a, b) > 0
    with pytest.raises(VFEError, match="is missing"):
        save_file({"conv1.weight": torch.zeros(1)}, packed / "other.safetensors")
        load_squeeze(packed / "other.safetensors")


def test_what_is_nearly_clean_counts_for_more() -> None:
    clean = torch.zeros(3, 3, 1, 8, 8)
    damage = torch.tensor([0.0, 0.04, 0.3]).view(3, 1, 1, 1, 1)
    weights = damage_weight(Pairs(clean + damage, clean, clean + damage)).flatten().tolist()
    assert weights == pytest.approx([3.0, 1.0, 0.5])


def test_an_untrained_restorer_returns_its_input(album: PackedAlbum) -> None:
    net = new_restorer(restorer_config(SIDE, tiny=True), album)
    video = held_out_pairs(album, PairConfig(clips=ClipConfig(frames=5)), 2).degraded
    assert (restore_video(net, video) - video).abs().max() < 1e-4


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """So small networks are no faster with two, and on a busy machine ten times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second a look: how many steps are taken does not depend on the machine."""
    seconds = count(step=0.5)
    monkeypatch.setattr("training.burst.loop.perf_counter", lambda: next(seconds))


def plan(album: PackedAlbum, packed: Path, out: Path, **changes: object) -> Plan:
    config = replace(PlanConfig(minutes=0.2, batch=2, save_seconds=5, held_out=2, tiny=True), **changes)  # type: ignore[arg-type]
    return Plan(config, album, ImageDistances(load_squeeze(packed / SQUEEZE_FILE)), out)


@pytest.mark.slow
def test_all_stages_run_and_leave_files_that_load(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    plan(album, packed, tmp_path).run()
    assert load_prior(tmp_path / "predict" / "best.safetensors", torch.float32).config.entries == 32
    for stage in ("fidelity", "adversary"):
        net = load_lite_model(tmp_path / stage / "last.safetensors", CPU, torch.float32)
        assert net.prior is not None
        assert net.config.dit.places == (SIDE // 16, SIDE // 16)
        curves = json.loads((tmp_path / stage / "curves.json").read_text())
        assert curves[-1]["step"] >= 1
        assert "gain" in curves[-1]
        assert (tmp_path / stage / "sheet.png").exists()


@pytest.mark.slow
def test_parts_of_the_prior_are_left_out(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    """The ablation of DVFace: the same prior, of which the restorer gets one part, the other, or nothing."""
    plan(album, packed, tmp_path, stages=("codebook", "predict"), minutes=0.02).run()
    for part, fusion in (("spatial", ("own", "none")), ("temporal", ("none", "shared")), (None, None)):
        plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.01, prior=part).run()
        net = load_lite_model(tmp_path / "fidelity" / "last.safetensors", CPU, torch.float32)
        assert (net.config.fusion and (net.config.fusion.spatial, net.config.fusion.temporal)) == fusion
        shutil.rmtree(tmp_path / "fidelity")


@pytest.mark.slow
def test_the_fusion_learns_alone(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    """On a restorer that stays as it is, which shows what a prior adds."""
    plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.02, prior=None).run()
    first = tmp_path / "first.safetensors"
    shutil.move(tmp_path / "fidelity" / "last.safetensors", first)
    shutil.rmtree(tmp_path / "fidelity")
    alone: dict[str, object] = {"stages": ("fidelity",), "minutes": 0.1, "init": first, "fusion_alone": True}
    with pytest.raises(VFEError, match="run the stage predict"):
        plan(album, packed, tmp_path, **alone).run()
    plan(album, packed, tmp_path, stages=("codebook", "predict"), minutes=0.02).run()
    plan(album, packed, tmp_path, **alone).run()
    before, after = (
        load_lite_model(path, CPU, torch.float32) for path in (first, tmp_path / "fidelity" / "last.safetensors")
    )
    assert after.fusion is not None
    assert any(
        weight.abs().max() > 0 for name, weight in after.fusion.named_parameters() if name.endswith("proj.weight")
    )
    for name, value in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], value), name


@pytest.mark.slow
def test_true_codes_are_those_of_the_clean_clip(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    """They need no trained predictor, and a restorer makes something else of them."""
    plan(album, packed, tmp_path, stages=("codebook",), minutes=0.02).run()
    plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.03, true_codes=True, seed=1).run()
    net = load_lite_model(tmp_path / "fidelity" / "last.safetensors", CPU, torch.float32)
    pair = held_out_pairs(album, PairConfig(clips=ClipConfig(frames=5)), 2)
    shown, guessed = true_codes(net, pair.degraded, pair.clean), predicted_codes(net, pair.degraded, pair.clean)
    assert shown is not None
    assert guessed is not None
    assert net.prior is not None
    assert torch.equal(shown.spatial, target_codes(net.prior, pair.clean).spatial.codes)
    assert not torch.equal(shown.spatial, guessed.spatial)
    assert net.fusion is not None
    for weight in net.fusion.parameters():  # so short a run leaves them at zero
        torch.nn.init.normal_(weight, std=0.1)
    assert not torch.equal(restore_video(net, pair.degraded, pair.original, shown), restore_video(net, *pair[::2]))


@pytest.mark.slow
def test_a_stopped_stage_goes_on(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    short = plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.03)
    short.run()
    steps = json.loads((tmp_path / "fidelity" / "curves.json").read_text())[-1]["step"]
    plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.08).run()
    curves = json.loads((tmp_path / "fidelity" / "curves.json").read_text())
    assert curves[-1]["step"] > steps
    assert [row["step"] for row in curves] == sorted({row["step"] for row in curves})


@pytest.mark.slow
def test_a_run_of_steps_is_the_same_however_long_it_takes(
    album: PackedAlbum, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learning rate and losses follow the steps: a slow machine, which saves more often, gets the same weights."""
    for name, pause in (("quick", 0.5), ("slow", 30.0)):
        seconds = count(step=pause)
        monkeypatch.setattr("training.burst.loop.perf_counter", lambda at=seconds: next(at))
        plan(album, packed, tmp_path / name, stages=("fidelity",), minutes=None, steps=4).run()
    runs = [tmp_path / name / "fidelity" for name in ("quick", "slow")]
    states = [torch.load(run / STATE_FILE, weights_only=True) for run in runs]
    assert [state["clock"]["step"] for state in states] == [4, 4]
    assert [len(state["clock"]["curves"]) for state in states] == [1, 4]
    for quick, slow in zip(*(state["average"] for state in states), strict=True):
        assert torch.equal(quick, slow)


@pytest.mark.parametrize("length", [{"minutes": 1.0, "steps": 5}, {"minutes": None}, {"minutes": 0.0}, {"steps": 0}])
def test_a_run_has_one_length(length: dict[str, float | None]) -> None:
    with pytest.raises(VFEError, match="needed one of them, above 0"):
        PlanConfig(**length)  # type: ignore[arg-type]


@pytest.mark.slow
def test_too_large_a_batch_is_halved(
    album: PackedAlbum, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    plain = PairMaker.__call__

    def scarce(self: PairMaker, step: int, count: int) -> object:
        sizes.append(count)
        if count > 4:
            raise torch.OutOfMemoryError("no memory")
        return plain(self, step, count)

    monkeypatch.setattr(PairMaker, "__call__", scarce)
    plan(album, packed, tmp_path, stages=("fidelity",), minutes=0.06, batch=16).run()
    assert [size for size in sizes if size > 4] == [16, 8]
    assert sizes[-1] == 4


@pytest.mark.slow
def test_longer_clips_come_in_smaller_batches(album: PackedAlbum, packed: Path, tmp_path: Path) -> None:
    pairs = np.random.default_rng(0).integers(0, 256, (3, 3, 5, 3, SIDE, SIDE), dtype=np.uint8)
    for name in (shard_name(0), HELD_OUT_SHARD):
        write_shard(tmp_path / name, pairs)
    settings = {"stages": ("fidelity",), "minutes": 0.05, "batch": 3, "frames": 4, "pool": tmp_path}
    settings["mixed"] = MixedLengths(join_every=2, still_every=4)
    plan(album, packed, tmp_path / "out", **settings).run()
    curves = json.loads((tmp_path / "out" / "fidelity" / "curves.json").read_text())
    assert curves[-1]["step"] >= 2
    assert torch.load(tmp_path / "out" / "fidelity" / STATE_FILE, weights_only=True)["clock"]["batch"] == 3


def test_unknown_stages_are_refused() -> None:
    with pytest.raises(VFEError, match="needed some of codebook"):
        PlanConfig(stages=("all",))  # type: ignore[arg-type]
    with pytest.raises(VFEError, match="of a pool: give one"):
        PlanConfig(mixed=MixedLengths(join_every=2))


def test_the_command_needs_no_more_than_torch_and_its_friends() -> None:
    """A rented machine has neither PyAV nor OpenCV nor what training/train.py needs."""
    script = (
        "import sys\n"
        "for name in ('av', 'cv2', 'accelerate', 'yaml', 'tqdm', 'matplotlib', 'scipy', 'psutil', 'diffusers'):\n"
        "    sys.modules[name] = None\n"
        "import training.burst.run"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
