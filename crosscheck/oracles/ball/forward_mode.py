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

from crosscheck.oracles.ball.activations import ROWS
from crosscheck.oracles.ball.arithmetic import precision
from crosscheck.oracles.ball.branches import Row, Series
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case
from crosscheck.spec.op import Attributes
from crosscheck.spec.result import Array

Values = Any  # an object array of series; a series has a length, so NumPy must never look into one


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
    return _reduced(architecture, LOSSES[loss.op], value(loss.inputs[0]), case.targets[point])


def _series(array: Array, name: str, moved: tuple[str, int]) -> Values:
    result = np.empty(array.shape, object)
    flat = result.reshape(-1)
    for i, number in enumerate(array.ravel().tolist()):
        exact = arb(number) if isinstance(number, float) else arb(int(number))
        flat[i] = arb_series([exact, int((name, i) == moved)])
    return result


def _each(f: Callable[[Series], Series], x: Values) -> Values:
    result = np.empty(x.shape, object)
    flat = result.reshape(-1)
    for i, item in enumerate(x.reshape(-1)):
        flat[i] = f(item)
    return result


def _rows(f: Callable[[list[Series]], list[Series]], x: Values) -> Values:
    """A function of each vector on the last axis."""
    result = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape[:-1]):
        for k, item in enumerate(f([x[*index, j] for j in range(x.shape[-1])])):
            result[*index, k] = item
    return result


def _node(node: Node, xs: Sequence[Values], given: Mapping[str, Values]) -> Values:
    if node.op == "dense":
        return _dense(node, xs[0], given)
    if node.op in MERGES:
        return MERGES[node.op](xs)
    if node.op in VECTORS:
        return _rows(VECTORS[node.op], xs[0])
    row = ROWS[node.op]
    if not isinstance(row, Row):
        raise KeyError(f"forward mode has no {node.op}")
    return _each(lambda z: _on_its_stretch(row, z, node.attributes), xs[0])


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


def _product(xs: Sequence[Values]) -> Values:
    result = np.empty(xs[0].shape, object)
    for index in np.ndindex(*result.shape):
        result[index] = math.prod((x[index] for x in xs), start=arb_series([1]))
    return result


def _total(xs: Sequence[Values]) -> Values:
    result = np.empty(xs[0].shape, object)
    for index in np.ndindex(*result.shape):
        result[index] = sum((x[index] for x in xs), start=arb_series([0]))
    return result


def _log_sum(z: Sequence[Series]) -> tuple[Any, Series]:
    """An exact number near the largest, and log Σ exp(z - it)."""
    middle = max(item[0].mid() for item in z)
    return middle, sum(((item - middle).exp() for item in z), start=arb_series([0])).log()


def log_softmax(z: list[Series]) -> list[Series]:
    middle, log = _log_sum(z)
    return [item - middle - log for item in z]


def _absolute(d: Series) -> Series:
    return d if d[0].mid() > 0 else -d


def _huber(d: Series, own: Attributes) -> Series:
    size, delta = _absolute(d), arb(own["delta"])
    return size * size / 2 if size[0].mid() < delta else size * delta - delta * delta / 2


def _bce(z: Series, y: Any) -> Series:
    return (z if z[0].mid() > 0 else 0 * z) - z * y + (1 + (-_absolute(z)).exp()).log()


MERGES: dict[str, Callable[[Sequence[Values]], Values]] = {
    "add": _total,
    "multiply": _product,
    "concat": lambda xs: np.concatenate(xs, axis=-1),
}
VECTORS: dict[str, Callable[[list[Series]], list[Series]]] = {
    "softmax": lambda z: [item.exp() for item in log_softmax(z)],
    "log_softmax": log_softmax,
}
# By element: its series, its target, the attributes.
LOSSES: dict[str, Callable[[Series, Any, Attributes], Series] | None] = {
    "sse": lambda a, y, _: (a - y) * (a - y),
    "mse": lambda a, y, _: (a - y) * (a - y),
    "mae": lambda a, y, _: _absolute(a - y),
    "huber": lambda a, y, own: _huber(a - y, own),
    "bce_with_logits": lambda z, y, _: _bce(z, y),
    "cotangent": lambda a, y, _: a * y,
    "softmax_cross_entropy": None,
}


def _reduced(
    architecture: Architecture, row: Callable[[Series, Any, Attributes], Series] | None, a: Values, y: Array
) -> Series:
    own = architecture.loss.attributes
    if row is None:
        terms = _cross_entropy(_rows(log_softmax, a), y)
    else:
        terms = [row(a[i], arb(float(y[i])), own) for i in np.ndindex(*a.shape)]
    parts = {"sum": 1, "mean": len(terms), "batch_mean": a.shape[0] if a.shape else 1}[str(own["reduction"])]
    return sum(terms, start=arb_series([0])) * arb(own["scale"]) / parts


def _cross_entropy(logs: Values, y: Array) -> list[Series]:
    """By sample."""
    if y.shape != logs.shape:
        return [-logs[*i, int(y[i])] for i in np.ndindex(*y.shape)]
    return [
        sum((-(logs[*i, c] * arb(float(y[*i, c]))) for c in range(y.shape[-1])), start=arb_series([0]))
        for i in np.ndindex(*y.shape[:-1])
    ]
