"""The template for a folder of clips, in a real server: a good clip beside a bad one, and again when all is done."""

from __future__ import annotations

from tests.support.clips import Clip, read_pixels, write_clip
from tests.support.comfy_server import ComfyServer, Graph
from tests.support.comfy_workflow import id_of, node_of, read_workflow, to_prompt

TITLE = "Restore a folder of clips (lite)"
FRAMES = 5


def summary(server: ComfyServer, graph: Graph) -> list[str]:
    """The lines that the template shows after a run."""
    run = server.run(graph)
    assert run.status == "success", run.error
    (text,) = run.outputs[id_of(graph, "PreviewAny")]["text"]
    assert isinstance(text, str)
    return text.splitlines()


def test_a_folder_is_restored_once_whatever_is_in_it(comfy_server: ComfyServer) -> None:
    folder = comfy_server.base / "input" / "tapes"
    folder.mkdir()
    write_clip(folder / "good.mp4", Clip(frames=FRAMES, audio=True))
    (folder / "bad.mp4").write_bytes(b"no video")
    graph = to_prompt(read_workflow(TITLE), comfy_server.get("/object_info"))
    node_of(graph, "VFE_EnhanceFolder")["inputs"] |= {"folder": folder.name, "output": "tapes"}
    first, again = summary(comfy_server, graph), summary(comfy_server, graph)
    assert first[0] == "2 clips: 1 restored, 1 failed"
    assert again[0] == "2 clips: 1 skipped, 1 failed"
    assert len(read_pixels(comfy_server.base / "output" / "tapes" / "good.mp4")) == FRAMES


def test_names_that_lead_elsewhere_are_refused(comfy_server: ComfyServer) -> None:
    graph = to_prompt(read_workflow(TITLE), comfy_server.get("/object_info"))
    node_of(graph, "VFE_EnhanceFolder")["inputs"]["folder"] = "../models"
    run = comfy_server.run(graph)
    assert run.status == "error"
    assert "'../models' is not in ComfyUI's input folder" in run.error
