"""The walk: forward along the nodes, keeping a tape; backward over the tape, accumulating at every fork.

∂C/∂(a node's output) = Σ over its uses of ∂C/∂(the using node's output) · ∂(that output)/∂(this output):
the textbook's sum over the next layer, for a graph. A node is visited after all of its uses, because the
nodes are in topological order. All arrays may have any number of leading axes, the same for all, each of
full size or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from crosscheck.backprop import (
    activations,
    attention,
    convolution,
    dense,
    losses,
    merge,
    moves,
    normalisation,
    pooling,
    recurrent,
    reduction,
    selection,
    vectors,
)
from crosscheck.backprop.rows import Activation, Array, Keeping, Kept, Layer, Loss, Row, Rows, Site
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.losses import COMMON
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.result import Gradients

ROWS: dict[str, Row] = {
    **activations.ROWS,
    **dense.ROWS,
    **convolution.ROWS,
    **pooling.ROWS,
    **moves.ROWS,
    **vectors.ROWS,
    **normalisation.ROWS,
    **selection.ROWS,
    **recurrent.ROWS,
    **attention.ROWS,
    **merge.ROWS,
    **losses.ROWS,
}


Join = Callable[[Array, Array], Array]
Slopes = Callable[[Architecture, Mapping[str, Array]], Iterable[tuple[str, Array]]]


def _plus(found: Array, more: Array) -> Array:
    return found + more


@dataclass(frozen=True)
class Walk:
    """What the walk backward does between its rules: with a part replaced it is a changed walk.

    `at_fork` joins what reaches a node by one use of it with what came by others, `of_shared` what several nodes say of
    one parameter. `coefficients` and `penalty_slopes` are those of `reduction`.
    """

    at_fork: Join = _plus
    of_shared: Join = _plus
    coefficients: Callable[[Architecture, Array | None, Array | None, Any], Any] = reduction.coefficients
    penalty_slopes: Callable[[Architecture, Mapping[str, Array]], Iterable[tuple[str, Array]]] = (
        reduction.penalty_slopes
    )


WALK = Walk()


@dataclass(frozen=True)
class Started:
    """What a loss in two steps began with, and of what: its rule, inputs with targets, and attributes."""

    row: Loss
    given: tuple[Array, ...]
    own: Mapping[str, Value]
    start: Any

    def of(self, row: Loss, given: tuple[Array, ...], own: Mapping[str, Value]) -> bool:
        return row is self.row and own == self.own and all(a is b for a, b in zip(given, self.given, strict=True))


@dataclass(frozen=True)
class Tape:
    """What the forward pass leaves for the backward pass.

    `inputs` are numbers, whatever their dtype; `indices` those of whole numbers and masks, as they were given. `kept`
    is, by node, what the layer wants back, `begun` what the loss does.
    """

    architecture: Architecture
    params: Mapping[str, Array]
    inputs: Mapping[str, Array]
    indices: Mapping[str, Array]
    targets: Array
    weights: Array | None
    outputs: Sequence[Array]
    loss: Array
    kept: Mapping[int, Kept] = field(default_factory=dict)
    begun: Started | None = None

    def value(self, link: int) -> Array:
        """Output of node `link`, or input -link - 1, as numbers."""
        return self.outputs[link] if link >= 0 else self.inputs[self.architecture.inputs[-link - 1].name]

    def given(self, index: int) -> tuple[Array, ...]:
        """What node `index` is given: numbers, and indices and masks where it takes those."""
        if not self.indices:
            return tuple(map(self.value, self.architecture.nodes[index].inputs))
        slots = zip(self.architecture.nodes[index].inputs, self.architecture.slots(index), strict=True)
        return tuple(
            self.value(link) if slot.dtype == "float" else self.indices[self.architecture.inputs[-link - 1].name]
            for link, slot in slots
        )

    def kinked(self, index: int) -> Array:
        """The numbers at which node `index` has kinks: its first input, or what lies inside it."""
        inside = self.kept[index].kinked if index in self.kept else None
        return self.value(self.architecture.nodes[index].inputs[0]) if inside is None else inside


def forward(
    architecture: Architecture,
    params: Mapping[str, Array],
    inputs: Mapping[str, Array],
    targets: Array,
    rows: Rows = ROWS,
    *,
    weights: Array | None = None,
    indices: Mapping[str, Array] | None = None,
) -> Tape:
    """Run the network; `Tape.loss` has the leading axes alone.

    Integer and boolean inputs take part as numbers, except where an op takes indices or a mask. `indices` gives them
    as such where `inputs` holds them as numbers already.
    """
    given = {k: a for k, a in inputs.items() if not is_floating(a.dtype)} if indices is None else indices
    outputs: list[Array] = []
    kept: dict[int, Kept] = {}
    numbers = _as_numbers(params, inputs, targets)
    tape = Tape(architecture, params, numbers, given, targets, weights, outputs, None, kept)  # it grows on the way
    for i in range(len(architecture.nodes)):
        output, left = _apply(rows, i, tape)
        outputs.append(output)
        if left is not None:
            kept[i] = left
    begun = _begun(tape, rows)
    return replace(tape, outputs=tuple(outputs), loss=_value(tape, rows, begun), begun=begun)


def backward(tape: Tape, rows: Rows = ROWS, walk: Walk = WALK) -> tuple[dict[str, Array], dict[int, Array]]:
    """Gradients by parameter key, and by link (nodes ≥ 0, inputs < 0). What the loss does not reach is absent."""
    architecture = tape.architecture
    by_link: dict[int, Array] = {}
    by_param: dict[str, Array] = {}
    for link, d in zip(architecture.loss.inputs, _loss_slopes(tape, rows, walk), strict=True):
        by_link[link] = walk.at_fork(by_link[link], d) if link in by_link else d
    for i in reversed(range(len(architecture.nodes))):
        if i not in by_link:
            continue  # nothing that the loss depends on uses this node
        node = architecture.nodes[i]
        d_inputs, d_params = _pull_back(rows, i, tape, by_link[i])
        for link, d in zip(node.inputs, d_inputs, strict=True):
            if d is not None:  # of indices and masks there is none
                by_link[link] = walk.at_fork(by_link[link], d) if link in by_link else d
        for role, d in d_params.items():
            key = node.params[role]
            by_param[key] = walk.of_shared(by_param[key], d) if key in by_param else d
    for key, d in walk.penalty_slopes(architecture, tape.params):
        by_param[key] = by_param[key] + d if key in by_param else d
    return by_param, by_link


def _as_numbers(params: Mapping[str, Array], inputs: Mapping[str, Array], targets: Array) -> Mapping[str, Array]:
    """The inputs in the dtype of what is floating; float64 where nothing is."""
    arrays = (*params.values(), *inputs.values(), targets)
    dtype = next((a.dtype for a in arrays if is_floating(a.dtype)), np.dtype(np.float64))
    return {k: a if is_floating(a.dtype) else a.astype(dtype) for k, a in inputs.items()}


def site_of(architecture: Architecture, index: int) -> Site:
    return Site(architecture.nodes[index].attributes, architecture.in_shapes[index], architecture.node_shapes[index])


def of_one(op: str, index: int) -> str:
    """The key of a rule that stands for node `index` alone, whatever the other nodes of its op go by."""
    return f"{op}@{index}"


def _row_of(rows: Rows, node: Node, index: int) -> Row:
    return rows[node.op] if rows is ROWS else rows.get(of_one(node.op, index)) or rows[node.op]


def _apply(rows: Rows, index: int, tape: Tape) -> tuple[Array, Kept | None]:
    node = tape.architecture.nodes[index]
    row, given = _row_of(rows, node, index), tape.given(index)
    if isinstance(row, Activation):
        return row.f(given[0], **node.attributes), None
    params = {role: tape.params[key] for role, key in node.params.items()}
    if isinstance(row, Keeping):
        return row.forward(site_of(tape.architecture, index), given, params)
    return cast("Layer", row).forward(site_of(tape.architecture, index), given, params), None


def _pull_back(rows: Rows, index: int, tape: Tape, d_out: Array) -> tuple[tuple[Array | None, ...], dict[str, Array]]:
    node = tape.architecture.nodes[index]
    row, given = _row_of(rows, node, index), tape.given(index)
    if isinstance(row, Activation):
        return (row.dz(given[0], tape.outputs[index], d_out, **node.attributes),), {}
    params = {role: tape.params[key] for role, key in node.params.items()}
    if isinstance(row, Keeping):
        return row.backward(site_of(tape.architecture, index), d_out, tape.kept[index], given, params)
    return cast("Layer", row).backward(site_of(tape.architecture, index), d_out, given, params)


def loss(tape: Tape, rows: Rows) -> Array:
    """The loss of a forward pass by these rows, leading axes alone."""
    return _value(tape, rows, tape.begun)


def _value(tape: Tape, rows: Rows, begun: Started | None) -> Array:
    row, given, own, c = _loss_parts(tape, rows)
    value = reduction.total(row, given, own, c, len(tape.architecture.terms_shape), _start(begun, row, given, own))
    for part in reduction.penalties(tape.architecture, tape.params):
        value = value + part
    return value


def loss_kinked(tape: Tape, rows: Rows) -> Array:
    """The numbers that the kinks and knots of the loss belong to: output - target, or what its row says."""
    row, given, own, _ = _loss_parts(tape, rows)
    return row.kinked(*given, **own) if row.kinked else given[0] - given[-1]


def loss_vectors(tape: Tape, rows: Rows) -> tuple[Array, ...]:
    """The vectors, on the last axis, whose norms the loss takes."""
    row, given, own, _ = _loss_parts(tape, rows)
    return row.vectors(*given, **own) if row.vectors else ()


def _loss_slopes(tape: Tape, rows: Rows, walk: Walk = WALK) -> tuple[Array, ...]:
    row, given, own, c = _loss_parts(tape, rows, walk)
    return reduction.slopes(row, given, own, c, _start(tape.begun, row, given, own))


def _begun(tape: Tape, rows: Rows) -> Started | None:
    row, given, own = _loss_of(tape, rows)
    return Started(row, given, own, row.in_steps.begin(*given, **own)) if row.in_steps else None


def _start(begun: Started | None, row: Loss, given: tuple[Array, ...], own: Mapping[str, Value]) -> Any:
    """What the loss began with, if it was this one: a tape may be read again by other rules."""
    return begun.start if begun is not None and begun.of(row, given, own) else None


def _loss_parts(tape: Tape, rows: Rows, walk: Walk = WALK) -> tuple[Loss, tuple[Array, ...], dict[str, Value], Any]:
    """The rule, what it is given (outputs, then targets), its own attributes, and by what its terms are multiplied."""
    row, given, own = _loss_of(tape, rows)
    counts = row.counts(tape.targets, **own) if row.counts else None
    return row, given, own, walk.coefficients(tape.architecture, counts, tape.weights, given[0].dtype)


def _loss_of(tape: Tape, rows: Rows) -> tuple[Loss, tuple[Array, ...], dict[str, Value]]:
    loss = tape.architecture.loss
    own = {k: v for k, v in loss.attributes.items() if k not in COMMON}
    return cast("Loss", rows[loss.op]), (*(tape.value(k) for k in loss.inputs), tape.targets), own


def gradients(
    case: Case,
    rows: Rows = ROWS,
    *,
    walk: Walk = WALK,
    by_node: bool = False,
    laid_out: Callable[[Array], Array] = lambda array: array,
) -> Gradients:
    """Loss and gradients of every point of a case, in the case's dtype; leading axis P.

    `laid_out` says how the arrays lie in memory that the walk is given.
    """
    params, inputs = ({k: laid_out(a) for k, a in group.items()} for group in (case.params, case.inputs))
    weights = None if case.weights is None else laid_out(case.weights)
    with np.errstate(all="ignore"):
        tape = forward(case.architecture, params, inputs, laid_out(case.targets), rows, weights=weights)
        by_param, by_link = backward(tape, rows, walk)
    architecture, points = case.architecture, case.n_points

    def full(found: Any, shape: Shape) -> Any:
        if found is None:
            return np.zeros((points, *shape), case.dtype)
        asked = (points, *shape)
        return np.ascontiguousarray(found if found.shape == asked else np.broadcast_to(found, asked))

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
