"""The branch signature of a forward pass: on which side of every kink and knot it ran.

Two runs with equal signatures lie on one smooth piece of the network, as far as its own kinks go. Each
element votes with the side it is on (below, at, above each place; in a maximum: whether it is the largest), weighted
by a fixed odd number; the signature is the sum modulo 2⁶⁴, so it costs one integer for each network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.backprop import pooling
from crosscheck.backprop.network import ROWS, Tape, forward, loss_kinked, loss_vectors, site_of
from crosscheck.spec.case import Case
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import op_named
from crosscheck.spec.result import Floats, KinksMet

# Of ops with ties: which numbers of each window are the largest.
AT_THE_TOP = dict.fromkeys(("max_pool1d", "max_pool2d"), pooling.at_the_top)


@np.errstate(over="ignore")  # a scalar would warn that 2⁶⁴ was passed; an array does not
def signature(tape: Tape) -> NDArray[np.uint64]:
    """One integer for each network of the stack, shape of the leading axes."""
    total: Any = np.zeros(np.shape(tape.loss), np.uint64)
    for i, _, values, places, shape in _with_places(tape):
        total = total + _sides(values, places, shape, seed=i)
    for i, _, winners in _with_ties(tape):
        total = total + _votes(winners, np.ndim(tape.loss), seed=i)
    architecture = tape.architecture
    if architecture.loss.attributes["l1"]:
        for number, key in enumerate(architecture.penalised):
            total = total + _sides(tape.params[key], (0.0,), architecture.param_shapes[key], seed=number + 1000)
    return np.asarray(total, np.uint64)


def met(case: Case, near: Mapping[int, Floats]) -> KinksMet:
    """How many elements stand exactly on each kink and knot, and how many so near that nobody can tell the side.

    Of an op with ties (place None), how many windows have several largest numbers. `near` has that distance by node
    (-1: the loss), of the shape of the values; without one none counts as near.
    """
    exact = case.astype("float64")
    with np.errstate(all="ignore"):
        tape = forward(exact.architecture, exact.params, exact.inputs, exact.targets, weights=exact.weights)
    exactly: Counter[tuple[str, float | None]] = Counter()
    nearly: Counter[tuple[str, float | None]] = Counter()
    for i, op, values, places, _ in _with_places(tape):
        for place in places:
            away = abs(values - place)
            exactly[op, place] += int(np.count_nonzero(away == 0))
            nearly[op, place] += int(np.count_nonzero((away > 0) & (away <= near.get(i, 0.0))))
    for _, op, winners in _with_ties(tape):
        exactly[op, None] += int(np.count_nonzero(winners.sum(axis=-1) > 1))
    return {key: (exactly[key], nearly[key]) for key in exactly}


def _with_ties(tape: Tape) -> Iterator[tuple[int, str, NDArray[np.bool_]]]:
    """Every node with ties: its op, and which numbers of each window are the largest."""
    for i, node in enumerate(tape.architecture.nodes):
        if op_named(node.op, f"node {i}").ties:
            yield i, node.op, AT_THE_TOP[node.op](site_of(tape.architecture, i), tape.value(node.inputs[0]))


def _with_places(tape: Tape) -> Iterator[tuple[int, str, Any, tuple[float, ...], Shape]]:
    """Every node with kinks or knots and then the loss (-1): its op, the numbers they belong to, places, shape."""
    architecture = tape.architecture
    for i, node in enumerate(architecture.nodes):
        op = op_named(node.op, f"node {i}")
        places = op.kinks(node.attributes) + op.knots(node.attributes)
        if places:
            yield i, node.op, tape.kinked(i), places, architecture.kinked_shape(i)
    loss = architecture.loss
    op = op_named(loss.op, "loss")
    places = op.kinks(loss.attributes) + op.knots(loss.attributes)
    if places:
        values = loss_kinked(tape, ROWS)
        yield -1, loss.op, values, places, values.shape[np.ndim(tape.loss) :]


def beyond_a_quarter_wave(tape: Tape) -> NDArray[np.bool_]:
    """Which networks of the stack have a sine's argument more than π/2 from where the first network has it.

    Differences over more than that cannot tell a wave from its alias. Shape of the leading axes.
    """
    architecture = tape.architecture
    result: Any = np.zeros(np.shape(tape.loss), np.bool_)
    for node in architecture.nodes:
        if node.op == "sin":
            z = tape.value(node.inputs[0])
            lead = z.shape[: z.ndim - len(architecture.shape_of(node.inputs[0]))]
            result = result | (np.abs(z - z[:1]) > np.pi / 2).reshape((*lead, -1)).any(axis=-1)
    return np.asarray(result, np.bool_)


def _votes(winners: NDArray[np.bool_], lead: int, seed: int) -> Any:
    """Those of each window that are the largest, all where they tie: to leave a tie is to change sides too."""
    flat = winners.reshape((*winners.shape[:lead], -1))
    return (flat * _weights(flat.shape[-1], seed)).sum(axis=-1, dtype=np.uint64)


def beyond_half_the_norm(tape: Tape) -> NDArray[np.bool_]:
    """Which networks of the stack have a vector of a norm further than half its length from where the first has it.

    At the vector's own length from it a norm may have its kink, where it is no power series. Shape of the leading axes.
    """
    architecture = tape.architecture
    result: Any = np.zeros(np.shape(tape.loss), np.bool_)
    for node in architecture.nodes:
        if node.op == "norm":
            z, axis = tape.value(node.inputs[0]), int(node.attributes["axis"])
            far = np.linalg.norm(z - z[:1], axis=axis) > 0.5 * np.linalg.norm(z[:1], axis=axis)
            lead = z.shape[: z.ndim - len(architecture.shape_of(node.inputs[0]))]
            result = result | far.reshape((*lead, -1)).any(axis=-1)
    for vectors in loss_vectors(tape, ROWS):
        far = np.linalg.norm(vectors - vectors[:1], axis=-1) > 0.5 * np.linalg.norm(vectors[:1], axis=-1)
        result = result | far.reshape((*far.shape[: np.ndim(tape.loss)], -1)).any(axis=-1)
    return np.asarray(result, np.bool_)


def _sides(values: Any, places: tuple[float, ...], shape: Shape, seed: int) -> Any:
    lead = values.shape[: values.ndim - len(shape)]
    flat = values.reshape((*lead, -1))
    ordered = np.sort(np.asarray(places))
    side = np.searchsorted(ordered, flat, "left") + np.searchsorted(ordered, flat, "right")
    return (side.astype(np.uint64) * _weights(flat.shape[-1], seed)).sum(axis=-1, dtype=np.uint64)


def _weights(size: int, seed: int) -> NDArray[np.uint64]:
    odd = np.random.default_rng(seed + 1).integers(0, 2**63, size=size, dtype=np.uint64) * np.uint64(2)
    return odd + np.uint64(1)
