"""Losses that are negative logarithms of probabilities, as steps on the tape: see `losses`."""

from __future__ import annotations

from typing import Any

from flint import arb

from crosscheck.oracles.ball.activations import sigmoid
from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.oracles.ball.asked import EXP, INVERSE, LOG, LOG_OF_ONE_AND, SQUARE, Asked, LossRow, bce_with_logits
from crosscheck.oracles.ball.branches import row
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.op import Attributes

SIGMOID = row(lambda x, _: sigmoid(x))


def _eps(attributes: Attributes) -> tuple[float, ...]:
    return (float(attributes["eps"]),)


AT_LEAST_EPS = row(lambda v, own: 0 * v + arb(own["eps"]), lambda v, _: v, at=_eps)


def _not(targets: Balls) -> Balls:
    return [1 - y for y in targets]


def _negative(tape: Tape, x: Variable) -> Variable:
    return tape.scale(x, [arb(-1)] * len(x))


def _only(tape: Tape, a: Variable, factors: Balls, function: Any) -> Variable:
    """factors · function(a), and 0 where the factor is exactly 0, whatever the function is there."""
    taken = [i for i, factor in enumerate(factors) if not factor.is_zero()]
    zero = Variable([arb(0)])
    part = tape.scale(tape.apply(function, tape.gather(taken, a)), [factors[i] for i in taken])
    place = {i: n for n, i in enumerate(taken)}
    return tape.gather([place.get(i, len(taken)) for i in range(len(a))], part, zero)


def bce(tape: Tape, a: Variable, asked: Asked) -> Variable:
    targets = list(asked.targets)
    hit, missed = _only(tape, a, targets, LOG), _only(tape, _negative(tape, a), _not(targets), LOG_OF_ONE_AND)
    return _negative(tape, tape.add(hit, missed))


def nll(tape: Tape, a: Variable, asked: Asked) -> Variable:
    return _negative(tape, chosen(tape, a, asked))


def chosen(tape: Tape, a: Variable, asked: Asked) -> Variable:
    """The entry of each sample's class; of one that is ignored the first, which `point_loss` drops."""
    ignored, classes = asked.attributes["ignore_index"], asked.shape[-1]
    return tape.gather([i * classes + (0 if y == ignored else int(y)) for i, y in enumerate(asked.targets)], a)


def kl_div(tape: Tape, a: Variable, asked: Asked) -> Variable:
    targets = list(asked.targets)
    if asked.attributes["log_target"]:
        logs, y = targets, [target.exp() for target in targets]
    else:
        logs, y = [arb(0) if target.is_zero() else target.log() for target in targets], targets
    return _negative(tape, tape.scale(tape.shift(a, logs), y))


def poisson_nll(tape: Tape, a: Variable, asked: Asked) -> Variable:
    targets = list(asked.targets)
    if asked.attributes["log_input"]:
        return tape.subtract(tape.apply(EXP, a), tape.scale(a, targets))
    moved = tape.shift(a, [-arb(asked.attributes["eps"])] * len(a))
    return tape.subtract(a, _only(tape, moved, targets, LOG))


def gaussian_nll(tape: Tape, a: Variable, var: Variable, asked: Asked) -> Variable:
    v = tape.apply(AT_LEAST_EPS, var, asked.attributes, asked.widths)
    squared = tape.apply(SQUARE, tape.shift(a, list(asked.targets)))
    both = tape.add(tape.apply(LOG, v), tape.multiply(squared, tape.apply(INVERSE, v)))
    return tape.scale(both, [arb(1) / 2] * len(a))


def focal(tape: Tape, z: Variable, asked: Asked) -> Variable:
    """α_t q^γ times the cross entropy; q = p(1 - y) + (1 - p) y is a sum of what is not negative."""
    targets, alpha, gamma = list(asked.targets), arb(asked.attributes["alpha"]), asked.attributes["gamma"]
    p, rest = tape.apply(SIGMOID, z), tape.apply(SIGMOID, _negative(tape, z))
    q = tape.add(tape.scale(p, _not(targets)), tape.scale(rest, targets))
    loss = bce_with_logits(tape, z, asked)
    if gamma:
        exponent = arb(gamma)
        loss = tape.multiply(loss, tape.apply(row(lambda x, _: (exponent * x.log()).exp()), q))
    if alpha < 0:
        return loss
    return tape.scale(loss, [alpha * y + (1 - alpha) * (1 - y) for y in targets])


# fmt: off
ROWS: dict[str, LossRow] = {
    "bce":          bce,
    "nll":          nll,
    "kl_div":       kl_div,
    "poisson_nll":  poisson_nll,
    "gaussian_nll": gaussian_nll,
    "focal":        focal,
}
# fmt: on
