"""Each merge as steps on the tape: `row(tape, inputs, sizes)`, sizes being the sizes of the last axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate

from crosscheck.oracles.ball.tape import Tape, Variable

Merge = Callable[[Tape, Sequence[Variable], Sequence[int]], Variable]


def concat(tape: Tape, xs: Sequence[Variable], sizes: Sequence[int]) -> Variable:
    """Row after row, each variable's stretch of it."""
    starts = [0, *accumulate(len(x) for x in xs)]
    rows = len(xs[0]) // sizes[0]
    index = [
        start + row * size + i
        for row in range(rows)
        for start, size in zip(starts, sizes, strict=False)
        for i in range(size)
    ]
    return tape.gather(index, *xs)


# fmt: off
ROWS: dict[str, Merge] = {
    "add":      lambda tape, xs, _: reduce(tape.add, xs),
    "multiply": lambda tape, xs, _: reduce(tape.multiply, xs),
    "concat":   concat,
}
# fmt: on
