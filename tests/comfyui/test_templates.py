"""Every template run as it is shipped by a real server, on a short real clip with two faces and sound.

Those of Wan models name a text encoder. It is no real one here: whatever loads it fails.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from av.container import OutputContainer
from safetensors.torch import save_file

import vfe
from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.comfy_checkout import comfyui_checkout
from tests.support.comfy_server import ComfyServer, Graph, Run
from tests.support.comfy_workflow import LITE, id_of, node_of, read_workflow, saved, to_prompt
from tests.support.node_dtype import dtype_of_nodes
from tests.support.paths import ROOT
from tests.support.tiny_prior import tiny_adapter, tiny_fusion
from tests.support.tiny_vae import random_vae
from tests.support.weight_layouts import TINY_DIT, random_dit
from vfe.options import ModelOptions, RestoreOptions
from vfe.restore.passage import Passage
from vfe.restore.picture import InMemory
from vfe.restore.work import decide_work
from vfe.types import no_progress
from vfe.video.frame import Frame
from vfe.weights.adapter import write_adapter
from vfe.weights.prompt import write_prompt_embedding

SCENE = ROOT.parent / "shared" / "data" / "dev" / "scene_video" / "scene_modelscope_ClearerVoice-Studio_001.mp4"
FRAMES, SOUND_RATE = 9, 16000
PHOTO = "Restore a photo (lite)"
LONG, STEPS = "Restore long video (lite)", "Restore faces step by step (lite)"
VIVIDFACE, DVFACE = "Restore face video (VividFace)", "Restore face video (DVFace with prior)"
DECODE = """
import sys
comfyui, clip, array = sys.argv[1:]
sys.argv = ["comfy", "--cpu"]
sys.path.insert(0, comfyui)
import comfy.options
comfy.options.enable_args_parsing()
import numpy
from comfy_api.latest import InputImpl
numpy.save(array, InputImpl.VideoFromFile(clip).get_components().images.numpy())
"""
CODE_VALUE = 1  # of 255: Save Image cuts off what vfe rounds
CUT_OFF = 1.25  # code values: the part of one that Save Image cuts off, and roundings of the model
CHANGE = 5  # code values, somewhere: something was done


@pytest.fixture(scope="module")
def clip(comfy_server: ComfyServer) -> Path:
    """The beginning of a real scene at half of its size, with a tone, among the inputs."""
    if not SCENE.is_file():
        pytest.skip(f"no real scene: {SCENE} is missing")
    path = comfy_server.base / "input" / "scene.mp4"
    with av.open(str(SCENE)) as source, av.open(str(path), "w") as container:
        coded = source.streams.video[0].codec_context
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = coded.width // 4 * 2, coded.height // 4 * 2, "yuv420p"
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        assert isinstance(sound, av.AudioStream)
        for _, frame in zip(range(FRAMES), source.decode(video=0), strict=False):
            small = frame.reformat(stream.width, stream.height, "yuv420p").to_ndarray()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="yuv420p")))
        container.mux(stream.encode(None))
        _write_tone(container, sound, FRAMES * SOUND_RATE // 25)
    return path


def _write_tone(container: OutputContainer, stream: av.AudioStream, samples: int) -> None:
    wave = np.sin(np.arange(samples) * 0.05).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate = SOUND_RATE
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def template(server: ComfyServer, title: str, clip: Path) -> Graph:
    """Its prompt, nothing changed but the clip, and for random weights the dtype: in bf16 they amplify roundings."""
    graph = to_prompt(read_workflow(title), server.get("/object_info"))
    node_of(graph, "LoadVideo")["inputs"]["file"] = clip.name
    if title in (VIVIDFACE, DVFACE):
        node_of(graph, "VFE_LoadWanRestorer")["inputs"]["dtype"] = "fp32"
    return graph


def add_pictures(graph: Graph, name: str, source: tuple[str, int]) -> None:
    """Save an IMAGE of the graph without loss."""
    inputs = {"images": list(source), "filename_prefix": f"frames/{name}"}
    graph[name] = {"class_type": "SaveImage", "inputs": inputs}


def pictures(server: ComfyServer, run: Run, name: str) -> list[Path]:
    """The files of `add_pictures`."""
    return [server.base / "output" / file["subfolder"] / file["filename"] for file in run.outputs[name]["images"]]


def pixels_of(paths: list[Path]) -> npt.NDArray[np.uint8]:
    """(T, H, W, 3)."""
    return np.concatenate([read_pixels(path) for path in paths])


def deep_pixels(folder: Path) -> npt.NDArray[np.float64]:
    """(T, H, W, 3) of pictures of 16 bits, in code values of 8 bits."""
    frames = []
    for path in sorted(folder.iterdir()):
        with av.open(str(path)) as container:
            frames.append(next(container.decode(video=0)).to_ndarray(format="rgb48le") / 257)
    return np.stack(frames)


def difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """The largest, in code values."""
    assert first.shape == second.shape
    return float(np.abs(first.astype(float) - second.astype(float)).max())


def has_sound(path: Path) -> bool:
    with av.open(str(path)) as container:
        return len(container.streams.audio) == 1


def image_of(clip: Path, folder: Path) -> npt.NDArray[np.float32]:
    """The IMAGE (T, H, W, 3) that ComfyUI makes of a clip: 8 bits of older ComfyUI, floating point of newer."""
    array = folder.with_suffix(".npy")
    command = [sys.executable, "-c", DECODE, str(comfyui_checkout()), str(clip), str(array)]
    subprocess.run(command, cwd=folder.parent, check=True, capture_output=True)
    return np.asarray(np.load(array), dtype=np.float32)


def frames_for_vfe(clip: Path, folder: Path) -> Path:
    """The IMAGE that ComfyUI makes of a clip, as pictures of 16 bits."""
    images = image_of(clip, folder)
    folder.mkdir()
    for number, image in enumerate(images):
        with av.open(str(folder / f"{number:04}.png"), "w", format="image2", options={"update": "1"}) as container:
            height, width = image.shape[:2]
            stream = container.add_stream("png", rate=1)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, "rgb48be"
            deep = av.VideoFrame.from_ndarray(np.round(image * 65535).astype(np.uint16), format="rgb48le")
            container.mux(stream.encode(deep.reformat(format="rgb48be")))
            container.mux(stream.encode(None))
    return folder


def restored_in_memory(restorer: vfe.Restorer, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What `restore_file` makes of the faces in frames (T, H, W, 3), in code values of 8 bits, without a file of them.

    A file would have to round them, by which landmarks move: on processors that are fast in bf16 the detector computes
    in it, and the last bit of a pixel decides how its numbers are rounded.
    """
    frames = [Frame((torch.from_numpy(image).movedim(-1, 0) * 2 - 1).contiguous()) for image in images]
    options, size = RestoreOptions(region="face"), (images.shape[2], images.shape[1])
    plan = restorer.plan(InMemory(*size, frames=len(frames)), frames, options)
    work = decide_work(restorer.pipeline, restorer.face_part, plan, options, size)
    restored = torch.stack([pixels for _, pixels in Passage(work, size).of(frames, no_progress)])
    return np.asarray((restored.clamp(-1, 1).movedim(1, -1).double() + 1) * 127.5)


@cache
def lite() -> vfe.Restorer:
    return vfe.load("lite", "cpu", dtype_of_nodes())


@pytest.mark.parametrize("title", [LITE, LONG], ids=["lite", "long"])
def test_lite_gives_the_frames_of_vfe_enhance(
    comfy_server: ComfyServer, clip: Path, tmp_path: Path, title: str
) -> None:
    graph = template(comfy_server, title, clip)
    run = comfy_server.run(graph)
    result = saved(comfy_server, graph, run)
    chosen = node_of(graph, "VFE_EnhanceFaceVideo")["inputs"]
    options = RestoreOptions(region=chosen["region"], min_face=chosen["min_face"])
    report = lite().restore_file(clip, tmp_path / "expected.mp4", options)
    assert difference(read_pixels(result), read_pixels(report.output)) <= CODE_VALUE
    assert has_sound(result)
    (text,) = run.outputs[id_of(graph, "PreviewAny")]["text"]
    assert report.notes[-1] in text
    assert "2 faces restored" in text
    assert run.outputs[id_of(graph, "VFE_CompareVideos")]["vfe_compare"][0]["after"]["frames"] == FRAMES


def test_a_photo_comes_out_as_by_vfe(comfy_server: ComfyServer) -> None:
    demo = ROOT / "web" / "demo" / "vfe_demo.png"
    (comfy_server.base / "input" / demo.name).write_bytes(demo.read_bytes())
    graph = to_prompt(read_workflow(PHOTO), comfy_server.get("/object_info"))
    node_of(graph, "VFE_LoadWanRestorer")["inputs"]["dtype"] = "fp32"
    run = comfy_server.run(graph)
    pixels = torch.from_numpy(read_pixels(demo)[0]).movedim(-1, 0) / 255 * 2 - 1  # to the bit what ComfyUI makes of it
    expected = vfe.restore_picture(vfe.load("lite", "cpu", "fp32"), pixels).pixels
    photo = pixels_of(pictures(comfy_server, run, id_of(graph, "SaveImage")))
    in_code_values = (expected.clamp(-1, 1).movedim(0, -1)[None].numpy() + 1) * 127.5
    assert difference(photo, in_code_values) <= CUT_OFF
    (text,) = run.outputs[id_of(graph, "PreviewAny")]["text"]
    assert text == "photo 1; 1 face restored on 1 of 1 frames"


def test_faces_step_by_step_give_the_frames_of_vfe_enhance(
    comfy_server: ComfyServer, clip: Path, tmp_path: Path
) -> None:
    """Compared before anything is encoded: the frames that the chain got and gave, as PNGs."""
    graph = template(comfy_server, STEPS, clip)
    add_pictures(graph, "got", (id_of(graph, "GetVideoComponents"), 0))
    add_pictures(graph, "gave", (id_of(graph, "VFE_RestoreFaces"), 0))
    run = comfy_server.run(graph)
    result = saved(comfy_server, graph, run)
    got, ours = pictures(comfy_server, run, "got"), pixels_of(pictures(comfy_server, run, "gave"))
    expected = restored_in_memory(lite(), image_of(clip, tmp_path / "got"))
    assert difference(ours, expected) <= CUT_OFF
    assert difference(ours, pixels_of(got)) > CHANGE
    assert read_pixels(result).shape == ours.shape
    assert has_sound(result)
    (text,) = run.outputs[id_of(graph, "PreviewAny")]["text"]
    assert text.startswith(f"2 of 2 faces chosen, 1 shot, {FRAMES} frames")


def test_step_by_step_a_clip_without_faces_comes_out_as_it_was(comfy_server: ComfyServer) -> None:
    """As one of a batch: the graph is not ended by it."""
    clip = write_clip(comfy_server.base / "input" / "nobody.mp4", Clip(frames=FRAMES, width=160, height=120))
    graph = template(comfy_server, STEPS, clip)
    add_pictures(graph, "got", (id_of(graph, "GetVideoComponents"), 0))
    add_pictures(graph, "gave", (id_of(graph, "VFE_RestoreFaces"), 0))
    run = comfy_server.run(graph)
    result = saved(comfy_server, graph, run)
    got, gave = (pixels_of(pictures(comfy_server, run, name)) for name in ("got", "gave"))
    assert np.array_equal(got, gave)
    assert read_pixels(result).shape == got.shape
    assert run.outputs[id_of(graph, "PreviewAny")]["text"] == [f"0 of 0 faces chosen, 1 shot, {FRAMES} frames"]


@pytest.fixture
def wan_files(comfy_server: ComfyServer) -> Iterator[Path]:
    """Tiny random files under the names that the templates ask for, in the server's models folder."""
    models = comfy_server.base / "models"
    dit, dvface = (models / "diffusion_models" / name for name in ("vividface.ckpt", "dvface.safetensors"))
    context, adapter = (models / "vfe" / name for name in ("empty_prompt.safetensors", "dvface_adapter.safetensors"))
    vae = models / "vae" / "wan_2.1_vae.safetensors"
    encoder = models / "text_encoders" / "umt5_xxl_fp8_e4m3fn_scaled.safetensors"
    files = (dit, dvface, context, adapter, vae, encoder)
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(random_dit().state_dict(), dit)
    save_file(random_dit(seed=1).state_dict(), dvface)
    save_file(random_vae().state_dict(), vae)
    encoder.write_bytes(b"not read where the prompt is kept")
    write_prompt_embedding(context, torch.ones(3, TINY_DIT.text_dim), {"prompt": ""})
    write_adapter(adapter, tiny_adapter(tiny_fusion(TINY_DIT.dim, TINY_DIT.layers)), {}, torch.float32)
    yield models
    for file in files:  # not the folders: ComfyUI fails on those that it has listed and that are gone
        file.unlink(missing_ok=True)


def options_of(models: Path, adapter: str | None = None) -> ModelOptions:
    folder = models / "vfe"
    return ModelOptions(
        vae=models / "vae" / "wan_2.1_vae.safetensors",
        prompt_embedding=folder / "empty_prompt.safetensors",
        adapter=None if adapter is None else folder / adapter,
    )


def test_vividface_gives_the_frames_of_vfe_enhance(
    comfy_server: ComfyServer, clip: Path, wan_files: Path, tmp_path: Path
) -> None:
    graph = template(comfy_server, VIVIDFACE, clip)
    result = saved(comfy_server, graph, comfy_server.run(graph))
    restorer = vfe.load(wan_files / "diffusion_models" / "vividface.ckpt", "cpu", "fp32", options=options_of(wan_files))
    report = restorer.restore_file(clip, tmp_path / "expected.mp4", RestoreOptions(region="auto"))
    assert difference(read_pixels(result), read_pixels(report.output)) <= CODE_VALUE
    assert difference(read_pixels(result), read_pixels(clip)) > CHANGE
    assert has_sound(result)


def test_the_text_encoder_is_asked_where_no_file_has_the_prompt(
    comfy_server: ComfyServer, clip: Path, wan_files: Path
) -> None:
    """The test above ran without it."""
    (wan_files / "vfe" / "empty_prompt.safetensors").unlink()
    graph = template(comfy_server, VIVIDFACE, clip)
    node_of(graph, "VFE_LoadWanRestorer")["inputs"]["strength_1"] = 0.5  # not what the server has in its cache
    (error,) = comfy_server.run(graph).all_of("execution_error")
    assert error["node_type"] == "CLIPLoader"


def test_dvface_with_its_prior_gives_the_frames_of_vfe_enhance(
    comfy_server: ComfyServer, clip: Path, wan_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what stands still, which a chain does not average over time: it has a node for each step of a latent."""
    monkeypatch.setattr("vfe.pipeline.keeping.keep_still_", lambda *_: None)
    graph = template(comfy_server, DVFACE, clip)
    add_pictures(graph, "got", (id_of(graph, "GetVideoComponents"), 0))
    add_pictures(graph, "gave", (id_of(graph, "VFE_VAEDecodeTiled"), 0))
    run = comfy_server.run(graph)
    result = saved(comfy_server, graph, run)
    got, ours = pictures(comfy_server, run, "got"), pixels_of(pictures(comfy_server, run, "gave"))
    options = options_of(wan_files, "dvface_adapter.safetensors")
    restorer = vfe.load(wan_files / "diffusion_models" / "dvface.safetensors", "cpu", "fp32", options=options)
    restorer.restore_file(frames_for_vfe(clip, tmp_path / "got"), tmp_path / "expected")
    assert difference(ours, deep_pixels(tmp_path / "expected")) <= CUT_OFF
    assert difference(ours, pixels_of(got)) > CHANGE
    assert read_pixels(result).shape == ours.shape
    assert has_sound(result)
    codes = (
        node for node in graph if graph[node]["inputs"].get("images") == [id_of(graph, "VFE_DualCodebookPrior"), 1]
    )
    assert len(run.outputs[next(codes)]["images"]) == 1 + (FRAMES - 1) // 4  # a picture for each latent
