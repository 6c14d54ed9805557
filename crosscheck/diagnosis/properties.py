"""Properties of a case that a failure may hang on: sizes, attributes, and what numbers, indices and masks are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np

from crosscheck.spec.architecture import Architecture, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.errors import SpecError
from crosscheck.spec.fault import Fault
from crosscheck.spec.op import Attribute, Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Array, Bools
from crosscheck.strategies.probes import alone, of_all_families

# Of so many values of a number that were met no single one is called the condition.
FEW = 3
# A failure that hangs on the size of an axis is right with each of these that is another.
OTHER_SIZES = (1, 2, 3)
Used = TypeVar("Used", Node, Loss)
# By point (P,): whether a case has the property. None where it makes no sense there.
Has = Callable[[Case], Bools | None]
# Of an input (P, numbers): by point.
Test = Callable[[Array], Any]


@dataclass(frozen=True)
class Property:
    """In words that follow "only", and how to see it.

    `without` makes cases of one that has the property, which have it no more: asked of one that was wrong, they tell
    whether the failure hangs on it, or on what came with it.
    """

    words: str
    has: Has
    without: Callable[[Case], Iterable[Case]] | None = None


def properties(cases: Sequence[Case], where: Fault | None) -> list[Property]:
    """Sizes, attributes, and what the numbers, indices and masks are like."""
    found = [
        _of_size("at batch 1", 0, 1),
        _of_size("at a batch above 1", 0),
        _of_size("at width 1", -1, 1),
        _of_size("at a width above 1", -1),
        _of_size("with one step or channel", 1, 1, rank=3),
        _of_size("with more than one step or channel", 1, rank=3),
        Property("where ids repeat", partial(_integers, test=_repeats)),
        Property("where no id repeats", partial(_integers, test=lambda ids: ~_repeats(ids))),
        Property("where the mask hides something", partial(_masks, test=lambda m: ~m.all(axis=1))),
        Property("where the mask hides nothing", partial(_masks, test=lambda m: m.all(axis=1))),
        _of_numbers("where an input is exactly 0", lambda x: (x == 0).any(axis=1), _off_zero),
        _of_numbers("where inputs are equal", _repeats, _apart),
        _of_numbers("where an input is negative", lambda x: (x < 0).any(axis=1), np.abs),
        _of_numbers("where an input is positive", lambda x: (x > 0).any(axis=1), lambda x: -np.abs(x)),
    ]
    if where is not None and where.op is not None:
        met = [attributes for case in cases for attributes in _of_op(case, where.op)]
        for attribute in OPS[where.op].attributes:
            values = dict.fromkeys(attributes[attribute.name] for attributes in met if attribute.name in attributes)
            counted = attribute.type in ("int", "sizes", "float")
            if counted and attribute.default is not None and len(values) > 1:
                words = f"with {attribute.name} other than {_text(attribute.default)}"
                has = partial(_unlike, op=where.op, attribute=attribute)
                found.append(Property(words, has, _of_attribute(where.op, attribute, (attribute.default,))))
            # Of a number that takes many values one alone is no rule, where few were met.
            for value in values if len(values) > (FEW if counted else 1) else ():
                words = f"with {attribute.name}={_text(value)}"
                has = partial(_attribute, op=where.op, attribute=attribute, value=value)
                others = tuple(other for other in values if other != value)
                found.append(Property(words, has, _of_attribute(where.op, attribute, others)))
    return found


def _of_numbers(words: str, test: Test, change: Callable[[Array], Array]) -> Property:
    def without(case: Case) -> Iterator[Case]:
        changed = {
            item.name: change(case.inputs[item.name]).astype(case.inputs[item.name].dtype)
            for item in case.architecture.inputs
            if item.dtype == "float"
        }
        yield replace(case, inputs={**case.inputs, **changed})

    return Property(words, partial(_numbers, test=test), without)


def _of_size(words: str, axis: int, size: int | None = None, rank: int = 1) -> Property:
    """That an axis has this size, or where that is None more than 1."""

    def test(n: int) -> bool:
        return n == size if size is not None else n > 1

    def without(case: Case) -> Iterator[Case]:
        shape = case.architecture.inputs[0].shape
        for made in (found for other in _other_shapes(shape, axis) for found in _on(case.architecture, other)):
            if not test(made.inputs[0].shape[axis]):
                yield of_all_families(made, case.dtype)

    return Property(words, partial(_size, axis=axis, test=test, rank=rank), without)


def _of_attribute(op: str, attribute: Attribute, values: Sequence[Value | None]) -> Callable[[Case], Iterator[Case]]:
    """Makes the network with each of these values in place of the attribute's own, and all else as it is."""

    def without(case: Case) -> Iterator[Case]:
        before = case.architecture
        for value in values:
            with suppress(SpecError):
                nodes = tuple(_with(node, op, attribute.name, value) for node in before.nodes)
                loss = _with(before.loss, op, attribute.name, value)
                yield of_all_families(msgspec.structs.replace(before, nodes=nodes, loss=loss), case.dtype)

    return without


def _with(used: Used, op: str, name: str, value: Value | None) -> Used:
    if used.op != op:
        return used
    return msgspec.structs.replace(used, attributes={**used.attributes, name: value})


def _other_shapes(shape: Shape, axis: int) -> Iterator[Shape]:
    """The shape with another size on this axis; with its sizes on other axes; and with one axis more, of size 1."""
    place = axis % len(shape)
    for other in OTHER_SIZES:
        yield (*shape[:place], other, *shape[place + 1 :])
    for another in range(len(shape)):
        swapped = list(shape)
        swapped[place], swapped[another] = swapped[another], swapped[place]
        yield tuple(swapped)
    yield from ((1, *shape), (*shape, 1))


def _on(architecture: Architecture, shape: Shape) -> Iterator[Architecture]:
    """The network on an input of this shape, where that is no other network than before and its rules allow it."""
    first, *others = architecture.inputs
    made = None
    if shape != first.shape and not others:
        with suppress(SpecError):
            made = msgspec.structs.replace(architecture, inputs=(msgspec.structs.replace(first, shape=shape),))
    elif shape != first.shape and len(architecture.nodes) == 1:
        (node,) = architecture.nodes
        made = alone(node.op, node.attributes, shape, further=OPS[node.op].kind == "layer")
    if made is not None and len(made.inputs) == len(architecture.inputs):
        yield made


def _off_zero(values: Array) -> Array:
    return np.asarray(np.where(values == 0, 0.5, values))


def _apart(values: Array) -> Array:
    """No two alike: what is added has more digits than the numbers of a diagnosis."""
    steps = np.arange(values[0].size).reshape(values.shape[1:])
    return np.asarray(values + (steps + 1.0) / (values[0].size + 1.0) / 7.0)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_op(case: Case, op: str) -> list[Mapping[str, Value]]:
    """The attributes of every node of this operation, and of a loss that is it."""
    placed: list[Node | Loss] = [*case.architecture.nodes, case.architecture.loss]
    return [used.attributes for used in placed if used.op == op]


def _all(case: Case, held: bool) -> Bools:
    return np.full(case.n_points, held, np.bool_)


def _size(case: Case, axis: int, test: Callable[[int], bool], rank: int = 1) -> Bools | None:
    shape = case.architecture.inputs[0].shape
    return _all(case, test(shape[axis])) if len(shape) >= rank and shape else None


def _integers(case: Case, test: Test) -> Bools | None:
    return _of_inputs(case, "int64", test)


def _masks(case: Case, test: Test) -> Bools | None:
    return _of_inputs(case, "bool", test)


def _numbers(case: Case, test: Test) -> Bools | None:
    return _of_inputs(case, "float", test)


def _of_inputs(case: Case, dtype: str, test: Test) -> Bools | None:
    """Whether it is so of some input of this dtype."""
    names = [item.name for item in case.architecture.inputs if item.dtype == dtype]
    held = [np.asarray(test(case.inputs[name].reshape(case.n_points, -1))) for name in names]
    return np.asarray(np.logical_or.reduce(held)) if held else None


def _repeats(values: Array) -> Array:
    ordered = np.sort(values, axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))


def _attribute(case: Case, op: str, attribute: Attribute, value: Value) -> Bools | None:
    met = _of_op(case, op)
    return _all(case, any(attributes[attribute.name] == value for attributes in met)) if met else None


def _unlike(case: Case, op: str, attribute: Attribute) -> Bools | None:
    met = _of_op(case, op)
    return _all(case, any(attributes[attribute.name] != attribute.default for attributes in met)) if met else None
