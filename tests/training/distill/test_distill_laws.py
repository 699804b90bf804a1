"""Laws of output, feature and severity distillation, of quantised students and of kept teachers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.support.distill_run import distill_run, first_terms, trained
from tests.support.tiny_lite import drifting_pattern, tiny_lite
from training.distill.batch import DistillBatch
from training.distill.fake_quantised import fp8_rounded, input_rounded, int8_rounded, round_linears
from training.distill.methods.feature import (
    FeatureConfig,
    FeatureTerm,
    LearnedMask,
    masked_error,
    on_one_grid,
    overlap_of,
    random_mask,
)
from training.distill.methods.output import OutputConfig, OutputTerm
from training.distill.methods.severity import SeverityConfig, SeverityTerm
from training.distill.restorer import LiteRestorer
from training.distill.teacher import Teacher, TeacherConfig
from training.run.loop import Run
from training.run.stage import Draw, Slots
from training.train import load_config, start
from vfe.models.dit.fp8 import Fp8Linear
from vfe.models.dit.int8 import Int8Linear, has_fast_int8
from vfe.types import VideoShape
from vfe.weights.lite import load_lite_model, save_lite_model

CPU = torch.device("cpu")


def student() -> LiteRestorer:
    return LiteRestorer(tiny_lite(0.02).requires_grad_(True))


def teacher(folder: Path, head: float = 0.05) -> Teacher:
    path = folder / "teacher.safetensors"
    save_lite_model(path, tiny_lite(head), {}, torch.float32)
    return Teacher(TeacherConfig(lite=str(path)), CPU, half=False)


def batch(net: LiteRestorer, paired: tuple[bool, ...] = (True, True), milder: Tensor | None = None) -> DistillBatch:
    """Two clips; what is not paired has a clean twin of NaN, which would be seen wherever it is read."""
    degraded = torch.cat([drifting_pattern(5, 32, 32), drifting_pattern(5, 32, 32).flip(3)])
    known = torch.tensor(paired)
    clean = torch.where(known.view(-1, 1, 1, 1, 1), 0.9 * degraded, torch.nan)
    z_hq = torch.where(known.view(-1, 1, 1, 1, 1), net.codec.encode(0.9 * degraded), torch.nan)
    return DistillBatch(net.codec.encode(degraded), z_hq, degraded, clean, torch.ones(2, 1, 5, 32, 32), known, milder)


def draw(step: int = 0) -> Draw:
    return Draw(0, step, 0.0, Slots(0, 2, 2))


def test_the_clean_twin_of_unlabelled_clips_is_never_read(tmp_path: Path) -> None:
    net = student()
    run = first_run(tmp_path)
    for paired in ((True, False), (False, False)):
        clips = batch(net, paired)
        z_hq = net(clips.z_lq)
        term = OutputTerm(OutputConfig(dists=1.0), teacher(tmp_path), nn.MSELoss())(net, clips, z_hq, draw())
        whole = run.stage.trainables[0](clips, draw()).terms
        milder = clips._replace(milder=clips.degraded)
        apart = SeverityTerm(SeverityConfig(), teacher(tmp_path))(net, milder, z_hq, draw())
        assert set(whole) == ({"latent", "output"} if any(paired) else {"output"})
        assert bool(apart) == any(paired)
        loss = torch.stack([*term.values(), *whole.values(), *apart.values()]).sum()
        assert loss.isfinite()
        net.zero_grad()
        loss.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_a_batch_of_which_nothing_is_known_moves_nothing(tmp_path: Path) -> None:
    run = start(load_config(distill_run(tmp_path, {"severity": {}})))
    module = run.stage.trainables[0]
    clips = batch(student(), (False, False))
    terms = module(clips._replace(milder=clips.degraded), draw()).terms
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())


def first_run(folder: Path) -> Run:
    return start(load_config(distill_run(folder, {"output": {}})))


def test_severity_by_an_identity_on_clean_clips_is_plain(tmp_path: Path) -> None:
    net = student()
    clips = batch(net)
    z_hq = net(clips.z_lq)
    config = SeverityConfig(milder=0.0, weight=1.0)
    identity = SeverityTerm(config, teacher(tmp_path, head=0.0))(net, clips._replace(milder=clips.clean), z_hq, draw())
    plain = (z_hq - clips.z_hq).square().add(1e-6).sqrt().mean()
    assert torch.allclose(identity["severity"], plain)
    by_truth = SeverityTerm(config, Teacher(TeacherConfig(kind="ground_truth"), CPU, half=False))
    assert torch.allclose(by_truth(net, clips._replace(milder=clips.degraded), z_hq, draw())["severity"], plain)
    with pytest.raises(ValueError, match="no milder twins"):
        SeverityTerm(config, teacher(tmp_path))(net, clips, z_hq, draw())
    with pytest.raises(ValueError, match="needed rising"):
        SeverityConfig(milder=0.5, harder=0.5)


@pytest.mark.parametrize("mask", ["random", "learned"])
def test_features_move_student_projection_and_mask_alone(tmp_path: Path, mask: str) -> None:
    net, taught_by = student(), teacher(tmp_path)
    term = FeatureTerm(FeatureConfig(mask=mask), net, taught_by)  # type: ignore[arg-type]
    assert term.pairs == ((1, 1), (1, 1))
    clips = batch(net)
    _, hidden = net.model.with_hidden(clips.z_lq, term.depths)
    for tokens in hidden.values():
        tokens.retain_grad()
    term.heard = hidden
    terms = term(net, clips, clips.z_lq, draw())
    assert set(terms) == ({"feature"} if mask == "random" else {"feature", "overlap"})
    torch.stack(list(terms.values())).sum().backward()
    assert taught_by.net is not None
    assert all(p.grad is None for p in taught_by.net.parameters())
    assert all(p.grad is not None and p.grad.any() for p in term.parameters())
    moved = hidden[1].grad.abs().sum(-1) > 0  # type: ignore[union-attr]
    count = moved.shape[1]
    if mask == "random":  # two draws of a quarter: masked tokens have no gradient
        assert count // 4 <= moved.sum(1).min() <= moved.sum(1).max() <= count // 2
    else:
        assert moved.all()
    assert not hidden[1].grad.isnan().any()  # type: ignore[union-attr]


def test_masks_count_what_they_show() -> None:
    masks = random_mask(torch.tensor([0.1, 0.7]), 40, 0.25)
    assert masks.sum(-1).flatten().tolist() == [10, 10]
    assert not torch.equal(masks[0], masks[1])
    assert torch.equal(masks[:1], random_mask(torch.tensor([0.1]), 40, 0.25))
    ours, theirs = torch.randn(2, 40, 8), torch.randn(2, 40, 8)
    hidden = torch.where(masks[:, 0, :, None] > 0, theirs, ours)
    assert masked_error(hidden, theirs, masks) == 0
    assert masked_error(ours, theirs, torch.ones(2, 3, 40)) == pytest.approx(float((ours - theirs).square().mean()))
    assert overlap_of(masks[:1].expand(1, 2, 40)) == pytest.approx(1)
    assert overlap_of(torch.cat([masks[:1], 1 - masks[:1]], 1)) == 0
    assert LearnedMask(8, 3)(ours, theirs).shape == (2, 3, 40)


def test_grids_are_pooled_to_the_coarser() -> None:
    fine, coarse = VideoShape(2, 4, 6), VideoShape(3, 2, 3)
    ramp = torch.arange(6.0).repeat(8)[None, :, None]
    ours, theirs = on_one_grid(ramp, fine, torch.zeros(1, 18, 1), coarse)
    assert ours.shape == theirs.shape == (1, 12, 1)
    assert ours[0, :3, 0].tolist() == [0.5, 2.5, 4.5]


def test_rounded_layers_compute_as_the_package_quantises() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(24, 16), torch.randn(10, 24)
    stored = Fp8Linear(layer)
    assert torch.equal(fp8_rounded(layer.weight), stored.weight.float() * stored.scale)
    exact = layer(x)
    for grid, near in (("fp8", stored(x)), ("int8", Int8Linear(layer)(x) if has_fast_int8() else None)):
        net = nn.Sequential(nn.Linear(24, 16))
        net.load_state_dict({f"0.{name}": value for name, value in layer.state_dict().items()})
        round_linears(net, grid)  # type: ignore[arg-type]
        rounded = net(x)
        assert not torch.equal(rounded, exact)
        if near is not None:
            assert torch.allclose(rounded, near, atol=1e-5)
        rounded.square().sum().backward()
        expected = 2 * rounded.detach().T @ (input_rounded(x) if grid == "int8" else x)
        assert torch.allclose(net[0].weight.grad, expected, atol=1e-4)  # type: ignore[arg-type]
    assert (int8_rounded(layer.weight) - layer.weight).abs().max() <= layer.weight.abs().max() / 254 + 1e-7


def test_a_quantised_student_exports_a_file_like_any_other(tmp_path: Path) -> None:
    run = trained(distill_run(tmp_path, {"output": {"quantised": "int8"}}, steps=2, eval={"root": None}))
    net = load_lite_model(run.output / "last.safetensors", CPU, torch.float32)
    assert net.config == tiny_lite().config


def test_kept_latents_are_those_of_the_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"folder": str(tmp_path / "kept"), "clips": 2, "dtype": "fp32"}
    run = start(load_config(distill_run(tmp_path, {"output": {}}, kept=kept)))
    first = first_terms(run)
    files = sorted((tmp_path / "kept").iterdir())
    assert 1 <= len(files) <= 2

    def refuse(*_: object) -> Tensor:
        raise AssertionError("what is kept was computed again")

    with monkeypatch.context() as patch:
        patch.setattr(Teacher, "compute", refuse)
        assert first_terms(run) == first
    save_lite_model(tmp_path / "teacher.safetensors", tiny_lite(0.07), {}, torch.float32)
    other = tmp_path / "other.safetensors"
    save_lite_model(other, tiny_lite(0.07), {}, torch.float32)
    change = {"teacher.lite": str(other), "kept": kept}
    assert first_terms(start(load_config(tmp_path / "run.yaml", change)))["output"] != first["output"]
    assert len(list((tmp_path / "kept").iterdir())) == 2 * len(files)
    with pytest.raises(ValueError, match="kept is for the methods output and severity"):
        load_config(distill_run(tmp_path, {"feature": {}}, kept=kept))
