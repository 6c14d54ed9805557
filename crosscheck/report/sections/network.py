"""A small drawing of a network: boxes in topological order, links between them, the culprit marked."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.spec.architecture import Architecture, Loss, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.notation import parse
from crosscheck.spec.op import Shape

# Drawing units; LETTER is the width of one character of the font that the boxes are set in.
LETTER, PADDING, GAP, BOX, STEP, MARGIN, FOOT = 7.3, 12.0, 34.0, 46.0, 20.0, 10.0, 26.0


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    middle: float
    name: str
    detail: str
    kind: str
    culprit: bool


@dataclass(frozen=True)
class Link:
    path: str


@dataclass(frozen=True)
class Diagram:
    width: float
    height: float
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    spoken: str


@dataclass(frozen=True)
class _Item:
    """A box before it has a place. `sources` are positions of earlier items."""

    name: str
    detail: str
    kind: str
    culprit: bool
    sources: tuple[int, ...]


# Among the nodes.
LOSS = -1


def diagram(text: str, culprit: int | None) -> Diagram | None:
    """The drawing, or None where the text is no architecture of ours: it is then shown as text alone."""
    try:
        architecture = parse(text)
    except SpecError:
        return None
    items = _items(architecture, culprit)
    # A link that skips boxes arches over them, the higher the further it goes.
    arch = max((at - source - 1 for at, item in enumerate(items) for source in item.sources), default=0)
    top = MARGIN + STEP * min(arch, 4)
    boxes = _boxes(items, top)
    links = tuple(
        Link(_path(boxes[source], boxes[at], at - source)) for at, item in enumerate(items) for source in item.sources
    )
    return Diagram(
        width=boxes[-1].x + boxes[-1].width + MARGIN,
        height=top + BOX + FOOT,
        boxes=boxes,
        links=links,
        spoken=_spoken(architecture, culprit),
    )


def _items(architecture: Architecture, culprit: int | None) -> list[_Item]:
    inputs = len(architecture.inputs)

    def sources(item: Node | Loss) -> tuple[int, ...]:
        return tuple(inputs + link if link >= 0 else -link - 1 for link in item.inputs)

    found = [_Item(i.name, _shape(i.shape), "input", False, ()) for i in architecture.inputs]
    for at, node in enumerate(architecture.nodes):
        shape = _shape(architecture.node_shapes[at])
        found.append(_Item(node.op, f"{at} · {shape}", "node", at == culprit, sources(node)))
    loss = architecture.loss
    return [*found, _Item(loss.op, "loss", "loss", culprit in (LOSS, len(architecture.nodes)), sources(loss))]


def _boxes(items: list[_Item], top: float) -> tuple[Box, ...]:
    boxes: list[Box] = []
    x = MARGIN
    for item in items:
        width = round(2 * PADDING + LETTER * max(len(item.name), len(item.detail)), 1)
        boxes.append(Box(x, top, width, BOX, round(x + width / 2, 1), item.name, item.detail, item.kind, item.culprit))
        x = round(x + width + GAP, 1)
    return tuple(boxes)


def _path(source: Box, target: Box, distance: int) -> str:
    """A straight arrow to the next box, an arch over the boxes between otherwise."""
    if distance == 1:
        middle = source.y + source.height / 2
        return f"M{source.x + source.width:g} {middle:g}H{target.x - 3:g}"
    peak = source.y - STEP * min(distance - 1, 4) - STEP / 2
    start, end = f"{source.middle:g} {source.y:g}", f"{target.middle:g} {target.y - 3:g}"
    return f"M{start}C{source.middle:g} {peak:g} {target.middle:g} {peak:g} {end}"


def _shape(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"


def _spoken(architecture: Architecture, culprit: int | None) -> str:
    whole = f"Network of {len(architecture.nodes)} nodes: {architecture}"
    if culprit == LOSS:
        return f"{whole}. The first wrong term is the loss's, {architecture.loss.op}."
    if culprit is None or not 0 <= culprit < len(architecture.nodes):
        return whole
    return f"{whole}. The first wrong term is at node {culprit}, {architecture.nodes[culprit].op}."
