"""What travels back: gradients, references, bounds and the names of the verdicts."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# By op and place (None: a tie): how many elements stood exactly on that kink or knot, and how many too near to tell.
KinksMet = Mapping[tuple[str, float | None], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Gradients:
    """One record for a whole case: every array has the leading axis P (points).

    `loss` (P,); `by_param` key → (P, *shape); `by_input` name → (P, *shape), for floating inputs;
    `by_node` node index → ∂C/∂ that node's output. `outputs` (P, …) is the node the loss stands on.
    """

    loss: Array
    by_param: Mapping[str, Array]
    by_input: Mapping[str, Array] = field(default_factory=dict)
    by_node: Mapping[int, Array] = field(default_factory=dict)
    outputs: Array | None = None

    def tensors(self) -> Iterator[tuple[str, Array]]:
        """Name and array of every gradient: params, then inputs."""
        yield from self.by_param.items()
        yield from self.by_input.items()

    def __getitem__(self, name: str) -> Array:
        return self.by_param[name] if name in self.by_param else self.by_input[name]

    def __contains__(self, name: str) -> bool:
        return name in self.by_param or name in self.by_input


class Rigour(enum.Enum):
    """How a reference was obtained."""

    CERTIFIED = "certified"
    DERIVED = "derived"
    ESTIMATED = "estimated"


@dataclass(frozen=True, eq=False)
class Reference:
    """What a witness says. `radius` has the witness's own error budget for each entry, where it has one.

    An infinite radius says that the entry was not asked of this witness.
    """

    gradients: Gradients
    rigour: Rigour
    radius: Gradients | None = None


@dataclass(frozen=True, eq=False)
class Certified:
    """What a witness with a proof says: |true value - `reference`| <= its radius, entry by entry.

    `bits` (P,) is the precision that it took, 0 where a point was not asked; `hull` (P,) marks points at which
    some slope is the hull of one-sided derivatives, `at_limit` (P,) those at which the largest precision left a
    radius wider than was asked for. `kinks` are the (op, node) met exactly, the loss as node -1.
    """

    reference: Reference
    bits: NDArray[np.int64]
    hull: Bools
    at_limit: Bools
    kinks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class OneSided:
    """What a proof says at one point for either side of the kinks that it is exactly on, all of one operation.

    `elements` are those of the input of `node` (-1: the loss) that stand on a kink, `at` its places, `slopes` the
    one-sided derivatives there. `left` has the slope on the left of all of them, `right[i]` that on the right of
    element i alone; arrays have a leading axis of 1. The gradient of any other choice is left + Σ s_i (right[i] -
    left), 0 ≤ s_i ≤ 1: no element of an operation's input depends on another one's slope. Of numbers that tie for the
    largest of a window the first has all of the slope on the left, element i on its right; `at` is what they all are.
    """

    op: str
    node: int
    elements: tuple[tuple[int, ...], ...]
    at: tuple[float, ...]
    slopes: tuple[tuple[float, float], ...]
    left: Reference
    right: tuple[Reference, ...]


@dataclass(frozen=True, eq=False)
class Bound:
    """How far rounding may move one party's answer, in absolute units, for each entry.

    `gradients` has the shapes of the gradients compared; infinite where a sample overflowed. `parted` (P,)
    marks the points at which a comparison could not be decided: a kink, a tie; `overflown` (P,) those at which a
    value on the way is beyond the largest number of the dtype, or cannot be told from that. `held` is the bound
    on one side of every undecided branch, for who knows the hull of the sides; elsewhere the same. `near` says
    within which distance of a kink the inputs of a node (of the loss: -1) cannot be told from it. `centre` is
    the plain run that the spread was taken around. `loss_spread` (P,) is σ of the loss, `signal` (P,) the largest
    |∂C/∂(a node's output)|: what a gradient of zero is small against.
    """

    gradients: Gradients
    held: Gradients
    centre: Gradients
    parted: Bools
    near: Mapping[int, Floats]
    loss_spread: Floats
    signal: Floats
    overflown: Bools


@dataclass(frozen=True)
class DeviationMet:
    """A known systematic deviation of a witness whose region a case enters."""

    witness: str
    op: str
    where: str
    size: str
    source: str


class Verdict(enum.Enum):
    """The verdict on a case, in order of precedence. It is not a bool."""

    BROKE_CONTRACT = "broke contract"
    FORWARD_DISAGREES = "forward disagrees"
    DISAGREES = "disagrees"
    ORACLE_DISAGREES = "oracle disagrees"
    AGREES = "agrees"
    UNDECIDABLE = "undecidable"
    UNCHECKED = "unchecked"

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict is not a bool: compare it with Verdict.AGREES")
