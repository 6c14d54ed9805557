"""The second computation, without structure: one number at a time carries an ε through the whole loss.

No tape, no adjoint, no walk of the other: every value is a series v + ε v', from the numbers of the point to its
loss. It costs one forward pass for each number and is there to be compared with the tape. The formulas of elementwise
activations are shared; everything that joins numbers is written again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from flint import arb, arb_series

from crosscheck.oracles.ball import forward_layers, forward_losses
from crosscheck.oracles.ball.activations import ROWS
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import Row, Series
from crosscheck.oracles.ball.forward_layers import along, each
from crosscheck.oracles.ball.forward_series import Values
from crosscheck.spec.architecture import Node
from crosscheck.spec.case import Case
from crosscheck.spec.op import Attributes
from crosscheck.spec.result import Array


def derivatives(case: Case, point: int, tensor: str, *, bits: int = 200) -> tuple[Any, list[Any]]:
    """The loss of a point, and its derivative by every element of one parameter or input in C order: balls.

    On a kink the derivative is that of one side.
    """
    shape = {**case.params, **case.inputs}[tensor].shape[1:]
    with precision(bits):
        losses = [_loss(case, point, (tensor, i)) for i in range(math.prod(shape))]
    return losses[0][0], [loss[1] for loss in losses]


def _loss(case: Case, point: int, moved: tuple[str, int]) -> Series:
    architecture = case.architecture
    given = {name: _series(a[point], name, moved) for name, a in chain(case.params.items(), case.inputs.items())}
    values: list[Values] = []

    def value(link: int) -> Values:
        return values[link] if link >= 0 else given[architecture.inputs[-link - 1].name]

    for node in architecture.nodes:
        given_to_node = [value(link) for link in node.inputs]
        values.append(_node(node, given_to_node, given))
    loss = architecture.loss
    weights = None if case.weights is None else case.weights[point]
    xs = [value(link) for link in loss.inputs]
    return forward_losses.loss(architecture, xs, case.targets[point], weights, given)


def _series(array: Array, name: str, moved: tuple[str, int]) -> Values:
    result = np.empty(array.shape, object)
    flat = result.reshape(-1)
    for i, number in enumerate(array.ravel().tolist()):
        exact = arb(number) if isinstance(number, float) else arb(int(number))
        flat[i] = arb_series([exact, int((name, i) == moved)])
    return result


def _node(node: Node, xs: Sequence[Values], given: Mapping[str, Values]) -> Values:
    if node.op == "dense":
        return _dense(node, xs[0], given)
    if node.op in forward_layers.ROWS:
        params = {role: given[key] for role, key in node.params.items()}
        return forward_layers.ROWS[node.op](xs, params, node.attributes)
    if node.op in VECTORS:
        return along(VECTORS[node.op], xs[0], int(node.attributes["axis"]))
    row = ROWS[node.op]
    if not isinstance(row, Row):
        raise KeyError(f"forward mode has no {node.op}")
    return each(lambda z: _on_its_stretch(row, z, node.attributes), xs[0])


def _on_its_stretch(row: Row, z: Series, attributes: Attributes) -> Series:
    side = sum(1 for place in row.places(attributes) if z[0].mid() > place)
    return row.formulas[side](z, attributes)


def _dense(node: Node, a: Values, given: Mapping[str, Values]) -> Values:
    weight = given[node.params["weight"]]
    result = np.empty((*a.shape[:-1], weight.shape[0]), object)
    for index in np.ndindex(*result.shape):
        *row, j = index
        z = given[node.params["bias"]][j] if "bias" in node.params else arb_series([0])
        for k in range(weight.shape[1]):
            z = z + weight[j, k] * a[*row, k]
        result[index] = z
    return result


def _log_sum(z: Sequence[Series]) -> tuple[Any, Series]:
    """An exact number near the largest, and log Σ exp(z - it)."""
    middle = max(item[0].mid() for item in z)
    return middle, sum(((item - middle).exp() for item in z), start=arb_series([0])).log()


def log_softmax(z: list[Series]) -> list[Series]:
    middle, log = _log_sum(z)
    return [item - middle - log for item in z]


VECTORS: dict[str, Callable[[list[Series]], list[Series]]] = {
    "softmax": lambda z: [item.exp() for item in log_softmax(z)],
    "log_softmax": log_softmax,
}
