"""Dropout as a multiple, by an exact 1/(1 - p) or 0; embedding as one gather."""

from __future__ import annotations

from collections.abc import Mapping

from flint import arb

from crosscheck.oracles.ball.branches import ZERO
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable


def dropout(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    if place.attributes["mode"] == "evaluation":
        return tape.gather(range(len(xs[0])), xs[0])
    left = 1 - arb(float(place.attributes["p"]))
    share = ZERO if left == 0 else 1 / left
    return tape.scale(xs[0], [share if kept else ZERO for kept in place.indices[1]])


def embedding(tape: Tape, place: Place, _xs: tuple[Variable, ...], params: Mapping[str, Variable]) -> Variable:
    dim = int(place.attributes["dim"])
    return tape.gather([row * dim + i for row in place.indices[0] for i in range(dim)], params["weight"])


# fmt: off
ROWS: dict[str, Composition] = {
    "dropout":   dropout,
    "embedding": embedding,
}
# fmt: on
