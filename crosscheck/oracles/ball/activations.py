"""Each activation as a value formula in FLINT's series arithmetic, or as a composition of steps on the tape.

No derivative stands here. Where a function has two forms, equal for every z, the sign of z picks the one in which no
exponential grows and nothing cancels, so that few bits are enough. Constants are the spec's own: 0.044715 is that
decimal, √(2/π) and 1/6 are those real numbers; λ and α of selu are the float64 numbers that PyTorch and JAX share
(each the nearest to the paper's); an attribute is the float64 number that it travels as.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from flint import arb, arb_series, fmpq

from crosscheck.oracles.ball.arithmetic import Balls, precision
from crosscheck.oracles.ball.axes import on_an_axis
from crosscheck.oracles.ball.branches import Row, Series, evaluate, row
from crosscheck.oracles.ball.tape import Composition, Tape, Variable
from crosscheck.spec.op import Attributes, Value
from crosscheck.spec.ops import op_named

SELU_SCALE, SELU_ALPHA = arb(1.0507009873554805), arb(1.6732632423543772)


def at_zero(_attributes: Attributes) -> tuple[float, ...]:
    return (0.0,)


def falls(x: Series) -> bool:
    """Whether x is surely negative."""
    return bool(x[0] < 0)


def expm1(x: Series) -> Series:
    """exp(x) - 1 without cancellation in the value; the slope is the exponential's."""
    return arb_series([x[0].expm1(), x.exp()[1]])


def log1p(x: Series) -> Series:
    """log(1 + x) without cancellation in the value; the slope is the logarithm's."""
    return arb_series([x[0].log1p(), (1 + x).log()[1]])


def tanh(x: Series) -> Series:
    if falls(x):
        e = expm1(2 * x)
        return e / (2 + e)
    e = expm1(-2 * x)
    return -(e / (2 + e))


def sigmoid(x: Series) -> Series:
    if falls(x):
        e = x.exp()
        return e / (1 + e)
    return (1 + (-x).exp()).inv()


def softplus(x: Series) -> Series:
    return log1p(x.exp()) if falls(x) else x + log1p((-x).exp())


def gelu(x: Series, attributes: Attributes) -> Series:
    if attributes["approximate"] == "none":
        return x * (x * (-arb(2).rsqrt())).erfc() / 2
    u = (2 / arb.pi()).sqrt() * (x + arb(fmpq(44715, 10**6)) * x * x * x)
    return x * sigmoid(2 * u)  # ½(1 + tanh u) is sigmoid(2u)


def mish(x: Series) -> Series:
    """tanh(log(1 + e)) is e(e + 2) / (e(e + 2) + 2), e = exp(x); in exp(-x) where that is the smaller."""
    if falls(x):
        e = x.exp()
        part = e * (e + 2)
        return x * part / (part + 2)
    e = (-x).exp()
    part = 1 + 2 * e
    return x * part / (part + 2 * e * e)


def softmax(tape: Tape, z: Variable, size: int) -> Variable:
    """a_m = 1/(1 + S) for the largest z_m of a row, a_k = e_k/(1 + S), e_k = exp(z_k - z_m), S = Σ e_k over k ≠ m."""
    largest = _largest(z, size)
    e = tape.apply(EXP, _below_largest(tape, z, size, largest))
    share = tape.apply(ONE_OF_ONE_AND, tape.sums(e, len(largest)))
    others = tape.multiply(e, _for_each_other(tape, share, size))
    return _in_place(tape, share, others, size, largest)


def log_softmax(tape: Tape, z: Variable, size: int) -> Variable:
    """a_m = -log(1 + S) and a_k = z_k - z_m - log(1 + S), so that nothing cancels where one class has it all."""
    largest = _largest(z, size)
    below = _below_largest(tape, z, size, largest)
    log = tape.apply(LOG_OF_ONE_AND, tape.sums(tape.apply(EXP, below), len(largest)))
    others = tape.subtract(below, _for_each_other(tape, log, size))
    return _in_place(tape, tape.scale(log, [arb(-1)] * len(log)), others, size, largest)


def _largest(z: Variable, size: int) -> list[int]:
    """Where the largest midpoint of each row stands. Any other place would do, at more bits."""
    mids = [(ball.mid(), i) for i, ball in enumerate(z.balls)]
    return [max(mids[start : start + size], key=itemgetter(0))[1] for start in range(0, len(mids), size)]


def _below_largest(tape: Tape, z: Variable, size: int, largest: Sequence[int]) -> Variable:
    """z_k - z_m for all k but m, row after row."""
    others = [i for m in largest for i in _row(m, size) if i != m]
    return tape.subtract(tape.gather(others, z), tape.gather([m for m in largest for _ in range(size - 1)], z))


def _for_each_other(tape: Tape, x: Variable, size: int) -> Variable:
    return tape.gather([i for i in range(len(x)) for _ in range(size - 1)], x)


def _in_place(tape: Tape, tops: Variable, others: Variable, size: int, largest: Sequence[int]) -> Variable:
    """The largest of each row and the others, back in the order of z."""
    rest = iter(range(len(tops), len(tops) + len(others)))
    return tape.gather(
        [top if i == m else next(rest) for top, m in enumerate(largest) for i in _row(m, size)], tops, others
    )


def _row(member: int, size: int) -> range:
    start = member - member % size
    return range(start, start + size)


EXP = row(lambda x, _: x.exp())
ONE_OF_ONE_AND = row(lambda x, _: (1 + x).inv())
LOG_OF_ONE_AND = row(lambda x, _: log1p(x))

# fmt: off
ROWS: dict[str, Row | Composition] = {  # a by z + ε; several formulas stand from left to right
    "identity":    row(lambda x, _: x),
    "relu":        row(lambda x, _: 0 * x, lambda x, _: x, at=at_zero),
    "tanh":        row(lambda x, _: tanh(x)),
    "sigmoid":     row(lambda x, _: sigmoid(x)),
    "leaky_relu":  row(lambda x, own: arb(own["negative_slope"]) * x, lambda x, _: x, at=at_zero),
    "gelu":        row(gelu),
    "silu":        row(lambda x, _: x * sigmoid(x)),
    "softplus":    row(lambda x, _: softplus(x)),
    "elu":         row(lambda x, own: arb(own["alpha"]) * expm1(x), lambda x, _: x, at=at_zero),
    "celu":        row(lambda x, own: arb(own["alpha"]) * expm1(x / arb(own["alpha"])), lambda x, _: x, at=at_zero),
    "selu":        row(lambda x, _: SELU_SCALE * (SELU_ALPHA * expm1(x)), lambda x, _: SELU_SCALE * x, at=at_zero),
    "mish":        row(lambda x, _: mish(x)),
    "softsign":    row(lambda x, _: x / (1 - x), lambda x, _: x / (1 + x), at=at_zero),
    "hardtanh":    row(lambda x, own: 0 * x + arb(own["min_val"]), lambda x, _: x,
                       lambda x, own: 0 * x + arb(own["max_val"]),
                       at=lambda own: (float(own["min_val"]), float(own["max_val"]))),
    "hardsigmoid": row(lambda x, _: 0 * x, lambda x, _: (x + 3) / 6, lambda x, _: 0 * x + 1,
                       at=lambda _: (-3.0, 3.0)),
    "log_sigmoid": row(lambda x, _: -softplus(-x)),
    "sin":         row(lambda x, _: x.sin()),
    "softmax":     on_an_axis(softmax),
    "log_softmax": on_an_axis(log_softmax),
}
# fmt: on


def value_and_slope(op: str, attributes: dict[str, Value], z: float, bits: int = 200) -> tuple[Any, Any]:
    """Value and derivative of an elementwise activation at z, computed with so many bits: two balls.

    Attributes that are left out have the spec's defaults. On a kink the derivative is the hull of the two sides'.
    Raises KeyError for what is no elementwise activation.
    """
    found = ROWS[op]
    if not isinstance(found, Row):
        raise KeyError(f"{op} is not elementwise: vector_value_and_vjp asks it")
    complete = op_named(op, "value_and_slope").complete(attributes, "value_and_slope")
    with precision(bits):
        at: Balls = [arb(z)]
        evaluated = evaluate(found, at, complete, None)
        return evaluated.values[0], evaluated.slopes[0]
