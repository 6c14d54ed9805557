"""What a loss is asked on the tape, and the functions of one number that several losses are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb

from crosscheck.oracles.ball.activations import at_zero, log1p
from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.oracles.ball.branches import row
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.op import Attributes


@dataclass(frozen=True, eq=False)
class Asked:
    """What a loss is given beside its outputs: targets and weights of the samples, flat; shape of the first output.

    `widths` are of a - y, or of whatever else its kinks belong to; `shapes` those of all outputs, where there are
    several.
    """

    targets: Sequence[Any]
    attributes: Attributes
    shape: tuple[int, ...]
    widths: Sequence[float] | None = None
    weights: Balls | None = None
    shapes: tuple[tuple[int, ...], ...] = ()


# Of several outputs, all of them stand before what is asked.
LossRow = Callable[..., Variable]

LOG_OF_ONE_AND_EXP = row(lambda x, _: log1p(x.exp()))
SQUARE = row(lambda d, _: d * d)
ABSOLUTE = row(lambda d, _: -d, lambda d, _: d, at=at_zero)
EXP = row(lambda x, _: x.exp())
LOG = row(lambda x, _: x.log())
LOG_OF_ONE_AND = row(lambda x, _: log1p(x))
INVERSE = row(lambda x, _: x.inv())


def bce_with_logits(tape: Tape, z: Variable, asked: Asked) -> Variable:
    """z(1 - y) + log(1 + exp(-z)), which is -zy + log(1 + exp z): the sign of z picks the one that cancels less."""
    positive = [not ball < 0 for ball in z.balls]
    line = tape.scale(z, [1 - y if up else -y for up, y in zip(positive, asked.targets, strict=True)])
    tail = tape.apply(LOG_OF_ONE_AND_EXP, tape.scale(z, [arb(-1 if up else 1) for up in positive]))
    return tape.add(line, tail)
