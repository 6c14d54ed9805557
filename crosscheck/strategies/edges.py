"""Every legal edge from operation to operation: which they are, why others are none, and layers to make them of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice

from crosscheck.spec.architecture import Edge as Edge
from crosscheck.spec.impossible import PROBABILITIES
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.building import OF_ITSELF, Variant, may_be_squared
from crosscheck.strategies.fitting import PREPARED, TRIALS, extras, fits, other_ranks

# Variants of an op that are tried on a shape; they are ordered by how simple they are.
TRIED = 40
# Beside the others: a matrix that can be multiplied by itself, of a width that a dense layer makes.
SQUARES = ((5, 5), (2, 2))
# Whole numbers, which an embedding gives one axis more.
IDS: tuple[Shape, ...] = ((4,), (4, 4), (4, 4, 4))
WHOLE = "an embedding takes whole numbers, which only an input has"
AXES = "the one never has as many axes as the other takes"
SIZES = "no output of the one is an input of the other in this run"


def legal(menu: Menu) -> frozenset[Edge]:
    """(a, b) wherever some output of a is an input that b can take."""
    return _by_reason(menu)[None]


def illegal(menu: Menu) -> Mapping[str, frozenset[Edge]]:
    """The others, by the reason why no network has them."""
    return {why: edges for why, edges in _by_reason(menu).items() if why is not None}


def _by_reason(menu: Menu) -> Mapping[str | None, frozenset[Edge]]:
    ops = [op for op in menu.space.ops if OPS[op].kind != "loss"]
    outputs = {op: _outputs(menu, op) for op in ops}
    found: defaultdict[str | None, set[Edge]] = defaultdict(set)
    for a in ops:
        for b in menu.space.ops:
            found[_reason(menu, a, b, outputs[a])].add((a, b))
    return defaultdict(frozenset, {why: frozenset(edges) for why, edges in found.items()})


def _reason(menu: Menu, a: str, b: str, outputs: frozenset[Shape]) -> str | None:
    """Why b stands behind no output of a; None where it can."""
    if b == "embedding":
        return WHOLE
    if b in PREPARED and a != PREPARED[b]:
        return PROBABILITIES
    if any(fitting(menu, b, shape) is not None for shape in outputs):
        return None
    taken = {len(shape) for shape in (*TRIALS, *SQUARES) if fitting(menu, b, shape) is not None}
    return AXES if taken.isdisjoint(map(len, outputs)) else SIZES


def fitting(menu: Menu, op: str, shape: Shape) -> int | None:
    """The number of the first variant of the op that can stand on this shape."""
    if op == "matmul" and "transpose" in menu.space.ops:
        return 0 if may_be_squared(shape) else None
    variants = enumerate(islice(_variants(menu, op), TRIED))
    return next((number for number, variant in variants if fits(op, variant, shape)), None)


def _variants(menu: Menu, op: str) -> Iterator[Variant]:
    if OPS[op].kind != "merge":
        yield from menu.variants(op)
    elif op == "concat":
        yield {"axis": -1}
    else:
        yield {}


def _outputs(menu: Menu, op: str) -> frozenset[Shape]:
    found: set[Shape] = set()
    for shape in IDS if op == "embedding" else (*TRIALS, *SQUARES):
        if op == "reshape":
            found |= set(other_ranks(shape))
        for variant in islice(_variants(menu, op), TRIED):
            if fits(op, variant, shape):
                further = tuple(extra.shape for extra in extras(op, variant, shape))
                given = (shape,) * OPS[op].arity[0] if OPS[op].kind == "merge" else (shape, *further)
                found.add(OPS[op].out_shape(variant, given))
    return frozenset(found)


def layer_of(menu: Menu, op: str, number: int) -> tuple[int, int, int, int]:
    """A layer that is this op alone, as indices into the menu."""
    plain = next((i for i, activation in enumerate(menu.activations) if activation is None), 0)
    nothing = menu.ops.index(None) if None in menu.ops else 0
    if OPS[op].kind == "layer":
        return menu.ops.index(op), number, plain, 0
    if OPS[op].kind == "merge":
        joint = next(i for i, j in enumerate(menu.joints) if j.merge == op and j.partner == OF_ITSELF)
        return nothing, 0, plain, joint
    wanted = menu.variants(op)[number]
    activation = next(i for i, a in enumerate(menu.activations) if a is not None and a[0] == op and a[1][0] == wanted)
    return nothing, 0, activation, 0
