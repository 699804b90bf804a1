"""Templates as they are drawn: nodes apart from each other, links from left to right and behind no node."""

from __future__ import annotations

import pytest

from tests.support.comfy_workflow import read_workflow, titles
from tests.support.graph_layout import Box, Wire, boxes_of, untidy, wires_of

LEFT, RIGHT = Box(0, 0, 100, 100), Box(400, 0, 500, 100)


@pytest.mark.parametrize("title", titles())
def test_a_template_is_tidy(title: str) -> None:
    workflow = read_workflow(title)
    assert untidy(boxes_of(workflow), wires_of(workflow)) == []


@pytest.mark.parametrize(
    ("middle", "wire", "complaint"),
    [
        (Box(200, 200, 300, 300), Wire(1, 2, (100, 20), (400, 20)), []),
        (
            Box(200, 0, 300, 100),
            Wire(1, 2, (100, 20), (400, 20)),
            ["from node 1 to node 2 runs behind node 3"],
        ),
        (Box(200, 200, 300, 300), Wire(2, 1, (500, 20), (0, 20)), ["runs from right to left", "node 1", "node 2"]),
        (Box(90, 90, 190, 190), Wire(1, 2, (100, 20), (400, 20)), ["node 1 is at node 3"]),
        (Box(120, -900, 220, 100), Wire(1, 3, (100, 20), (120, -880)), ["behind node 3"]),
    ],
    ids=["tidy", "behind-a-node", "backwards", "nodes-at-one-place", "too-steep-to-end-beside-its-node"],
)
def test_what_is_untidy_is_seen(middle: Box, wire: Wire, complaint: list[str]) -> None:
    found = untidy({1: LEFT, 2: RIGHT, 3: middle}, [wire])
    assert len(found) == len(complaint)
    assert all(part in line for part, line in zip(complaint, found, strict=True))
