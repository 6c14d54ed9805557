"""Simpler networks: one node less, or a smaller input. What Hypothesis cannot do at once, because it takes two steps.

Removing a layer may change the shape that its input must have, and with it what showed the failure: both are tried
together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from crosscheck.spec.architecture import Architecture, Loss, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import OPS
from crosscheck.strategies.fitting import POSITIVE, preparation

# Of each rank, simplest first.
SHAPES: dict[int, tuple[Shape, ...]] = {
    1: ((1,), (2,), (3,)),
    2: ((1, 1), (2, 1), (1, 2), (2, 2)),
    3: ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2)),
    4: ((1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 1, 2), (1, 1, 2, 2), (1, 2, 2, 2)),
}


def simpler(architecture: Architecture) -> Iterator[Architecture]:
    """Networks with a node less, on the same input and on small ones of every rank; then the same on smaller ones.

    Then those in which one size gives way to a smaller one wherever it stands, or on one axis of the input alone, or
    one merge to an addition. All are valid; none has a parameter or input that nothing uses.
    """
    for index in reversed(range(len(architecture.nodes))):
        for shape in _shapes(architecture):
            yield from _made(architecture, without(architecture.nodes, architecture.loss, index), shape)
    for shape in _shapes(architecture):
        if _size(shape) < _size(architecture.inputs[0].shape):
            yield from _made(architecture, (architecture.nodes, architecture.loss), shape)
    yield from _with_a_smaller_size(architecture)
    own = architecture.inputs[0].shape
    for axis, size in enumerate(own):
        for smaller in range(1, min(size, 4)):
            shape = (*own[:axis], smaller, *own[axis + 1 :])
            yield from _made(architecture, (architecture.nodes, architecture.loss), shape)
    for index, node in enumerate(architecture.nodes):
        if OPS[node.op].kind == "merge" and node.op != "add":
            added = msgspec.structs.replace(node, op="add", attributes={})
            nodes = (*architecture.nodes[:index], added, *architecture.nodes[index + 1 :])
            yield from _made(architecture, (nodes, architecture.loss), own)


def _with_a_smaller_size(architecture: Architecture) -> Iterator[Architecture]:
    """One size for another wherever it stands: layers that must agree, as those that share weights, change together."""
    own = architecture.inputs[0].shape
    given = {(i, name) for i, node in enumerate(architecture.nodes) for name in _sizes(node.op)}
    met = {*own, *(int(architecture.nodes[i].attributes[name]) for i, name in given)}
    for size in sorted(met, reverse=True):
        for smaller in range(1, min(size, 4)):
            nodes = tuple(
                msgspec.structs.replace(
                    node,
                    attributes={
                        name: smaller if (i, name) in given and value == size else value
                        for name, value in node.attributes.items()
                    },
                )
                for i, node in enumerate(architecture.nodes)
            )
            shape = tuple(smaller if n == size else n for n in own)
            yield from _made(architecture, (nodes, architecture.loss), shape)


def _sizes(op: str) -> list[str]:
    """The attributes that are sizes and must be given: `out`, `hidden`."""
    return [attribute.name for attribute in OPS[op].attributes if attribute.default is None and attribute.type == "int"]


def _shapes(architecture: Architecture) -> list[Shape]:
    own = architecture.inputs[0].shape
    ranks = [len(own), *(rank for rank in (2, 1, 3, 4) if rank != len(own))]
    return [own, *(shape for rank in ranks for shape in SHAPES.get(rank, ()) if shape != own)]


def _size(shape: Shape) -> tuple[int, int, Shape]:
    """By how many numbers; of as many, matrices first."""
    return math.prod(shape), abs(len(shape) - 2), shape


def without(nodes: Sequence[Node], loss: Loss, index: int) -> tuple[tuple[Node, ...], Loss]:
    """The nodes and the loss with node `index` left out: who read it reads its first input."""
    instead = nodes[index].inputs[0]

    def moved(link: int) -> int:
        if link == index:
            return instead
        return link - 1 if link > index else link

    rest = [
        msgspec.structs.replace(node, inputs=tuple(map(moved, node.inputs)))
        for place, node in enumerate(nodes)
        if place != index
    ]
    return tuple(rest), msgspec.structs.replace(loss, inputs=tuple(map(moved, loss.inputs)))


def _made(architecture: Architecture, body: tuple[tuple[Node, ...], Loss], shape: Shape) -> Iterator[Architecture]:
    """The network with this input, where its rules allow it; further inputs that nothing uses are gone.

    Before a loss of probabilities stands what makes them: without it a framework raises.
    """
    nodes, loss = body
    wanted = preparation(loss.op, loss.attributes, (POSITIVE,))
    if wanted is not None and loss.inputs[0] >= 0 and nodes[loss.inputs[0]].op != wanted:
        return
    used = {link for links in (*(node.inputs for node in nodes), loss.inputs) for link in links if link < 0}
    if -1 not in used:
        return
    kept = [k for k in range(len(architecture.inputs)) if -k - 1 in used]
    links = {-old - 1: -new - 1 for new, old in enumerate(kept)}
    inputs = tuple(
        msgspec.structs.replace(architecture.inputs[k], shape=shape) if k == 0 else architecture.inputs[k] for k in kept
    )
    linked = tuple(msgspec.structs.replace(node, inputs=_linked(node.inputs, links)) for node in nodes)
    ending = msgspec.structs.replace(loss, inputs=_linked(loss.inputs, links))
    try:
        yield Architecture(inputs, _with_own_keys(linked), ending)
    except SpecError:
        return


def _linked(inputs: tuple[int, ...], links: dict[int, int]) -> tuple[int, ...]:
    return tuple(links.get(link, link) for link in inputs)


def _with_own_keys(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Keys as the notation gives them, `"<node>.<role>"` of the first node that has the parameter."""
    names: dict[str, str] = {}
    for place, node in enumerate(nodes):
        for role, key in node.params.items():
            names.setdefault(key, f"{place}.{role}")
    return tuple(
        msgspec.structs.replace(node, params={role: names[key] for role, key in node.params.items()}) for node in nodes
    )
