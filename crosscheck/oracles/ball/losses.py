"""Each loss as steps on the tape, for each element or sample; the reduction and the scale are `point_loss`'s.

A row is `row(tape, a, asked)`, with all outputs where the loss is of several. One whose slope jumps takes the widths
of `asked`: they belong to a - y, or to whatever else the spec names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flint import arb

from crosscheck.oracles.ball import likelihoods, margins
from crosscheck.oracles.ball.activations import ROWS as ACTIVATIONS
from crosscheck.oracles.ball.activations import log_softmax
from crosscheck.oracles.ball.arithmetic import Balls, precision
from crosscheck.oracles.ball.asked import ABSOLUTE, SQUARE, LossRow, bce_with_logits
from crosscheck.oracles.ball.asked import Asked as Asked
from crosscheck.oracles.ball.branches import Row, row
from crosscheck.oracles.ball.tape import Place, Tape, Variable
from crosscheck.spec.op import Attributes, Value
from crosscheck.spec.ops import op_named


def of_difference(formulas: Row) -> LossRow:
    """A function of d = a - y."""
    return lambda tape, a, asked: tape.apply(
        formulas, tape.shift(a, list(asked.targets)), asked.attributes, asked.widths
    )


def delta(attributes: Attributes) -> Any:
    return arb(attributes["delta"])


def softmax_cross_entropy(tape: Tape, z: Variable, asked: Asked) -> Variable:
    """The share of the targets in what smoothing leaves, and its equal share of all classes."""
    classes = asked.shape[-1]
    logs = log_softmax(tape, z, classes)
    samples, smoothing = len(z) // classes, arb(asked.attributes["label_smoothing"])
    if asked.attributes["targets"] == "classes":
        total = likelihoods.chosen(tape, logs, asked)
    else:
        total = tape.sums(tape.scale(logs, list(asked.targets)), samples)
    total = tape.scale(total, [smoothing - 1] * samples)
    if smoothing.is_zero():
        return total
    return tape.add(total, tape.scale(tape.sums(logs, samples), [-smoothing / classes] * samples))


# fmt: off
ROWS: dict[str, LossRow] = {
    "sse":                   of_difference(SQUARE),
    "mse":                   of_difference(SQUARE),
    "mae":                   of_difference(ABSOLUTE),
    "huber":                 of_difference(row(lambda d, own: delta(own) * (-d - delta(own) / 2),
                                               lambda d, _: d * d / 2,
                                               lambda d, own: delta(own) * (d - delta(own) / 2),
                                               at=lambda own: (-float(own["delta"]), float(own["delta"])))),
    "bce_with_logits":       bce_with_logits,
    "softmax_cross_entropy": softmax_cross_entropy,
    "cotangent":             lambda tape, a, asked: tape.scale(a, list(asked.targets)),
    **likelihoods.ROWS,
    **margins.ROWS,
}
# fmt: on


def point_loss(tape: Tape, op: str, outputs: Sequence[Variable], asked: Asked) -> Variable:
    """The loss of one point: its terms weighted and summed, divided as the reduction says, and scaled."""
    terms = ROWS[op](tape, *outputs, asked)
    reduction, scale = str(asked.attributes["reduction"]), arb(asked.attributes["scale"])
    rows = asked.weights or [arb(1)] * (asked.shape[0] if len(asked.shape) > 1 else 1)
    each = len(terms) // len(rows)
    weights = {i: rows[i // each] for i in _counted(asked, len(terms))}
    divisor = {"sum": arb(1), "mean": sum(weights.values(), arb(0)), "batch_mean": sum(rows, arb(0))}[reduction]
    # The mean of nothing is 0.
    factors = [scale * w / (arb(1) if divisor.is_zero() else divisor) for w in weights.values()]
    return tape.sums(tape.scale(tape.gather(list(weights), terms), factors), 1)


def _counted(asked: Asked, terms: int) -> list[int]:
    """The terms that count: all, or those whose class is not to be ignored."""
    if asked.attributes.get("targets") != "classes":
        return list(range(terms))
    return [i for i, y in enumerate(asked.targets) if y != asked.attributes["ignore_index"]]


def penalised(tape: Tape, loss: Variable, weight: Variable, attributes: Attributes) -> Variable:
    """The loss with l1 Σ|w| + ½ l2 Σw² of one tensor added."""
    for row_, size in ((ABSOLUTE, arb(attributes["l1"])), (SQUARE, arb(attributes["l2"]) / 2)):
        if not size.is_zero():
            loss = tape.add(loss, tape.scale(tape.sums(tape.apply(row_, weight, attributes), 1), [size]))
    return loss


def loss_value_and_slope(
    op: str, attributes: Mapping[str, Value], a: float, y: float, bits: int = 200
) -> tuple[Any, Any]:
    """Value and derivative by a of a loss of one element, its scale included, computed with so many bits: two balls."""
    complete = op_named(op, "loss_value_and_slope").complete(attributes, "loss_value_and_slope")
    with precision(bits):
        tape, given = Tape(), Variable([arb(a)])
        value = point_loss(tape, op, [given], Asked([arb(y)], complete, (1,)))
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
            value = composition(tape, Place(complete, ((len(z),),), (len(z),)), (given,), {})
        else:
            targets = [target] if isinstance(target, int) else [arb(v) for v in target]
            value = point_loss(tape, op, [given], Asked(targets, complete, (1, len(z))))
        adjoints = tape.sweep(value, [arb(v) for v in upstream])
        return value.balls, adjoints[given]
