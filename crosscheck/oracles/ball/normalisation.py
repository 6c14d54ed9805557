"""Normalisations as steps on the tape: a mean, the squares around it, their mean, and one function of that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain, product

from flint import arb

from crosscheck.oracles.ball.axes import inverse
from crosscheck.oracles.ball.branches import row
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable
from crosscheck.spec.op import Shape

Params = Mapping[str, Variable]
# The places of a group in the flat input, all groups of one size.
Groups = list[list[int]]

ONE_OVER_ROOT = row(lambda v, own: (v + arb(own["eps"])).rsqrt())


def batch_norm(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    channel = _channels(place.in_shapes[0])
    if place.attributes["mode"] == "training":
        groups = [[i for i, c in enumerate(channel) if c == which] for which in range(place.in_shapes[0][1])]
        return _affine(tape, _standardised(tape, place, xs[0], groups), channel, params)
    x, mean, var = xs
    scale = tape.apply(ONE_OVER_ROOT, var, place.attributes)
    around = tape.subtract(x, tape.gather(channel, mean))
    return _affine(tape, tape.multiply(around, tape.gather(channel, scale)), channel, params)


def layer_norm(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    shape = place.in_shapes[0]
    size = math.prod(shape[len(shape) - int(place.attributes["axes"]) :])
    z = _standardised(tape, place, xs[0], _neighbours(len(xs[0]), size))
    return _affine(tape, z, _repeating(len(z), size), params)


def rms_norm(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    size = place.in_shapes[0][-1]
    z = _over_root(tape, place, xs[0], _neighbours(len(xs[0]), size))
    return _affine(tape, z, _repeating(len(z), size), params)


def group_norm(tape: Tape, place: Place, xs: tuple[Variable, ...], params: Params) -> Variable:
    """A group's channels are neighbours, and so is all that is in them: in C order a group is one stretch."""
    shape, groups = place.in_shapes[0], int(place.attributes["groups"])
    z = _standardised(tape, place, xs[0], _neighbours(len(xs[0]), len(xs[0]) // (shape[0] * groups)))
    return _affine(tape, z, _channels(shape), params)


def _standardised(tape: Tape, place: Place, x: Variable, groups: Groups) -> Variable:
    mean = _means(tape, x, groups)
    return _over_root(tape, place, tape.subtract(x, _to_each(tape, mean, groups)), groups)


def _over_root(tape: Tape, place: Place, d: Variable, groups: Groups) -> Variable:
    """d/√(mean of d² + eps) in each group."""
    scale = tape.apply(ONE_OVER_ROOT, _means(tape, tape.multiply(d, d), groups), place.attributes)
    return tape.multiply(d, _to_each(tape, scale, groups))


def _means(tape: Tape, x: Variable, groups: Groups) -> Variable:
    total = tape.sums(tape.gather(list(chain(*groups)), x), len(groups))
    return tape.scale(total, [1 / arb(len(groups[0]))] * len(groups))


def _to_each(tape: Tape, values: Variable, groups: Groups) -> Variable:
    """A group's value at each of its places, in the order of the input."""
    back = inverse(list(chain(*groups)))
    return tape.gather([place // len(groups[0]) for place in back], values)


def _affine(tape: Tape, z: Variable, index: Sequence[int], params: Params) -> Variable:
    """Times weight and plus bias, each element by its own entry of them."""
    if "weight" in params:
        z = tape.multiply(z, tape.gather(index, params["weight"]))
    return tape.add(z, tape.gather(index, params["bias"])) if "bias" in params else z


def _neighbours(total: int, size: int) -> Groups:
    return [list(range(start, start + size)) for start in range(0, total, size)]


def _repeating(total: int, size: int) -> list[int]:
    return [i % size for i in range(total)]


def _channels(shape: Shape) -> list[int]:
    """The channel of each element, its digit on the second axis."""
    return [index[1] for index in product(*map(range, shape))]


# fmt: off
ROWS: dict[str, Composition] = {
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm":   rms_norm,
    "group_norm": group_norm,
}
# fmt: on
