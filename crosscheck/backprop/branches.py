"""The branch signature of a forward pass: on which side of every kink and knot it ran.

Two runs with equal signatures lie on one smooth piece of the network, as far as its own kinks go. Each
element votes with the side it is on (below, at, above each place), weighted by a fixed odd number; the
signature is the sum modulo 2⁶⁴, so it costs one integer for each network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.backprop.network import Tape
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import op_named


@np.errstate(over="ignore")  # a scalar would warn that 2⁶⁴ was passed; an array does not
def signature(tape: Tape) -> NDArray[np.uint64]:
    """One integer for each network of the stack, shape of the leading axes."""
    architecture = tape.architecture
    total: Any = np.zeros(np.shape(tape.loss), np.uint64)
    for i, node in enumerate(architecture.nodes):
        op = op_named(node.op, f"node {i}")
        places = op.kinks(node.attributes) + op.knots(node.attributes)
        if places:
            values = tape.value(node.inputs[0])
            total = total + _sides(values, places, architecture.shape_of(node.inputs[0]), seed=i)
    loss = architecture.loss
    op = op_named(loss.op, "loss")
    places = op.kinks(loss.attributes) + op.knots(loss.attributes)
    if places:
        values = tape.value(loss.inputs[0]) - tape.targets
        total = total + _sides(values, places, architecture.shape_of(loss.inputs[0]), seed=-1)
    return np.asarray(total, np.uint64)


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


def _sides(values: Any, places: tuple[float, ...], shape: Shape, seed: int) -> Any:
    lead = values.shape[: values.ndim - len(shape)]
    flat = values.reshape((*lead, -1))
    weights = np.random.default_rng(seed + 1).integers(0, 2**63, size=flat.shape[-1], dtype=np.uint64) * np.uint64(2)
    weights = weights + np.uint64(1)
    ordered = np.sort(np.asarray(places))
    side = np.searchsorted(ordered, flat, "left") + np.searchsorted(ordered, flat, "right")
    return (side.astype(np.uint64) * weights).sum(axis=-1, dtype=np.uint64)
