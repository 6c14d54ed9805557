"""Small networks of one op, the smallest first: on one of them a bug of it shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Op, Shape, Value
from crosscheck.strategies.fitting import Extra, extras
from crosscheck.strategies.space import ATTRIBUTE_VALUES

# fmt: off
SHAPES: tuple[Shape, ...] = (
    (1, 1), (2, 1), (1, 2), (2, 2), (2, 3), (1,), (2,), (4, 4),
    (1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1), (1, 2, 2), (2, 2, 2), (1, 1, 3), (2, 1, 3), (1, 2, 3), (2, 2, 4),
    (1, 1, 1, 1), (1, 1, 1, 2), (1, 1, 2, 2), (1, 2, 2, 2), (2, 2, 2, 2), (1, 1, 3, 3), (1, 2, 3, 3), (2, 2, 4, 4),
)
# fmt: on
SIZES = (1, 2)


def networks(op: Op, fixed: Mapping[str, Value]) -> list[Architecture]:
    """The op alone on inputs, with a squared loss behind it unless it is one itself; all of them are valid.

    Attributes are at their defaults, or one of them is not, beside those that are `fixed`. Of as many numbers those
    with the default come first.
    """
    return sorted(_every(op, fixed), key=_size)


def _every(op: Op, fixed: Mapping[str, Value]) -> Iterator[Architecture]:
    for attributes, shape, wanted in product(_attributes(op, fixed), SHAPES, (False, True)):
        try:
            yield _network(op, attributes, shape, wanted=wanted)
        except (SpecError, IndexError):  # a shape that it does not take, or with too few axes for its further inputs
            continue


def _size(network: Architecture) -> int:
    """How many numbers go in and come out."""
    return sum(map(math.prod, (*(item.shape for item in network.inputs), *network.node_shapes)))


def smallest_of(op: Op, fixed: Mapping[str, Value]) -> str:
    """The first of them, in the text notation."""
    return str(networks(op, fixed)[0])


def _attributes(op: Op, fixed: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    needed = [a.name for a in op.attributes if a.default is None and a.name not in fixed]
    others: list[dict[str, Value]] = [{}]
    for attribute in op.attributes:
        if attribute.name not in fixed and attribute.default is not None:
            values = ATTRIBUTE_VALUES.get((op.name, attribute.name), attribute.choices)
            others += [{attribute.name: value} for value in values if value != attribute.default]
    for other in others:
        for sizes in product(SIZES, repeat=len(needed)):
            yield op.complete({**dict(zip(needed, sizes, strict=True)), **fixed, **other}, op.name)


def _network(op: Op, attributes: dict[str, Value], shape: Shape, *, wanted: bool) -> Architecture:
    first = op.slots(attributes, op.arity[0])[0].dtype
    further = extras(op.name, attributes, shape, wanted=wanted)
    if op.kind == "merge":
        further = (Extra("y", shape if op.name != "matmul" else (*shape[:-2], shape[-1], shape[-2])),)
    own = Input("ids" if first == "int64" else "x", shape, first)
    inputs = (own, *(Input(extra.name, extra.shape, extra.dtype) for extra in further))
    links = tuple(-i - 1 for i in range(len(inputs)))
    if op.kind == "loss":
        return Architecture(inputs, (), Loss(op.name, attributes, links))
    node = Node(op.name, attributes, links, {role: f"0.{role}" for role in op.roles(attributes)})
    return Architecture(inputs, (node,), Loss("sse", {}, (0,)))
