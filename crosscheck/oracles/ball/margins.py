"""Losses of a margin or a distance, as steps on the tape: see `losses`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flint import arb

from crosscheck.oracles.ball.activations import at_zero
from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.oracles.ball.asked import SQUARE, Asked, LossRow
from crosscheck.oracles.ball.branches import ZERO, row
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.op import Attributes

HINGE = row(lambda m, _: 1 - m, lambda m, _: 0 * m, at=lambda _: (1.0,))
ANY_SLOPE = arb(0, 1)
RELU = row(lambda m, _: 0 * m, lambda m, _: m, at=at_zero)


def _squared_eps(attributes: Attributes) -> tuple[Any, ...]:
    eps = arb(attributes["eps"])
    return (eps * eps,)


# Of a squared norm: 1 / max(norm, eps). No root is taken at 0.
ONE_OVER_NORM = row(lambda s, own: 0 * s + 1 / arb(own["eps"]), lambda s, _: s.rsqrt(), at=_squared_eps)


def hinge(tape: Tape, a: Variable, asked: Asked) -> Variable:
    return tape.apply(HINGE, tape.scale(a, list(asked.targets)), asked.attributes, asked.widths)


def cosine_similarity(tape: Tape, a: Variable, asked: Asked) -> Variable:
    """1 - a·y / (max(‖a‖, eps) max(‖y‖, eps)), the targets being constants."""
    size, targets = asked.shape[-1], list(asked.targets)
    samples = len(a) // size
    products = tape.sums(tape.scale(a, targets), samples)
    squares = tape.sums(tape.apply(SQUARE, a), samples)
    eps = arb(asked.attributes["eps"])
    # ‖a‖ within w of eps is ‖a‖² within w (2 eps + w) of its square.
    widths = None if asked.widths is None else [_up(arb(w) * (2 * eps + arb(w))) for w in asked.widths]
    over = tape.apply(ONE_OVER_NORM, squares, asked.attributes, widths)
    norms = [sum((y * y for y in targets[i * size : (i + 1) * size]), arb(0)).sqrt() for i in range(samples)]
    cosines = tape.scale(tape.multiply(products, over), [1 / norm.max(eps) for norm in norms])
    return tape.scale(tape.shift(cosines, [arb(1)] * samples), [arb(-1)] * samples)


def _up(ball: Any) -> float:
    return float(ball.upper()) * (1 + 2.0**-50)


def triplet(tape: Tape, a: Variable, p: Variable, n: Variable, asked: Asked) -> Variable:
    """The widths are of the hinge and of both distances, for each sample in turn."""
    size = asked.shape[-1]
    samples = len(a) // size
    widths = list(asked.widths) if asked.widths is not None else [0.0] * (3 * samples)
    eps, margin = arb(asked.attributes["eps"]), arb(asked.attributes["margin"])

    def distance(b: Variable, which: int) -> Variable:
        moved = tape.shift(tape.subtract(a, b), [-eps] * len(a))
        return _norms(tape, moved, size, widths[which::3])

    apart = tape.subtract(distance(p, 1), distance(n, 2))
    return tape.apply(RELU, tape.shift(apart, [-margin] * samples), asked.attributes, widths[0::3])


def _norms(tape: Tape, z: Variable, size: int, widths: Sequence[float]) -> Variable:
    """The norm of each vector; where it is 0, or within its width of it, with every slope between -1 and 1."""
    rows = [range(i * size, (i + 1) * size) for i in range(len(z) // size)]
    values: Balls = []
    parts: list[list[tuple[int, Any, Any]]] = []
    for line, width in zip(rows, map(arb, widths), strict=True):
        balls = [z.balls[i] for i in line]
        square = sum((ball * ball for ball in balls), ZERO)
        norm = square.sqrt() if square > 0 else ZERO.union(square.upper().max(ZERO).sqrt())
        values.append(norm)
        if norm > width:
            parts.append([(i, ball / norm, ball / norm) for i, ball in zip(line, balls, strict=True)])
            continue
        parts.append([(i, ANY_SLOPE, ZERO) for i in line])
        tape.jumps = tape.beside = True
        tape.unsettled |= not (norm <= width or all(ball.is_exact() for ball in balls))
    return tape.combine(values, z, parts)


# fmt: off
ROWS: dict[str, LossRow] = {
    "hinge":             hinge,
    "cosine_similarity": cosine_similarity,
    "triplet":           triplet,
}
# fmt: on
