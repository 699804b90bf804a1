"""Where the nodes of a graph are and how its links run between them, as ComfyUI's page draws them.

Lengths are units of the graph; y grows downwards. Both renderers have slots within a few units of these places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

TITLE = 30
"""The height of a node's title, which is above its position."""
FIRST_SLOT, SLOT, WIDGET = 14, 20, 24
"""From a node's position down to its first slot, from slot to slot, and from widget to widget."""
BENT_BY = 0.25
"""How far the handles of a link's curve are from its ends, as a part of the distance between these."""
STEPS = 200
"""The parts into which a curve is divided."""
IN_NODE = 12
"""How far in its node an end of a link may be: the canvas draws slots inside, Nodes 2.0 on the edge."""
APART = 8
"""The least distance between a link and a node that is not at its ends, and between two nodes."""

Point = tuple[float, float]


class Box(NamedTuple):
    """A node with its title."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, point: Point, margin: float) -> bool:
        """Whether a point is inside, or at most `margin` outside."""
        return (
            self.left - margin < point[0] < self.right + margin and self.top - margin < point[1] < self.bottom + margin
        )

    def is_near(self, other: Box, margin: float) -> bool:
        """Whether another box covers this one, or is less than `margin` away."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return min(across, down) > -margin


class Wire(NamedTuple):
    """A link: the nodes that it joins, by their numbers, and the slots where it begins and ends."""

    source: int
    target: int
    start: Point
    end: Point

    def points(self) -> Iterator[Point]:
        """Points on its curve, a cubic Bezier whose handles are level with its ends."""
        (x0, y0), (x1, y1) = self.start, self.end
        handle = BENT_BY * ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        for step in range(STEPS + 1):
            t = step / STEPS
            a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
            yield a * x0 + b * (x0 + handle) + c * (x1 - handle) + d * x1, (a + b) * y0 + (c + d) * y1


def boxes_of(graph: dict[str, Any]) -> dict[int, Box]:
    """The nodes of a workflow file or of a subgraph, by their numbers."""
    return {
        node["id"]: Box(x, y - TITLE, x + width, y + height)
        for node in graph["nodes"]
        for (x, y), (width, height) in [(node["pos"], node["size"])]
    }


def wires_of(workflow: dict[str, Any]) -> list[Wire]:
    """The links of a workflow file."""
    nodes = {node["id"]: node for node in workflow["nodes"]}
    return [
        Wire(source, target, _out(nodes[source], slot), _in(nodes[target], into))
        for _, source, slot, target, into, _ in workflow["links"]
    ]


def _out(node: dict[str, Any], slot: int) -> Point:
    return node["pos"][0] + node["size"][0], node["pos"][1] + FIRST_SLOT + SLOT * slot


def _in(node: dict[str, Any], slot: int) -> Point:
    sockets = [place for place, given in enumerate(node["inputs"]) if "widget" not in given]
    x, y = node["pos"]
    if slot in sockets:
        return x, y + FIRST_SLOT + SLOT * sockets.index(slot)
    widgets = [place for place, given in enumerate(node["inputs"]) if "widget" in given]
    rows = max(len(sockets), len(node["outputs"]))
    return x, y + FIRST_SLOT + SLOT * rows + WIDGET * widgets.index(slot)


def untidy(boxes: dict[int, Box], wires: Sequence[Wire]) -> list[str]:
    """What is wrong with a layout, a line each: nodes on nodes, links that run backwards or behind a node."""
    lines = [f"node {a} is at node {b}" for a, b in combinations(boxes, 2) if boxes[a].is_near(boxes[b], APART)]
    for wire in wires:
        name = f"the link from node {wire.source} to node {wire.target}"
        if wire.end[0] <= wire.start[0]:
            lines.append(f"{name} runs from right to left")
        for number, box in boxes.items():
            margin = -IN_NODE if number in (wire.source, wire.target) else APART
            if any(box.holds(point, margin) for point in wire.points()):
                lines.append(f"{name} runs behind node {number}")
    return lines
