"""Each layer as steps on the tape: `row(tape, input, params, attributes)`, params by role; all flat."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.op import Attributes

Layer = Callable[[Tape, Variable, Mapping[str, Variable], Attributes], Variable]


def dense(tape: Tape, a: Variable, params: Mapping[str, Variable], attributes: Attributes) -> Variable:
    """a (…, in), weight (out, in), bias (out,): a Wᵀ + b, the bias laid beside every row."""
    weight, out = params["weight"], int(attributes["out"])
    z = tape.product(a, weight, len(weight) // out)
    if not attributes["bias"]:
        return z
    return tape.add(z, tape.gather(list(range(out)) * (len(z) // out), params["bias"]))


# fmt: off
ROWS: dict[str, Layer] = {
    "dense": dense,
}
# fmt: on
