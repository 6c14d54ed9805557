"""The walk: forward along the nodes, keeping a tape; backward over the tape, accumulating at every fork.

∂C/∂(a node's output) = Σ over its uses of ∂C/∂(the using node's output) · ∂(that output)/∂(this output):
the textbook's sum over the next layer, for a graph. A node is visited after all of its uses, because the
nodes are in topological order. All arrays may have any number of leading axes, the same for all, each of
full size or 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from crosscheck.backprop import activations, dense, losses, merge
from crosscheck.backprop.rows import Activation, Array, Layer, Loss, Row, Rows, Site
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.result import Gradients

ROWS: dict[str, Row] = {**activations.ROWS, **dense.ROWS, **merge.ROWS, **losses.ROWS}


@dataclass(frozen=True)
class Tape:
    """What the forward pass leaves for the backward pass."""

    architecture: Architecture
    params: Mapping[str, Array]
    inputs: Mapping[str, Array]
    targets: Array
    outputs: tuple[Array, ...]
    loss: Array

    def value(self, link: int) -> Array:
        """Output of node `link`, or input -link - 1."""
        return self.outputs[link] if link >= 0 else self.inputs[self.architecture.inputs[-link - 1].name]


def forward(
    architecture: Architecture,
    params: Mapping[str, Array],
    inputs: Mapping[str, Array],
    targets: Array,
    rows: Rows = ROWS,
) -> Tape:
    """Run the network; `Tape.loss` has the leading axes alone. Integer and boolean inputs take part as numbers."""
    inputs = _as_numbers(params, inputs, targets)
    outputs: list[Array] = []
    for i, node in enumerate(architecture.nodes):
        given = tuple(outputs[k] if k >= 0 else inputs[architecture.inputs[-k - 1].name] for k in node.inputs)
        outputs.append(_apply(rows[node.op], i, architecture, given, params))
    tape = Tape(architecture, params, inputs, targets, tuple(outputs), None)
    return Tape(architecture, params, inputs, targets, tuple(outputs), loss(tape, rows))


def backward(tape: Tape, rows: Rows = ROWS) -> tuple[dict[str, Array], dict[int, Array]]:
    """Gradients by parameter key, and by link (nodes ≥ 0, inputs < 0). What the loss does not reach is absent."""
    architecture = tape.architecture
    by_link: dict[int, Array] = {}
    by_param: dict[str, Array] = {}
    (last,) = architecture.loss.inputs
    by_link[last] = _loss_slope(tape, rows)
    for i in reversed(range(len(architecture.nodes))):
        if i not in by_link:
            continue  # nothing that the loss depends on uses this node
        node = architecture.nodes[i]
        d_inputs, d_params = _pull_back(rows[node.op], node, i, tape, by_link[i])
        for link, d in zip(node.inputs, d_inputs, strict=True):
            by_link[link] = by_link[link] + d if link in by_link else d
        for role, d in d_params.items():
            key = node.params[role]
            by_param[key] = by_param[key] + d if key in by_param else d
    return by_param, by_link


def _as_numbers(params: Mapping[str, Array], inputs: Mapping[str, Array], targets: Array) -> Mapping[str, Array]:
    """The inputs in the dtype of what is floating; float64 where nothing is."""
    arrays = (*params.values(), *inputs.values(), targets)
    dtype = next((a.dtype for a in arrays if is_floating(a.dtype)), np.dtype(np.float64))
    return {k: a if is_floating(a.dtype) else a.astype(dtype) for k, a in inputs.items()}


def _site(architecture: Architecture, node: Node, out: Shape) -> Site:
    return Site(node.attributes, architecture.shapes_of(node.inputs), out)


def _apply(
    row: Row, index: int, architecture: Architecture, given: tuple[Array, ...], params: Mapping[str, Array]
) -> Array:
    node = architecture.nodes[index]
    if isinstance(row, Activation):
        return row.f(given[0], **node.attributes)
    site = _site(architecture, node, architecture.node_shapes[index])
    return cast("Layer", row).forward(site, given, {role: params[key] for role, key in node.params.items()})


def _pull_back(
    row: Row, node: Node, index: int, tape: Tape, d_out: Array
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    given = tuple(tape.value(k) for k in node.inputs)
    if isinstance(row, Activation):
        return (row.dz(given[0], tape.outputs[index], d_out, **node.attributes),), {}
    site = _site(tape.architecture, node, tape.architecture.node_shapes[index])
    params = {role: tape.params[key] for role, key in node.params.items()}
    return cast("Layer", row).backward(site, d_out, given, params)


def _loss_parts(tape: Tape, rows: Rows) -> tuple[Loss, Array, dict[str, Value], float]:
    loss = tape.architecture.loss
    row = cast("Loss", rows[loss.op])
    own = {k: v for k, v in loss.attributes.items() if k not in ("reduction", "scale")}
    return row, tape.value(loss.inputs[0]), own, _factor(tape.architecture)


def _factor(architecture: Architecture) -> float:
    """What the sum over elements (or samples) is multiplied by."""
    loss = architecture.loss
    shape = architecture.shape_of(loss.inputs[0])
    counted = shape[:-1] if loss.op == "softmax_cross_entropy" else shape
    divisor = {"sum": 1, "mean": int(np.prod(counted, dtype=np.int64)), "batch_mean": shape[0] if shape else 1}
    return float(loss.attributes["scale"]) / float(divisor[str(loss.attributes["reduction"])])


def loss(tape: Tape, rows: Rows) -> Array:
    """The loss of a forward pass by these rows, leading axes alone."""
    row, output, own, factor = _loss_parts(tape, rows)
    rank = len(tape.architecture.shape_of(tape.architecture.loss.inputs[0])) - row.per_sample
    terms = row.value(output, tape.targets, **own)
    lead = terms.shape[: terms.ndim - rank]
    return _scaled(terms.reshape((*lead, -1)).sum(axis=-1), factor)


def _loss_slope(tape: Tape, rows: Rows) -> Array:
    row, output, own, factor = _loss_parts(tape, rows)
    return _scaled(row.da(output, tape.targets, **own), factor)


def _scaled(values: Array, factor: float) -> Array:
    """In the dtype of the values: beside a plain float, bfloat16 would not stay what it is."""
    return values.dtype.type(factor) * values


def gradients(case: Case, rows: Rows = ROWS, *, by_node: bool = False) -> Gradients:
    """Loss and gradients of every point of a case, in the case's dtype; leading axis P."""
    with np.errstate(all="ignore"):
        tape = forward(case.architecture, case.params, case.inputs, case.targets, rows)
        by_param, by_link = backward(tape, rows)
    architecture, points = case.architecture, case.n_points

    def full(found: Any, shape: Shape) -> Any:
        if found is None:
            return np.zeros((points, *shape), case.dtype)
        return np.ascontiguousarray(np.broadcast_to(found, (points, *shape)))

    return Gradients(
        loss=full(tape.loss, ()),
        by_param={k: full(by_param.get(k), s) for k, s in architecture.param_shapes.items()},
        by_input={
            item.name: full(by_link.get(-i - 1), item.shape)
            for i, item in enumerate(architecture.inputs)
            if item.dtype == "float"
        },
        by_node={i: full(by_link.get(i), s) for i, s in enumerate(architecture.node_shapes if by_node else ())},
        outputs=full(tape.value(architecture.loss.inputs[0]), architecture.shape_of(architecture.loss.inputs[0])),
    )
