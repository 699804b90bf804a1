"""A Wan DiT from a GGUF file, from files to frames: as its unpacked weights restore, in about the file's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

gguf = pytest.importorskip("gguf")

import vfe  # noqa: E402
from tests.support.cli_run import run_vfe  # noqa: E402
from tests.support.clips import Clip, write_clip  # noqa: E402
from tests.support.gguf_files import MIXTURES, WIDE_DIT, dequantised_by_gguf, write_gguf  # noqa: E402
from tests.support.wan_restorer_files import NOISE_VIDEO, WanRestorerFiles, restore_video  # noqa: E402
from tests.support.weight_layouts import random_dit  # noqa: E402
from vfe.loading.request import LoadRequest  # noqa: E402
from vfe.loading.wan import estimated_sizes, load_wan_pipeline, loaded_sizes  # noqa: E402
from vfe.loading.wan_files import open_wan_files  # noqa: E402
from vfe.models.dit.model import DiTConfig, WanDiT  # noqa: E402
from vfe.models.dit.packed import PackedLinear  # noqa: E402
from vfe.models.wan import WanCompute, WanModel  # noqa: E402
from vfe.options import LoraFile, ModelOptions  # noqa: E402
from vfe.pipeline.one_step import WindowConfig  # noqa: E402
from vfe.types import VFEError  # noqa: E402
from vfe.weights.lora import merge_loras  # noqa: E402
from vfe.weights.prompt import read_prompt_embedding, write_prompt_embedding  # noqa: E402

CPU = torch.device("cpu")
EXACT = 1e-4


class GgufFiles(WanRestorerFiles):
    """The files of a restorer whose DiT is a GGUF, and the network of its weights as the gguf package unpacks them."""

    def __init__(self, folder: Path, mixture: str = "Q4_K_M", config: DiTConfig = WIDE_DIT) -> None:
        super().__init__(folder)
        self.config = config
        self.dit = write_gguf(folder / "dit.gguf", random_dit(config).state_dict(), MIXTURES[mixture])
        self.network = random_dit(config)
        self.network.load_state_dict(dequantised_by_gguf(self.dit))
        torch.manual_seed(1)
        write_prompt_embedding(self.context, torch.randn(3, config.text_dim))

    def by_hand(self, video: Tensor, network: WanDiT | None = None) -> Tensor:
        z = self.codec.encode(video)
        with torch.no_grad():
            v = (network or self.network)(z, 400.0, read_prompt_embedding(self.context, self.config.text_dim))
        return self.codec.decode(z - v)

    def model(self, **changes: object) -> WanModel:
        request = LoadRequest(path=self.dit, device=CPU, dtypes=(torch.bfloat16,), options=self.options(**changes))
        model = load_wan_pipeline(request, lambda _: None).model
        assert isinstance(model, WanModel)
        return model

    def lora(self, *whole: str) -> Path:
        """Low-rank changes of a packed layer in a block, and whole ones of those named."""
        torch.manual_seed(2)
        name = "diffusion_model.blocks.1.ffn.0"
        state = {
            f"{name}.lora_A.weight": torch.randn(4, self.config.dim) * 0.1,
            f"{name}.lora_B.weight": torch.randn(self.config.ffn_dim, 4) * 0.3,
            f"{name}.diff_b": torch.randn(self.config.ffn_dim) * 0.1,
            "diffusion_model.blocks.0.diff_m": torch.randn(1, 6, self.config.dim) * 0.1,
        }
        state |= {
            f"diffusion_model.{layer}.diff": torch.randn(self.config.dim, self.config.dim) * 0.1 for layer in whole
        }
        save_file(state, self.folder / "lora.safetensors")
        return self.folder / "lora.safetensors"


def changed(files: GgufFiles, strength: float, *whole: str) -> WanDiT:
    """The network with that LoRA, by the equation."""
    network = random_dit(files.config)
    network.load_state_dict(merge_loras(files.network.state_dict(), [LoraFile(files.lora(*whole), strength)]))
    return network


@pytest.fixture
def files(tmp_path: Path) -> GgufFiles:
    return GgufFiles(tmp_path / "models")


def packed_layers(model: WanModel) -> list[PackedLinear]:
    return [part for part in model.modules() if isinstance(part, PackedLinear)]


@pytest.mark.parametrize("mixture", MIXTURES)
def test_it_restores_as_its_unpacked_weights_do(mixture: str, tmp_path: Path) -> None:
    files = GgufFiles(tmp_path / "models", mixture)
    assert (restore_video(files.load()) - files.by_hand(NOISE_VIDEO)).abs().max() < EXACT


@pytest.mark.parametrize("changes", [{"fold": False}, {"memory": 2 << 30}, {"fp8": True}])
def test_how_it_is_run_changes_nothing(files: GgufFiles, changes: dict[str, object]) -> None:
    """8 bits are for layers that are not quantised yet, of which this file has none in its blocks."""
    assert (restore_video(files.load(**changes)) - files.by_hand(NOISE_VIDEO)).abs().max() < EXACT


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("whole", [(), ("blocks.0.self_attn.o", "blocks.1.self_attn.q")])
def test_a_lora_is_added_when_a_layer_is_unpacked(files: GgufFiles, fold: bool, whole: tuple[str, ...]) -> None:
    """A layer that it changes by a whole difference is not packed any more."""
    lora = LoraFile(files.lora(*whole), 0.5)
    expected = files.by_hand(NOISE_VIDEO, changed(files, 0.5, *whole))
    assert (expected - files.by_hand(NOISE_VIDEO)).abs().max() > 1e-3
    assert (restore_video(files.load(loras=(lora,), fold=fold)) - expected).abs().max() < EXACT
    with_lora, without = files.model(loras=(lora,), fold=fold), files.model(fold=fold)
    assert len(packed_layers(with_lora)) == len(packed_layers(without)) - len(whole)


@pytest.mark.parametrize("resident", [0, 1])
def test_streamed_blocks_of_two_formats_give_the_same(files: GgufFiles, resident: int) -> None:
    model = files.model(loras=(LoraFile(files.lora(), 0.5),))
    z = torch.randn(1, 16, 3, 4, 6, generator=torch.Generator().manual_seed(3)).bfloat16()
    with torch.inference_mode():
        expected = model(z)
        model.keep_resident(resident)
        assert torch.equal(model(z), expected)


def bytes_of(module: torch.nn.Module) -> int:
    return sum(value.nbytes for value in module.state_dict().values())


@pytest.mark.parametrize("mixture", ["Q4_K_M", "Q8_0", "Q4_0"])
def test_weights_take_about_the_bytes_of_the_file(mixture: str, tmp_path: Path) -> None:
    """Of a network wide enough for its matrices to be nearly all of it, as Wan's are."""
    files = GgufFiles(tmp_path / "models", mixture, DiTConfig(
        dim=768, heads=6, layers=2, ffn_dim=3072, freq_dim=256, text_dim=256))  # fmt: skip
    on_disk = files.dit.stat().st_size
    whole, folded = bytes_of(files.model(fold=False).dit), bytes_of(files.model().dit)
    assert whole == pytest.approx(on_disk, rel=0.05)
    assert folded < on_disk  # of cross-attention, folding drops keys and values
    assert whole < 0.6 * 2 * sum(value.numel() for value in files.network.state_dict().values())


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("loras", [0, 1])
def test_the_estimate_counts_quantised_bytes(files: GgufFiles, fold: bool, loras: int) -> None:
    options = files.options(fold=fold, loras=(LoraFile(files.lora()),) * loras)
    request = LoadRequest(path=files.dit, device=CPU, dtypes=(torch.bfloat16,), options=options)
    estimated = estimated_sizes(open_wan_files(request), WanCompute(CPU, torch.bfloat16))
    loaded = loaded_sizes(estimated, files.model(fold=fold, loras=(LoraFile(files.lora()),) * loras))
    assert estimated.unpacks
    block = random_dit(files.config).blocks[0]
    assert estimated.block_bytes < 0.45 * 2 * sum(value.numel() for value in block.parameters())
    if not fold:
        assert loaded.block_bytes == pytest.approx(estimated.block_bytes, rel=0.02)
        assert loaded.fixed_bytes == pytest.approx(estimated.fixed_bytes, rel=0.02)
    else:
        assert loaded.block_bytes <= estimated.block_bytes * 1.02


def test_the_command_takes_a_gguf_file(files: GgufFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, output = write_clip(tmp_path / "in.mp4", Clip(frames=5, width=32, height=32)), tmp_path / "out.mkv"
    run = run_vfe(
        capsys, "enhance", clip, "-o", output, "--model", files.dit, "--models", files.folder, "--device", "cpu",
        "--dtype", "fp32",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert "5 frames" in run.out
    assert output.exists()
    shown = run_vfe(capsys, "models", "--models", files.folder)
    assert shown.code == 0, shown.err
    assert "GGUF, " in shown.out
    assert "Q4_K" in shown.out


def test_names_find_a_gguf_file(files: GgufFiles) -> None:
    options = ModelOptions(vae=files.vae, prompt_embedding=files.context, folders=(files.folder,))
    restorer = vfe.load("dit", "cpu", "fp32", WindowConfig(9, 1), options)
    assert (restore_video(restorer) - files.by_hand(NOISE_VIDEO)).abs().max() < EXACT


def test_a_gguf_of_another_model_is_named(files: GgufFiles, tmp_path: Path) -> None:
    other = write_gguf(tmp_path / "llm.gguf", {"a": torch.ones(3)}, MIXTURES["F16"], "llama")
    with pytest.raises(VFEError, match=r"llm\.gguf: a GGUF file of llama"):
        vfe.load(other, "cpu", "fp32", WindowConfig(9, 1), files.options())
