"""References made of differences: their radius widened by what rounding does to a slope, and told of a few points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crosscheck.spec.result import Array, Gradients, Reference


def with_slope_error(found: Reference, *errors: Gradients) -> Reference:
    """The differences with what rounding does to the slope itself, the largest of `errors`, added to their radius.

    A step moves the loss by h times a slope that its formulas know no better than any gradient; σ of the loss, taken
    where the step starts, does not see that.
    """
    if found.radius is None:
        return found

    def wider(name: str, radius: Array) -> Array:
        return np.asarray(radius + np.maximum.reduce([error[name] for error in errors]))

    radius = Gradients(
        loss=found.radius.loss,
        by_param={k: wider(k, v) for k, v in found.radius.by_param.items()},
        by_input={k: wider(k, v) for k, v in found.radius.by_input.items()},
    )
    return replace(found, radius=radius)


def spread_out(reference: Reference, points: list[int], total: int) -> Reference:
    """The reference at these points as one of all points; the others were not asked (radius infinite)."""

    def full(array: Array, rest: float) -> Array:
        result = np.full((total, *array.shape[1:]), rest)
        result[points] = array
        return result

    def gradients(g: Gradients, rest: float) -> Gradients:
        return Gradients(
            loss=full(g.loss, rest),
            by_param={k: full(v, rest) for k, v in g.by_param.items()},
            by_input={k: full(v, rest) for k, v in g.by_input.items()},
        )

    radius = gradients(reference.radius, np.inf) if reference.radius is not None else None
    return Reference(gradients(reference.gradients, 0.0), reference.rigour, radius)
