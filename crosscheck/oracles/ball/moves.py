"""What only moves numbers, each as one gather."""

from __future__ import annotations

from collections.abc import Mapping

from crosscheck.oracles.ball.axes import lines
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable


def same_order(tape: Tape, _place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """Another shape of the same numbers in C order: a flat list does not change."""
    return tape.gather(range(len(xs[0])), xs[0])


def transpose(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """Place by place of the output: the digits of its number, those of the two axes swapped, are the input's."""
    shape = place.out_shape
    rank = len(shape)
    one, other = (rank + int(place.attributes[name]) for name in ("axis1", "axis2"))
    strides = [1] * rank  # of the input
    for i in reversed(range(rank - 1)):
        strides[i] = strides[i + 1] * place.in_shapes[0][i + 1]
    strides[one], strides[other] = strides[other], strides[one]
    index = [0]
    for size, stride in zip(shape, strides, strict=True):
        index = [start + k * stride for start in index for k in range(size)]
    return tape.gather(index, xs[0])


def sliced(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """The elements that Python's own slice of each line leaves, in C order."""
    own, shape = place.attributes, place.in_shapes[0]
    chosen = slice(int(own["start"]), int(own["stop"]), int(own["step"]))
    return tape.gather(sorted(i for line in lines(shape, int(own["axis"])) for i in line[chosen]), xs[0])


# fmt: off
ROWS: dict[str, Composition] = {
    "flatten":   same_order,
    "reshape":   same_order,
    "transpose": transpose,
    "slice":     sliced,
}
# fmt: on
