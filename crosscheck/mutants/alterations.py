"""What can be wrong with any one derivative: small changes of a sound answer, each with what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.backprop.rows import Array
from crosscheck.mutants.asked import Asked, OfLayer, Part
from crosscheck.spec.fault import Factor, Symptom
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.recurrent import GATES

# Families whose numbers are often exactly 0, or alike.
EXACT = ("dyadic", "integers", "sparse")
SLIGHTLY = 1e-6
Change = Callable[[Any], Array]


@dataclass(frozen=True)
class Alteration:
    """One way to be wrong. `says` continues a sentence that begins with the derivative.

    `applies` says of which parts. One that is `always` taken is planted wherever it applies; the others take turns.
    `fixed` are attributes, `families` values, without which it does not show.
    """

    name: str
    says: str
    symptom: Symptom
    change: Change
    applies: Callable[[Part], bool] = lambda part: True
    always: bool = False
    fixed: Mapping[str, Value] = field(default_factory=dict)
    families: tuple[str, ...] = ()


# --- where ------------------------------------------------------------------------------------------------------


def by_input(part: Part) -> bool:
    return part.factor in (Factor.INPUT, Factor.SLOPE)


def by_param(part: Part) -> bool:
    return part.factor is Factor.PARAM


def of_layer(part: Part) -> bool:
    return part.factor in (Factor.INPUT, Factor.PARAM)


def has(attribute: str) -> Callable[[Part], bool]:
    return lambda part: any(a.name == attribute for a in part.op.attributes)


def both(*rules: Callable[[Part], bool]) -> Callable[[Part], bool]:
    return lambda part: all(rule(part) for rule in rules)


def of_matrix(part: Part) -> bool:
    """By weights that may be square: not those of several gates, one below the other."""
    of_gates = part.op.name in GATES and GATES[part.op.name] > 1
    return part.factor is Factor.PARAM and part.name.startswith("weight") and not has("eps")(part) and not of_gates


# --- what -------------------------------------------------------------------------------------------------------


def without_last(g: Array, axis: int) -> Array:
    """g with 0 in the last place of an axis of more than one."""
    if g.shape[axis] < 2:
        return g
    kept = np.arange(g.shape[axis]) < g.shape[axis] - 1
    return np.where(along(kept, g, axis), g, 0.0 * g)


def alone(d: Array, axis: int, place: int) -> Array:
    """d with 0 in all but one place of an axis."""
    kept = np.arange(d.shape[axis]) == place % d.shape[axis]
    return np.where(along(kept, d, axis), d, 0.0 * d)


def along(numbers: Array, like: Array, axis: int) -> Array:
    """Numbers of one axis, to stand beside an array that has it."""
    shape = [1] * like.ndim
    shape[axis] = len(numbers)
    return numbers.reshape(shape)


def swapped_where_square(it: Asked) -> Array:
    return it.g.swapaxes(-1, -2) if square(core(it)) else it.g


def square(shape: Shape) -> bool:
    return len(shape) > 1 and shape[-1] == shape[-2]


def core(it: Asked) -> Shape:
    """The shape of g without leading axes."""
    return tuple(it.g.shape[it.lead :])


def entrywise(it: Asked) -> bool:
    """Whether g belongs to x, entry by entry."""
    return bool(it.g.shape == it.x.shape)


def one_row(it: Asked) -> bool:
    return len(it.shape) > 1 and it.shape[0] == 1


def one_wide(it: Asked) -> bool:
    return bool(it.shape) and it.shape[-1] == 1


def where(it: Asked, there: Array, otherwise: Array) -> Array:
    """`otherwise` at the entries that are there, if g belongs to x entry by entry."""
    return np.where(there, otherwise, it.g) if entrywise(it) else it.g


def _last_axis(it: Asked) -> int:
    """Of what a unit is numbered by: the first axis of a parameter, the last of an input; from the end."""
    return -len(core(it)) if isinstance(it, OfLayer) and it.part.factor is Factor.PARAM else -1


def rows_of(it: Asked) -> int:
    return it.shape[0] if len(it.shape) > 1 else 1


# fmt: off
ANY: tuple[Alteration, ...] = (
    Alteration("missing", "is left out: it is zero", Symptom.MISSING, lambda it: 0.0 * it.g),
    Alteration("negated", "has the wrong sign", Symptom.NEGATED, lambda it: -it.g),
    Alteration("doubled", "is twice what it should be", Symptom.FACTOR, lambda it: 2.0 * it.g),
    Alteration("halved", "is half of what it should be", Symptom.FACTOR, lambda it: 0.5 * it.g),
    Alteration("slightly off", "is too large by a millionth", Symptom.SLIGHT, lambda it: (1.0 + SLIGHTLY) * it.g),
    Alteration("shifted", "lies one place too far along the last axis", Symptom.AXIS,
               lambda it: np.roll(it.g, 1, axis=-1) if core(it) else it.g),
    Alteration("last unit forgotten", "is zero for the last unit", Symptom.TERM,
               lambda it: without_last(it.g, _last_axis(it)) if core(it) else it.g),
    Alteration("of the sample before", "is computed from the values of the sample before", Symptom.STALE,
               lambda it: it.rolled()),
    Alteration("doubled at batch 1", "is doubled where there is one sample alone", Symptom.BOUNDARY,
               lambda it: 2.0 * it.g if one_row(it) else it.g),
    Alteration("doubled at width 1", "is doubled where the last axis has one place alone", Symptom.BOUNDARY,
               lambda it: 2.0 * it.g if one_wide(it) else it.g),
)
OF_INPUTS: tuple[Alteration, ...] = (
    Alteration("upstream ignored", "takes 1 for the gradient that comes from above", Symptom.UPSTREAM,
               lambda it: it.upstream(np.ones_like)),
    Alteration("doubled below zero", "is doubled where the input is negative", Symptom.ONE_SIDE,
               lambda it: where(it, it.x < 0, 2.0 * it.g), by_input),
    Alteration("missing above zero", "is left out where the input is positive", Symptom.ONE_SIDE,
               lambda it: where(it, it.x > 0, 0.0 * it.g), by_input),
    Alteration("doubled at zero", "is doubled where the input is exactly 0", Symptom.BOUNDARY,
               lambda it: where(it, it.x == 0, 2.0 * it.g), by_input, families=EXACT),
    Alteration("NaN at zero", "is NaN where the input is exactly 0", Symptom.NAN,
               lambda it: where(it, it.x == 0, np.nan * it.g), by_input, families=EXACT),
)
OF_LAYERS: tuple[Alteration, ...] = (
    *ANY,
    *OF_INPUTS,
    Alteration("one output alone", "counts the first unit of the output alone, not the sum over all",
               Symptom.NOT_SUMMED, lambda it: it.upstream(lambda d: alone(d, -1, 0)) if it.shape else it.g, of_layer),
    Alteration("first sample alone", "counts the first sample alone, not the sum over all", Symptom.NOT_SUMMED,
               lambda it: it.upstream(lambda d: alone(d, it.lead, 0)) if len(it.shape) > 1 else it.g, by_param),
    Alteration("last sample alone", "counts the last sample alone, not the sum over all", Symptom.NOT_SUMMED,
               lambda it: it.upstream(lambda d: alone(d, it.lead, -1)) if len(it.shape) > 1 else it.g, by_param),
    Alteration("mean for sum", "is divided by the number of samples: a mean, not a sum", Symptom.MEAN,
               lambda it: it.g / float(rows_of(it)), by_param),
    Alteration("transposed", "is transposed where it is square", Symptom.TRANSPOSED,
               swapped_where_square, of_matrix, always=True),
    Alteration("upstream shifted", "takes the gradient of the neighbouring output", Symptom.AXIS,
               lambda it: it.upstream(lambda d: np.roll(d, 1, axis=-1)) if it.shape else it.g, of_layer),
)
# fmt: on
