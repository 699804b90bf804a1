"""What is wrong gets one line, which speaks of nodes and their inputs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.support.comfy_pack import Loose, core_vae, images_of, part, run, smooth_clip
from tests.support.comfy_wan_files import CLIP, CONTEXT, DIT, LORAS, MODELS, VAE, decoded, enhanced, loaded, write_files
from tests.support.tiny_vae import TINY

COMMAND = re.compile(r"`|--\w|VFE_")
"""What only users of the command know."""


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    write_files()


def test_wrong_files_get_a_sentence() -> None:
    for folder in ("diffusion_models", "vfe"):
        save_file({"weight": torch.zeros(3)}, MODELS / folder / "other.safetensors")
    (MODELS / "vae" / "damaged.safetensors").write_bytes(b"nothing")
    save_file({"diffusion_model.blocks.0.ffn.0.lora_A.weight": torch.zeros(2, 9)}, MODELS / "loras" / "bad.safetensors")
    lora = DIT.with_name("restoring_lora.safetensors")
    lora.write_bytes(LORAS[0].read_bytes())
    wrong: list[tuple[str, dict[str, Loose]]] = [
        ("needed", {"model": "other.safetensors"}),
        (r"^restoring_lora\.safetensors: LoRA of rank .*; put it into .*models/loras and choose", {"model": lora.name}),
        ("damaged.safetensors", {"vae": "damaged.safetensors"}),
        ("; choose a file with one prompt embedding as context of Load Face", {"context": "other.safetensors"}),
        ("incomplete", {"lora_1": "bad.safetensors"}),
        ("no such file", {"lora_1": "gone.safetensors"}),
        ("; choose a DVFace adapter, or none, as adapter of Load Face", {"adapter": DIT.name}),
        ("sageattention|is not installed", {"attention": "sage"}),
    ]
    for sentence, options in wrong:
        with pytest.raises(ValueError, match=sentence) as caught:
            run("LoadWanRestorer", **{"model": DIT.name, "dtype": "fp32", **options})
        assert type(caught.value) is ValueError  # ComfyUI shows the full name: a class of ours is a path of modules
        assert "\n" not in str(caught.value)
        assert not COMMAND.search(str(caught.value))


def test_what_is_not_found_by_itself_is_said_in_terms_of_nodes() -> None:
    """Files that "auto" looks for: none, and two that differ."""
    for path, words in ((VAE, "vae"), (CONTEXT, "context")):
        aside = path.rename(path.with_suffix(".aside"))
        with pytest.raises(ValueError, match=rf"is found; put .* and choose it as {words} of Load Face") as none:
            run("LoadWanRestorer", model=DIT.name, dtype="fp32")
        aside.rename(path)
        other = path.with_stem("other")
        with safe_open(path, "pt") as file:
            save_file({name: value + 1 for name, value in load_file(path).items()}, other, file.metadata())
        with pytest.raises(ValueError, match=rf"^2 files are .*; choose .* as {words} of Load Face") as several:
            run("LoadWanRestorer", model=DIT.name, dtype="fp32")
        other.unlink()
        assert not COMMAND.search(f"{none.value}{several.value}")


def test_every_remedy_is_said_in_terms_of_nodes() -> None:
    words = part("nodes.remedies").IN_NODES
    assert set(words) == set(part("vfe.types").Remedy)
    assert not COMMAND.search(" ".join(words.values()))


def test_too_little_memory_is_said_in_terms_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part("nodes.backend.wan"), "free_bytes", lambda device: 1 << 20)  # noqa: ARG005
    with pytest.raises(ValueError, match=r"the smallest plan .*; close .* before they come") as caught:
        enhanced(loaded(), CLIP)
    assert not COMMAND.search(str(caught.value))


def test_other_latents_and_restorers_get_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = loaded()
    (lite,) = run("LoadWanRestorer")
    images = images_of(smooth_clip(1, 32, 32))
    (of_lite,) = run("OneStepEnhance", restorer=lite, images=images)
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("of a lite restorer", lambda: decoded(of_lite, restorer=restorer)),
        ("the RESTORER is a lite one", lambda: decoded(enhanced(restorer, CLIP[:1]), restorer=lite)),
        ("needed one of Wan2.1's VAE", lambda: decoded({"samples": torch.zeros(1, 4, 8, 8)}, restorer=restorer)),
        ("exactly one", lambda: decoded(of_lite, restorer=lite, vae=core_vae(monkeypatch, load_file(VAE), TINY.dim))),
        ("has no codebooks", lambda: run("DualCodebookPrior", restorer=restorer, images=images)),
    ]
    for sentence, use in wrong:
        with pytest.raises(ValueError, match=sentence) as caught:
            use()
        assert type(caught.value) is ValueError
