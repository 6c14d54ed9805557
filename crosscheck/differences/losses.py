"""The losses that differences are taken of, as functions of perturbed tensors: the sound forward's, and any other.

Both are in float64. Branch signatures are those of the sound forward: it is asked for the same network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.branches import beyond_a_quarter_wave, beyond_half_the_norm, signature
from crosscheck.differences.ridders import Evaluation, Function
from crosscheck.spec.case import Case
from crosscheck.spec.result import Array

# Given the perturbed values (K, P, *shape) of some tensors by name, evaluate the loss with all else unchanged.
Joint = Callable[[Mapping[str, Array]], Evaluation]


def of_one(function: Joint) -> Function:
    """The same function for one tensor at a time."""
    return lambda name, values: function({name: values})


def sound(case: Case) -> Joint:
    """The loss of the built-in forward."""

    def evaluate(moved: Mapping[str, Array]) -> Evaluation:
        params = {k: moved.get(k, v[np.newaxis]) for k, v in case.params.items()}
        inputs = {k: moved.get(k, v[np.newaxis]) for k, v in case.inputs.items()}
        copies = max(len(values) for values in moved.values())
        with np.errstate(all="ignore"):
            weights = None if case.weights is None else case.weights[np.newaxis]
            tape = network.forward(case.architecture, params, inputs, case.targets[np.newaxis], weights=weights)
            shape = (copies, case.n_points)
            # The first of the stack is the middle of every stencil: what strays too far from it is another branch.
            strayed = beyond_a_quarter_wave(tape) | beyond_half_the_norm(tape)
            marks = signature(tape) + strayed.astype(np.uint64)
            return Evaluation(np.broadcast_to(tape.loss, shape), np.broadcast_to(marks, shape))

    return evaluate


def own(case: Case, loss: Callable[[Case], Array]) -> Joint:
    """A loss of the subject's own, asked for all perturbed cases at once, as points of one; what it raises passes."""
    of_signatures = sound(case)

    def evaluate(moved: Mapping[str, Array]) -> Evaluation:
        copies, points = max(len(values) for values in moved.values()), case.n_points

        def stacked(key: str, array: Array) -> Array:
            full = moved[key] if key in moved else np.broadcast_to(array, (copies, *array.shape))
            return np.ascontiguousarray(full).reshape(copies * points, *array.shape[1:])

        case_of_all = Case(
            case.architecture,
            {k: stacked(k, v) for k, v in case.params.items()},
            {k: stacked(k, v) for k, v in case.inputs.items()},
            stacked("", case.targets),
            case.dtype,
            weights=None if case.weights is None else stacked("", case.weights),
        )
        found = np.asarray(loss(case_of_all), np.float64).reshape(copies, points)
        return Evaluation(found, of_signatures(moved).signature)

    return evaluate
