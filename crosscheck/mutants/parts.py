"""Changes of one factor of a rule: of what it says for some of its parameters, or for some of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from crosscheck.backprop import reduction
from crosscheck.backprop.network import Walk
from crosscheck.backprop.rows import Array, Row
from crosscheck.mutants.changes import Backward, Call, layer
from crosscheck.spec.architecture import Architecture

# What is said of one parameter or input, from the call and the sound gradient.
Change = Callable[[Call, Array], Array]


def params(op: str, roles: tuple[str, ...], change: Change) -> Row:
    """The rule with another gradient of these parameters, where they are there."""

    def backward(call: Call) -> Backward:
        d_inputs, d_params = call.answer
        return d_inputs, {role: change(call, g) if role in roles else g for role, g in d_params.items()}

    return layer(op, backward)


def inputs(op: str, numbers: tuple[int, ...], change: Change) -> Row:
    """The rule with another gradient of these inputs, where they are there."""

    def backward(call: Call) -> Backward:
        d_inputs, d_params = call.answer
        found = (d if d is None or i not in numbers else change(call, d) for i, d in enumerate(d_inputs))
        return tuple(found), d_params

    return layer(op, backward)


def inputs_of(op: str, other: Callable[[Call], Backward]) -> Row:
    """The rule with the gradients of its inputs from another answer, and those of its parameters from the sound one."""
    return layer(op, lambda call: (other(call)[0], call.answer[1]))


def params_of(op: str, other: Callable[[Call], Backward]) -> Row:
    """The rule with the gradients of its parameters from another answer, and those of its inputs from the sound one."""
    return layer(op, lambda call: (call.answer[0], other(call)[1]))


def first_alone(call: Call) -> Array:
    """∂C/∂(the output) with zeros in all rows but the first; where there is one axis alone, as it is."""
    if len(call.site.out_shape) < 2:
        return call.d_out
    d = call.d_out.copy()
    d[(*(slice(None),) * call.lead, slice(1, None))] = 0.0
    return d


def multiplied(op: str, factor: Callable[[Architecture], float]) -> Walk:
    """The walk in whose backward the slope of this loss is multiplied; its forward has the sound loss."""

    def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
        c = reduction.coefficients(architecture, counts, weights, dtype)
        return c * factor(architecture) if architecture.loss.op == op else c

    return Walk(coefficients=coefficients)


def reduced(op: str, how: str) -> Walk:
    """The walk whose backward takes this loss for one with another reduction."""

    def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
        loss = architecture.loss
        if loss.op == op:
            architecture = replace(architecture, loss=replace(loss, attributes={**loss.attributes, "reduction": how}))
        return reduction.coefficients(architecture, counts, weights, dtype)

    return Walk(coefficients=coefficients)


def unweighted(op: str) -> Walk:
    """The walk whose backward takes all samples of this loss for alike."""

    def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
        known = None if architecture.loss.op == op else weights
        return reduction.coefficients(architecture, counts, known, dtype)

    return Walk(coefficients=coefficients)


def uncounted(op: str) -> Walk:
    """The walk whose backward counts every sample of this loss, whatever its class."""

    def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
        known = None if architecture.loss.op == op else counts
        return reduction.coefficients(architecture, known, weights, dtype)

    return Walk(coefficients=coefficients)


def averaged_over_all(op: str) -> Walk:
    """The walk whose backward divides by all samples of this loss, not by those that count."""

    def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
        if architecture.loss.op != op or counts is None:
            return reduction.coefficients(architecture, counts, weights, dtype)
        return counts.astype(dtype) * reduction.coefficients(architecture, None, weights, dtype)

    return Walk(coefficients=coefficients)
