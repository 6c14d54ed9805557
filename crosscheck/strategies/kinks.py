"""Numbers put exactly on kinks: where a derivative jumps, and on knots, where a formula changes and it does not.

A draw meets hardsigmoid's 3, or a prediction that equals its target, by luck alone; behind a layer hardly ever. So
in a family that aims at kinks half of the points get one element of each kinked operation's input put there: the
input itself where the operation stands on one, else the bias of the layer before it, which makes up what the sum
lacks where that is known exactly, and else has weights of zero to itself. A recurrent unit with a kink inside gets no
weights and no bias. A loss gets the target that is on its kink; where that is of a variance or of vectors, those.

A loss of a difference without a kink gets one too, the output itself, at one point: there d/d is no number, and what
divides by d is as right everywhere else. No slope is undecided at it; it is 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.ops import op_named
from crosscheck.strategies.affine import channel, is_affine, reaching
from crosscheck.strategies.exact import BITS, MAXIMA, MEANS, MOVES, Floats, dense, known, moved, preimage, summed

GATES = ("glu", "swiglu")
# Losses that are smooth where output and target agree.
SMOOTH = ("sse", "mse", "huber", "gaussian_nll")
Index = tuple[int, ...]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of a case, as they are drawn: arrays of its dtype with the points on the leading axis, written to."""

    architecture: Architecture
    params: Arrays
    inputs: Arrays
    targets: NDArray[Any]
    dtype: str

    def known(self) -> list[Floats]:
        """What is certain of the outputs of the nodes."""
        return known(self.architecture, _in_float64(self.params), _in_float64(self.inputs), self.dtype)


def _in_float64(arrays: Arrays) -> dict[str, Floats]:
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def plant(numbers: Numbers, generator: np.random.Generator, *, targets: bool = True) -> None:
    """Put elements on the kinks and knots of all operations, in turn; `targets` says whether those may be moved."""
    architecture, points = numbers.architecture, len(numbers.targets)
    for i, node in enumerate(architecture.nodes):
        op = op_named(node.op, f"node {i}")
        (link, *_), places = node.inputs, op.kinks(node.attributes) + op.knots(node.attributes)
        if not places:
            continue
        if op.inside:
            for point, _ in _chosen(points, places, generator):
                _still_a_unit(numbers, node, point, int(generator.integers(int(node.attributes["hidden"]))))
            continue
        pinned = Pinning(numbers, numbers.known())
        for point, place in _chosen(points, places, generator):
            pinned.pin(link, point, _element(architecture.shape_of(link), generator), place)
    loss = architecture.loss
    op = op_named(loss.op, "loss")
    places = op.kinks(loss.attributes) + op.knots(loss.attributes)
    if places and op.places_of == "y a":
        pinned = Pinning(numbers, numbers.known())
        for point, place in _chosen(points, places, generator):
            index = _element(architecture.shape_of(loss.inputs[0]), generator)
            # Targets are ±1.
            pinned.pin(loss.inputs[0], point, index, place * float(numbers.targets[(point, *index)]))
    if places and targets and op.places_of == "a - y":
        pinned = Pinning(numbers, numbers.known())
        for point, place in _chosen(points, places, generator):
            index = _element(architecture.shape_of(loss.inputs[0]), generator)
            _set_target(pinned, loss.inputs[0], point, index, place)
    if targets and loss.op in SMOOTH:
        pinned = Pinning(numbers, numbers.known())
        # One point: its slope is 0, which says nothing of what comes before it.
        for point, place in _chosen(points, (0.0,), generator)[:1]:
            _set_target(
                pinned, loss.inputs[0], point, _element(architecture.shape_of(loss.inputs[0]), generator), place
            )
    if places and op.places_of in INSIDE:
        pinned = Pinning(numbers, numbers.known())
        for point, place in _chosen(points, places, generator):
            index = _element(architecture.shape_of(loss.inputs[0]), generator)
            INSIDE[op.places_of](pinned, point, index, place)


def _still_a_unit(numbers: Numbers, node: Node, point: int, unit: int) -> None:
    """Nothing reaches this unit of an rnn: what goes into its relu is 0 at every step, whoever computes it."""
    for key in node.params.values():
        numbers.params[key][point, unit] = 0.0


def _chosen(points: int, places: tuple[float, ...], generator: np.random.Generator) -> list[tuple[int, float]]:
    """Half of the points, each with a place, all places in turn; a lone point in every other case."""
    count = points // 2 or int(generator.integers(2))
    first = int(generator.integers(len(places)))
    order = generator.permutation(points)[:count].tolist()
    return [(point, places[(first + j) % len(places)]) for j, point in enumerate(order)]


def _element(shape: Index, generator: np.random.Generator) -> Index:
    flat = int(generator.integers(math.prod(shape)))
    return tuple(int(i) for i in np.unravel_index(flat, shape)) if shape else ()


def _set_target(pinned: Pinning, link: int, point: int, index: Index, place: float) -> None:
    """The target of one element such that output - target is exactly `place`; the output is made known if it is not."""
    output = pinned.value(link, point, index)
    if math.isnan(output):
        # 0 for most, ½ for what ends in a sigmoid.
        output = next((value for value in (0.0, 0.5) if pinned.pin(link, point, index, value)), output)
    target = _sum((output, -place), pinned.numbers.dtype)
    _store(pinned.numbers.targets, (point, *index), target)


def _set_variance(pinned: Pinning, point: int, index: Index, place: float) -> None:
    """The variance of one element, where it is an input: it is positive, and so is the place."""
    link, numbers = pinned.numbers.architecture.loss.inputs[1], pinned.numbers
    if link < 0:
        _store(numbers.inputs[numbers.architecture.inputs[-link - 1].name], (point, *index), place)


def _set_length(pinned: Pinning, point: int, index: Index, place: float) -> None:
    """The vector of one sample has this length exactly: one number, and zeros beside it."""
    link = pinned.numbers.architecture.loss.inputs[0]
    if pinned.pin(link, point, index, place):
        for other in _of_its_row(pinned, link, index):
            pinned.pin(link, point, other, 0.0)


def _set_positive(pinned: Pinning, point: int, index: Index, _place: float) -> None:
    """The anchor of one sample has this distance, 0, from its positive, where that is an input: a - p + eps is 0."""
    numbers, loss = pinned.numbers, pinned.numbers.architecture.loss
    (anchor, positive, _), eps = loss.inputs, float(loss.attributes["eps"])
    if positive >= 0:
        return
    for each in (index, *_of_its_row(pinned, anchor, index)):
        wanted = _sum((pinned.value(anchor, point, each), eps), numbers.dtype)
        if math.isnan(wanted) and pinned.pin(anchor, point, each, 0.0):
            wanted = eps
        _store(numbers.inputs[numbers.architecture.inputs[-positive - 1].name], (point, *each), wanted)


def _of_its_row(pinned: Pinning, link: int, index: Index) -> list[Index]:
    """The other elements of its vector, on the last axis."""
    width = pinned.numbers.architecture.shape_of(link)[-1]
    return [(*index[:-1], j) for j in range(width) if j != index[-1]]


@dataclass(frozen=True, eq=False)
class Pinning:
    """What is known of the outputs, and how to give one element of one of them the value that is wanted."""

    numbers: Numbers
    outputs: list[Floats]

    def value(self, link: int, point: int, index: Index) -> float:
        """What is known of one element of a node's output or of an input; NaN where it is not."""
        return float(self.values(link)[(point, *index)])

    def values(self, link: int) -> Floats:
        if link >= 0:
            return self.outputs[link]
        return self.numbers.inputs[self.numbers.architecture.inputs[-link - 1].name].astype(np.float64)

    def pin(self, link: int, point: int, index: Index, value: float) -> bool:
        """Give this element that value exactly, by changing parameters or inputs of its point; whether it can be."""
        architecture = self.numbers.architecture
        if link < 0:
            item = architecture.inputs[-link - 1]
            usable = item.dtype == "float" and not any(s.positive for s in architecture.slots_of(item.name))
            return usable and _store(self.numbers.inputs[item.name], (point, *index), value)
        node = architecture.nodes[link]
        if is_affine(node):
            return self._by_layer(link, point, index, value)
        if node.op in ("add", "multiply"):
            return self._by_operand(link, point, index, value)
        if node.op == "concat" or node.op in MOVES:
            return self.pin(*self._source(link, index, point), value)
        if node.op in GATES:  # 0 is what they let through of 0, in the first half of the axis
            return value == 0.0 and self.pin(node.inputs[0], point, index, 0.0)
        if node.op in MAXIMA or (node.op in MEANS and value == 0.0):
            return self._by_equals(link, point, index, value)
        wanted = preimage(node.op, node.attributes, value)
        return wanted is not None and self.pin(node.inputs[0], point, index, wanted)

    def _by_layer(self, link: int, point: int, index: Index, value: float) -> bool:
        """The bias makes up what a sum lacks, or is the value itself where no weight reaches the element."""
        node = self.numbers.architecture.nodes[link]
        own = channel(node, index)
        weights = reaching(node, self.numbers.params[node.params["weight"]][point], own)
        if "bias" in node.params:
            bias, place = self.numbers.params[node.params["bias"]], (point, *own)
            if node.op == "dense":
                before = self.values(node.inputs[0])[(point, *index[:-1])]
                if _store(bias, place, _sum((value, -self._product(before, weights)), self.numbers.dtype)):
                    return True
            if not _store(bias, place, value):
                return False
        elif value != 0.0 and node.op == "dense":
            weights[...] = 0
            weights[0] = 1
            return self.pin(node.inputs[0], point, (*index[:-1], 0), value)
        elif value != 0.0:
            return False
        weights[...] = 0
        return True

    def _product(self, before: Floats, row: NDArray[Any]) -> float:
        """Σ before ∘ row where that is exact, else NaN."""
        weight = row.astype(np.float64)[np.newaxis, np.newaxis]
        return float(dense(before[np.newaxis], weight, None, BITS[self.numbers.dtype])[0, 0])

    def _by_operand(self, link: int, point: int, index: Index, value: float) -> bool:
        """Of a sum the first operand makes up what is lacking; a product is zero where an operand is."""
        node = self.numbers.architecture.nodes[link]
        first, *others = node.inputs
        if node.op == "multiply":
            return value == 0.0 and any(self.pin(k, point, index, 0.0) for k in node.inputs)
        rest = _sum((value, *(-self.value(k, point, index) for k in others)), self.numbers.dtype)
        if not math.isnan(rest):
            return self.pin(first, point, index, rest)
        return value == 0.0 and all(self.pin(k, point, index, 0.0) for k in node.inputs)

    def _source(self, link: int, index: Index, point: int) -> tuple[int, int, Index]:
        """Where an element of what is moved or laid side by side comes from: a link, the point, an index."""
        architecture, node = self.numbers.architecture, self.numbers.architecture.nodes[link]
        if node.op in MOVES:
            shape = architecture.shape_of(node.inputs[0])
            places = np.arange(math.prod(shape)).reshape((1, *shape))
            flat = moved(node, places, architecture.node_shapes[link])[(0, *index)]
            return node.inputs[0], point, tuple(int(i) for i in np.unravel_index(flat, shape))
        axis, before = int(node.attributes["axis"]), 0
        for k in node.inputs:
            size = architecture.shape_of(k)[axis]
            if index[axis] < before + size:
                break
            before += size
        part = list(index)
        part[axis] -= before
        return k, point, tuple(part)

    def _by_equals(self, link: int, point: int, index: Index, value: float) -> bool:
        """All numbers of a channel are alike, and so is what a pool makes of them."""
        source = self.numbers.architecture.nodes[link].inputs[0]
        inner = self.numbers.architecture.shape_of(source)[2:]
        return all(self.pin(source, point, (*index[:2], *place), value) for place in np.ndindex(inner))


# By what the places of a loss are of, where that is neither output less target nor their product.
INSIDE = {"the variance": _set_variance, "‖a‖": _set_length, "the hinge and both distances": _set_positive}


def _sum(terms: tuple[float, ...], dtype: str) -> float:
    """The sum where it is exact in this dtype, else NaN."""
    return float(summed(np.array([terms]), BITS[dtype])[0])


def _store(array: NDArray[Any], place: Index, value: float) -> bool:
    """Write a value that the array's dtype holds exactly; False for any other, NaN among them."""
    held = array.dtype.type(value)
    if float(held) != value:
        return False
    array[place] = held
    return True
