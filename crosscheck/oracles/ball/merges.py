"""Each merge as steps on the tape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from itertools import accumulate

from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable


def concat(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """Block after block of what lies before the axis, each variable's stretch of it."""
    axis = int(place.attributes["axis"])
    sizes = [math.prod(shape[len(shape) + axis :]) for shape in place.in_shapes]
    starts = [0, *accumulate(len(x) for x in xs)]
    blocks = len(xs[0]) // sizes[0]
    index = [
        start + block * size + i
        for block in range(blocks)
        for start, size in zip(starts, sizes, strict=False)
        for i in range(size)
    ]
    return tape.gather(index, *xs)


def matmul(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """Matrix by matrix of the batch; the right one transposed, as the tape's product wants it."""
    (*batch, rows, inner), (*_, columns) = place.in_shapes
    products = []
    for m in range(math.prod(batch)):
        left = range(m * rows * inner, (m + 1) * rows * inner)
        right = [m * inner * columns + k * columns + j for j in range(columns) for k in range(inner)]
        products.append(tape.product(tape.gather(left, xs[0]), tape.gather(right, xs[1]), inner))
    return products[0] if len(products) == 1 else tape.gather(range(sum(map(len, products))), *products)


# fmt: off
ROWS: dict[str, Composition] = {
    "add":      lambda tape, _place, xs, _: reduce(tape.add, xs),
    "multiply": lambda tape, _place, xs, _: reduce(tape.multiply, xs),
    "concat":   concat,
    "matmul":   matmul,
}
# fmt: on
