"""Workflows of other packs run with our nodes where theirs are missing."""

from __future__ import annotations

import pytest

from tests.support.comfy_server import ComfyServer, Graph
from tests.support.paths import ROOT

DEMO = ROOT / "web" / "demo" / "vfe_demo.png"
CODEFORMER: Graph = {
    "1": {"class_type": "LoadImage", "inputs": {"image": DEMO.name}, "_meta": {"title": ""}},
    "2": {"class_type": "FaceRestoreModelLoader", "inputs": {"model_name": "codeformer.pth"}, "_meta": {"title": ""}},
    "3": {
        "class_type": "FaceRestoreCFWithModel",
        "inputs": {
            "facerestore_model": ["2", 0],
            "image": ["1", 0],
            "facedetection": "retinaface_resnet50",
            "codeformer_fidelity": 0.5,
        },
        "_meta": {"title": ""},
    },
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}, "_meta": {"title": ""}},
}


@pytest.fixture
def offers(comfy_server: ComfyServer) -> dict[str, list[dict[str, object]]]:
    """What the server offers in the place of which node."""
    if not comfy_server.get("/features").get("node_replacements"):
        pytest.skip("this ComfyUI offers no replacements of nodes")
    found: dict[str, list[dict[str, object]]] = comfy_server.get("/node_replacements")
    return found


def test_an_offer_has_every_input_that_is_required(
    comfy_server: ComfyServer, offers: dict[str, list[dict[str, object]]]
) -> None:
    info = comfy_server.get("/object_info")
    ours = [offer for each in offers.values() for offer in each if str(offer["new_node_id"]).startswith("VFE_")]
    assert {offer["old_node_id"] for offer in ours} >= {"FaceRestoreCFWithModel", "KEEP_FaceUpscaleImage"}
    for offer in ours:
        required = info[str(offer["new_node_id"])]["input"].get("required", {})
        given = {mapping["new_id"] for mapping in offer["input_mapping"]}  # type: ignore[attr-defined]
        assert given == set(required), offer["old_node_id"]


@pytest.mark.usefixtures("offers")
def test_a_prompt_of_facerestore_cf_is_restored(comfy_server: ComfyServer) -> None:
    (comfy_server.base / "input" / DEMO.name).write_bytes(DEMO.read_bytes())
    run = comfy_server.run(CODEFORMER)
    assert run.status == "success", run.error
    assert len(run.outputs["4"]["images"]) == 1
