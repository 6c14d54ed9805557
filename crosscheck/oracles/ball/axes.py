"""Lines along an axis of a flat list in C order: where their elements stand, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable
from crosscheck.spec.op import Shape

# A function of lines of so many elements, laid end to end.
OnRows = Callable[[Tape, Variable, int], Variable]


def lines(shape: Shape, axis: int) -> list[range]:
    """For each line along the axis, in C order of the other axes, the places of its elements."""
    size, stride = shape[axis], math.prod(shape[len(shape) + axis + 1 :])
    block = size * stride
    return [
        range(start + offset, start + offset + block, stride)
        for start in range(0, math.prod(shape), block)
        for offset in range(stride)
    ]


def inverse(index: Sequence[int]) -> list[int]:
    """Where each place went, of a permutation."""
    result = [0] * len(index)
    for i, place in enumerate(index):
        result[place] = i
    return result


def on_an_axis(function: OnRows) -> Composition:
    """A function of each line along the axis that the attribute `axis` names; as many elements come back."""

    def composition(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
        shape, axis = place.in_shapes[0], int(place.attributes["axis"])
        if axis == -1:
            return function(tape, xs[0], shape[-1])
        index = [i for line in lines(shape, axis) for i in line]
        return tape.gather(inverse(index), function(tape, tape.gather(index, xs[0]), shape[axis]))

    return composition
