"""What can be wrong with the derivative of an activation, and with that of a loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from crosscheck.backprop.rows import Array
from crosscheck.mutants.alterations import (
    ANY,
    EXACT,
    OF_INPUTS,
    Alteration,
    alone,
    has,
    rows_of,
    square,
)
from crosscheck.mutants.asked import POINTS, OfLoss, OfSlope, Part
from crosscheck.spec.fault import Symptom
from crosscheck.spec.op import Attribute, Value
from crosscheck.strategies.space import ATTRIBUTE_VALUES

# Beyond it, "in the tail"; within it nearly all that is drawn of size 1.
TAIL = 3.0


def at_zero(part: Part) -> bool:
    """Whether the derivative jumps where the input is 0, with the attributes at their defaults."""
    attributes = {a.name: a.default for a in part.op.attributes if a.default is not None}
    return 0.0 in part.op.kinks(attributes)


def over_an_axis(part: Part) -> bool:
    return has("axis")(part)


def elementwise(part: Part) -> bool:
    return not over_an_axis(part)


# --- activations ------------------------------------------------------------------------------------------------


def along_the_other_axis(it: OfSlope) -> Array:
    """Asked along the axis before the last where it works on the last, and the reverse."""
    if it.z.ndim < POINTS + 2:
        return it.g
    return it.by(axis=-2 if it.own["axis"] == -1 else -1)


def diagonal(it: OfSlope) -> Array:
    """∂a_k/∂z_k da_k alone: of each k what remains with ∂C/∂a zero elsewhere."""
    axis, total = int(it.own["axis"]), 0.0 * it.g
    for place in range(it.z.shape[axis]):
        total = total + alone(it.upstream(partial(alone, axis=axis, place=place)), axis, place)
    return total


# fmt: off
SLOPES: tuple[Alteration, ...] = (
    *ANY,
    *OF_INPUTS,
    Alteration("derivative missing", "is left out: the gradient by the output is passed on", Symptom.NO_SLOPE,
               lambda it: it.da),
    Alteration("derivative at the output", "is taken at the output a where it needs the input z",
               Symptom.SLOPE_AT_OUTPUT, lambda it: it.sound(it.a, it.a, it.da)),
    Alteration("derivative twice", "is applied twice", Symptom.SLOPE_TWICE, lambda it: it.sound(it.z, it.a, it.g)),
    Alteration("mirrored", "is taken at -z", Symptom.OTHER_FUNCTION, lambda it: it.sound(-it.z, it.a, it.da),
               elementwise),
    Alteration("at twice the input", "is taken at 2z", Symptom.OTHER_FUNCTION,
               lambda it: it.sound(2.0 * it.z, it.a, it.da)),
    Alteration("negated below zero", "has the wrong sign where the input is negative", Symptom.ONE_SIDE,
               lambda it: np.where(it.z < 0, -it.g, it.g)),
    Alteration("one below zero", "is 1 where the input is negative", Symptom.ONE_SIDE,
               lambda it: np.where(it.z < 0, it.da, it.g), elementwise),
    Alteration("flat in the tails", f"is zero where the input is beyond {TAIL:g}", Symptom.BOUNDARY,
               lambda it: np.where(abs(it.z) > TAIL, 0.0 * it.g, it.g)),
    Alteration("outside at its kink", "lies outside the one-sided derivatives at the kink", Symptom.KINK,
               lambda it: np.where(it.z == 0, -it.da, it.g), at_zero, always=True, families=EXACT),
    Alteration("along the other axis", "is taken along another axis than the values", Symptom.AXIS,
               along_the_other_axis, over_an_axis, always=True),
    Alteration("diagonal alone", "is that of each output by its own input: the rest of the Jacobian is missing",
               Symptom.DIAGONAL, diagonal, over_an_axis, always=True),
)


# --- losses -----------------------------------------------------------------------------------------------------


def classes_as_well(it: OfLoss) -> Array:
    """The targets with 0 for each, whether they are classes or numbers."""
    return it.at(*it.given[:-1], 0 * it.given[-1])


def first_sample(it: OfLoss) -> Array:
    return alone(it.g, POINTS, 0) if it.g.ndim > POINTS + 1 else it.g


def at_half(it: OfLoss) -> Array:
    """At half of what it is given, targets apart."""
    return it.at(*(0.5 * a for a in it.given[:-1]), it.given[-1])


LOSSES: tuple[Alteration, ...] = (
    *ANY,
    Alteration("sign alone", "is 1 or -1: its size is missing", Symptom.OTHER_FUNCTION, lambda it: np.sign(it.g)),
    Alteration("targets ignored", "is computed as if all targets were 0", Symptom.TERM, classes_as_well),
    Alteration("at half the output", "is taken at half of the output", Symptom.OTHER_FUNCTION, at_half),
    Alteration("first sample alone", "counts the first sample alone, not all", Symptom.NOT_SUMMED, first_sample),
    Alteration("mean over rows", "is divided by the number of samples, whatever the reduction", Symptom.MEAN,
               lambda it: it.g / float(rows_of(it))),
    Alteration("doubled where negative", "is doubled where it is negative", Symptom.ONE_SIDE,
               lambda it: np.where(it.g < 0, 2.0 * it.g, it.g)),
    Alteration("missing where positive", "is left out where it is positive", Symptom.ONE_SIDE,
               lambda it: np.where(it.g > 0, 0.0 * it.g, it.g)),
    Alteration("transposed", "is transposed where it is square", Symptom.TRANSPOSED,
               lambda it: it.g.swapaxes(-1, -2) if square(it.shape) else it.g),
)
# fmt: on


# --- attributes -------------------------------------------------------------------------------------------------


def ignoring(part: Part) -> Iterator[Alteration]:
    """For each attribute of an elementwise op that may differ from its default: the derivative with the default."""
    for attribute in part.op.attributes:
        for other in ATTRIBUTE_VALUES.get((part.op.name, attribute.name), ())[1:2]:
            if attribute.default is not None and attribute.name not in ("axis", "ignore_index", "targets"):
                yield _ignoring(attribute, other)


def _ignoring(attribute: Attribute, other: Value) -> Alteration:
    return Alteration(
        f"{attribute.name} ignored",
        f"is taken with the default of {attribute.name}, whatever {attribute.name} is",
        Symptom.OTHER_FUNCTION,
        partial(_with, attribute=attribute),
        always=True,
        fixed={attribute.name: other},
    )


def _with(it: OfSlope | OfLoss, attribute: Attribute) -> Array:
    default: dict[str, Value] = {} if attribute.default is None else {attribute.name: attribute.default}
    return it.by(**default) if isinstance(it, OfSlope) else it.at(**default)
