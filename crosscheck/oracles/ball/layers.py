"""Each layer as steps on the tape."""

from __future__ import annotations

from collections.abc import Mapping

from crosscheck.oracles.ball import attention, convolution, moves, normalisation, recurrent, selection, vectors
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable


def dense(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Mapping[str, Variable]) -> Variable:
    """a (…, in), weight (out, in), bias (out,): a Wᵀ + b, the bias laid beside every row."""
    weight, out = params["weight"], int(place.attributes["out"])
    z = tape.product(xs[0], weight, len(weight) // out)
    if "bias" not in params:
        return z
    return tape.add(z, tape.gather(list(range(out)) * (len(z) // out), params["bias"]))


# fmt: off
ROWS: dict[str, Composition] = {
    "dense": dense,
    **convolution.ROWS,
    **moves.ROWS,
    **vectors.ROWS,
    **recurrent.ROWS,
    **attention.ROWS,
    **normalisation.ROWS,
    **selection.ROWS,
}
# fmt: on
