"""Each loss as steps on the tape, for each element or sample; the reduction and the scale are `point_loss`'s.

A row is `row(tape, a, asked)`. One whose slope jumps takes the widths of `asked`: they belong to a - y.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb

from crosscheck.oracles.ball.activations import ROWS as ACTIVATIONS
from crosscheck.oracles.ball.activations import at_zero, log1p, log_softmax
from crosscheck.oracles.ball.arithmetic import Balls, precision
from crosscheck.oracles.ball.branches import Row, row
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.op import Attributes, Value
from crosscheck.spec.ops import op_named


@dataclass(frozen=True, eq=False)
class Asked:
    """What a loss is given beside the output: targets, flat; shape of the output; widths of a - y."""

    targets: Sequence[Any]
    attributes: Attributes
    shape: tuple[int, ...]
    widths: Sequence[float] | None = None


LossRow = Callable[[Tape, Variable, Asked], Variable]


def of_difference(formulas: Row) -> LossRow:
    """A function of d = a - y."""
    return lambda tape, a, asked: tape.apply(
        formulas, tape.shift(a, list(asked.targets)), asked.attributes, asked.widths
    )


def delta(attributes: Attributes) -> Any:
    return arb(attributes["delta"])


def bce_with_logits(tape: Tape, z: Variable, asked: Asked) -> Variable:
    """z(1 - y) + log(1 + exp(-z)), which is -zy + log(1 + exp z): the sign of z picks the one that cancels less."""
    positive = [not ball < 0 for ball in z.balls]
    line = tape.scale(z, [1 - y if up else -y for up, y in zip(positive, asked.targets, strict=True)])
    tail = tape.apply(LOG_OF_ONE_AND_EXP, tape.scale(z, [arb(-1 if up else 1) for up in positive]))
    return tape.add(line, tail)


def softmax_cross_entropy(tape: Tape, z: Variable, asked: Asked) -> Variable:
    classes = asked.shape[-1]
    logs = log_softmax(tape, z, classes)
    samples = len(z) // classes
    if asked.attributes["targets"] == "classes":
        chosen = tape.gather([i * classes + int(y) for i, y in enumerate(asked.targets)], logs)
    else:
        chosen = tape.sums(tape.scale(logs, list(asked.targets)), samples)
    return tape.scale(chosen, [arb(-1)] * samples)


LOG_OF_ONE_AND_EXP = row(lambda x, _: log1p(x.exp()))
SQUARE = row(lambda d, _: d * d)

# fmt: off
ROWS: dict[str, LossRow] = {
    "sse":                   of_difference(SQUARE),
    "mse":                   of_difference(SQUARE),
    "mae":                   of_difference(row(lambda d, _: -d, lambda d, _: d, at=at_zero)),
    "huber":                 of_difference(row(lambda d, own: delta(own) * (-d - delta(own) / 2),
                                               lambda d, _: d * d / 2,
                                               lambda d, own: delta(own) * (d - delta(own) / 2),
                                               at=lambda own: (-float(own["delta"]), float(own["delta"])))),
    "bce_with_logits":       bce_with_logits,
    "softmax_cross_entropy": softmax_cross_entropy,
    "cotangent":             lambda tape, a, asked: tape.scale(a, list(asked.targets)),
}
# fmt: on


def point_loss(tape: Tape, op: str, a: Variable, asked: Asked) -> Variable:
    """The loss of one point: its elements summed, divided as the reduction says, and scaled."""
    elements = ROWS[op](tape, a, asked)
    parts = {"sum": 1, "mean": len(elements), "batch_mean": asked.shape[0] if asked.shape else 1}
    factor = arb(asked.attributes["scale"]) / parts[str(asked.attributes["reduction"])]
    return tape.scale(tape.sums(elements, 1), [factor])


def loss_value_and_slope(
    op: str, attributes: Mapping[str, Value], a: float, y: float, bits: int = 200
) -> tuple[Any, Any]:
    """Value and derivative by a of a loss of one element, its scale included, computed with so many bits: two balls."""
    complete = op_named(op, "loss_value_and_slope").complete(attributes, "loss_value_and_slope")
    with precision(bits):
        tape, given = Tape(), Variable([arb(a)])
        value = point_loss(tape, op, given, Asked([arb(y)], complete, (1,)))
        return value.balls[0], tape.sweep(value)[given][0]


def vector_value_and_vjp(
    op: str,
    attributes: Mapping[str, Value],
    z: Sequence[float],
    upstream: Sequence[float],
    target: int | Sequence[float] | None = None,
    bits: int = 200,
) -> tuple[Balls, Balls]:
    """Values, and Σ_k upstream_k ∂value_k/∂z_j, of softmax, log_softmax or softmax_cross_entropy at one vector.

    The loss has one value, its scale included; its target is a class or the probabilities of all.
    """
    complete = op_named(op, "vector_value_and_vjp").complete(attributes, "vector_value_and_vjp")
    with precision(bits):
        tape, given = Tape(), Variable([arb(v) for v in z])
        if target is None:
            composition = ACTIVATIONS[op]
            if isinstance(composition, Row):
                raise KeyError(f"{op} is elementwise: value_and_slope asks it")
            value = composition(tape, given, len(z))
        else:
            targets = [target] if isinstance(target, int) else [arb(v) for v in target]
            value = point_loss(tape, op, given, Asked(targets, complete, (1, len(z))))
        adjoints = tape.sweep(value, [arb(v) for v in upstream])
        return value.balls, adjoints[given]
