"""Gates, a learned slope, log-sum-exp and norm as steps on the tape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from flint import arb

from crosscheck.oracles.ball.activations import EXP, LOG_OF_ONE_AND, at_zero
from crosscheck.oracles.ball.activations import ROWS as ACTIVATIONS
from crosscheck.oracles.ball.axes import inverse, lines
from crosscheck.oracles.ball.branches import ONE, Row, row
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable

Params = Mapping[str, Variable]

SQRT = row(lambda x, _: x.sqrt())
ABSOLUTE = row(lambda x, _: -x, lambda x, _: x, at=at_zero)


def prelu(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    """z where it is surely positive, w z where it is surely not; elsewhere w z + (1 - w) max(z, 0).

    The last is both of them at once, and its slope on the kink is w + (1 - w)[0, 1], the hull of w and 1. It is not
    taken everywhere because away from the kink it would leave differences of equal balls where a zero is due.
    """
    z, relu = xs[0], ACTIVATIONS["relu"]
    assert isinstance(relu, Row)
    widths = place.widths or (0.0,) * len(z)
    known = [(ball > width) - (ball < -width) for ball, width in zip(z.balls, map(arb, widths), strict=True)]
    up, down, open_ = ([i for i, side in enumerate(known) if side == wanted] for wanted in (1, -1, 0))
    w = tape.gather(_channels(place), params["weight"])
    below = tape.multiply(tape.gather(down, w), tape.gather(down, z))
    w, at = tape.gather(open_, w), tape.gather(open_, z)
    rest = tape.scale(tape.shift(w, [ONE] * len(open_)), [arb(-1)] * len(open_))
    above = tape.apply(relu, at, place.attributes, [widths[i] for i in open_])
    both = tape.add(tape.multiply(w, at), tape.multiply(rest, above))
    return tape.gather(inverse([*up, *down, *open_]), tape.gather(up, z), below, both)


def _channels(place: Place) -> list[int]:
    """Which weight belongs to each element of the input."""
    shape = place.in_shapes[0]
    total = 1
    for size in shape:
        total *= size
    if not place.attributes["per_channel"]:
        return [0] * total
    behind = total // (shape[0] * shape[1])
    return [channel for _ in range(shape[0]) for channel in range(shape[1]) for _ in range(behind)]


def glu(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    a, b = _halves(tape, place, xs[0])
    return tape.multiply(a, tape.apply(_elementwise("sigmoid"), b))


def swiglu(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    a, b = _halves(tape, place, xs[0])
    return tape.multiply(tape.apply(_elementwise("silu"), a), b)


def _elementwise(name: str) -> Row:
    found = ACTIVATIONS[name]
    assert isinstance(found, Row)
    return found


def _halves(tape: Tape, place: Place, x: Variable) -> tuple[Variable, Variable]:
    """The first and the second half of the axis, each in C order."""
    shape, axis = place.in_shapes[0], int(place.attributes["axis"])
    middle, along = shape[axis] // 2, lines(shape, axis)
    first, second = (
        sorted(i for line in along for i in line[part]) for part in (slice(0, middle), slice(middle, None))
    )
    return tape.gather(first, x), tape.gather(second, x)


def logsumexp(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    """z_m + log(1 + Σ exp(z_k - z_m) over k ≠ m), m where the largest midpoint of a line stands."""
    z = xs[0]
    along = lines(place.in_shapes[0], int(place.attributes["axis"]))
    tops = [max(line, key=lambda i: z.balls[i].mid()) for line in along]
    rest = [[i for i in line if i != top] for line, top in zip(along, tops, strict=True)]
    repeated = [top for top, others in zip(tops, rest, strict=True) for _ in others]
    below = tape.subtract(tape.gather(list(chain(*rest)), z), tape.gather(repeated, z))
    total = tape.sums(tape.apply(EXP, below), len(along))
    return tape.add(tape.gather(tops, z), tape.apply(LOG_OF_ONE_AND, total))


def norm(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Params) -> Variable:
    """√Σ z²; of a line that may be zero throughout Σ|z|.

    Where all z are 0 both are 0, and the slopes of the second, each between -1 and 1, are the hull of those of the
    first. Where every ball of a line holds 0 its true norm lies between 0 and Σ|z|, as does what Σ|z| is found to be.
    """
    z = xs[0]
    along = lines(place.in_shapes[0], int(place.attributes["axis"]))
    zero = [all(_may_be_zero(z.balls[i]) for i in line) for line in along]
    clear = [line for line, flat in zip(along, zero, strict=True) if not flat]
    flat = [line for line, flat in zip(along, zero, strict=True) if flat]
    squared = tape.gather(list(chain(*clear)), z)
    roots = tape.apply(SQRT, tape.sums(tape.multiply(squared, squared), len(clear))) if clear else Variable([])
    sizes = tape.apply(ABSOLUTE, tape.gather(list(chain(*flat)), z), place.attributes)
    totals = tape.sums(sizes, len(flat)) if flat else Variable([])
    order = [k for k, is_flat in enumerate(zero) if not is_flat] + [k for k, is_flat in enumerate(zero) if is_flat]
    return tape.gather(inverse(order), roots, totals)


def _may_be_zero(ball: Any) -> bool:
    return bool(ball.contains(0))


# fmt: off
ROWS: dict[str, Composition] = {
    "prelu":     prelu,
    "glu":       glu,
    "swiglu":    swiglu,
    "logsumexp": logsumexp,
    "norm":      norm,
}
# fmt: on
