"""Where in the chain rule a backward is wrong, and what it looks like: the words of a diagnosis."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Factor(enum.Enum):
    """A factor of the chain rule, in the textbook's symbols, or what joins them."""

    LOSS = "∂C/∂a"  # of the loss, for its input
    SLOPE = "∂a/∂z"  # of an activation
    INPUT = "∂z/∂a"  # of a layer or merge, for one of its inputs
    PARAM = "∂z/∂w"  # of a layer, for one of its parameters
    SUM = "Σ"  # over the uses of a node, or over the nodes that share a parameter
    PENALTY = "∂R/∂w"  # of what the loss adds for the weights
    FORWARD = "C"  # the value of the loss itself
    STATE = "state"  # what is remembered from call to call, or changed in the caller's arrays


@dataclass(frozen=True)
class Fault:
    """One wrong factor: of which op (None: of the walk), and for which of its inputs or parameters.

    `part` is the role of a parameter, or the number of the input; empty where there is one alone, or any is meant.
    """

    op: str | None
    factor: Factor
    part: str = ""

    def covers(self, other: Fault) -> bool:
        """Whether the other is this one, or a part of it."""
        return (self.op, self.factor) == (other.op, other.factor) and self.part in ("", other.part)


class Symptom(enum.Enum):
    """What a wrong gradient looks like beside the right one. The value is the phrase that a reader sees."""

    NEGATED = "the sign is wrong"
    FACTOR = "a constant factor"
    MISSING = "the gradient is zero: it was left out"
    TRANSPOSED = "transposed"
    NOT_SUMMED = "the sum over samples, steps or windows is missing: one of them alone counts"
    MEAN = "the mean stands where the sum is due"
    UPSTREAM = "what comes from above is ignored"
    NO_SLOPE = "the activation's derivative is missing"
    SLOPE_AT_OUTPUT = "the derivative is taken at the output a where it needs the input z"
    SLOPE_TWICE = "the derivative is applied twice"
    DIAGONAL = "the off-diagonal terms of the Jacobian are missing"
    MASK = "the mask is ignored"
    WEIGHTS = "the weights of the samples are ignored"
    REDUCTION = "the reduction of the loss is ignored"
    PENALTY = "the penalty's term is missing or wrong"
    OVERWRITTEN = "written where it should be added to: one contribution alone is left"
    TWICE = "one contribution is counted twice"
    STALE = "computed from the values of another sample, step or layer"
    AXIS = "taken along a wrong axis, or shifted along the right one"
    TERM = "a term of the derivative is missing"
    ONE_SIDE = "wrong on one side of zero alone"
    BOUNDARY = "wrong in a special case alone"
    SLIGHT = "off by a small relative error"
    OTHER_FUNCTION = "the derivative of another function"
    KINK = "outside the one-sided derivatives at a kink"
    NAN = "not a number where the truth is finite"
    FORWARD = "the forward is wrong"
    STATE = "the answer depends on what was asked before, or the caller's arrays are changed"
