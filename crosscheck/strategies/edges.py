"""Every legal edge from operation to operation: which they are, and networks that hold those not met yet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from crosscheck.spec.architecture import Edge as Edge
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.building import OF_ITSELF, Variant
from crosscheck.strategies.fitting import PREPARED, TRIALS, extras, fits, other_ranks

# Variants of an op that are tried on a shape; they are ordered by how simple they are.
TRIED = 40
# Beside the others: a matrix that can be multiplied by itself, of a width that a dense layer makes.
SQUARES = ((5, 5), (2, 2))


def legal(menu: Menu) -> frozenset[Edge]:
    """(a, b) wherever some output of a is an input that b can take."""
    ops = [op for op in menu.space.ops if OPS[op].kind != "loss"]
    outputs = {op: _outputs(menu, op) for op in ops}
    return frozenset(
        (a, b)
        for a in ops
        for b in menu.space.ops
        if b != "embedding"  # it takes whole numbers, which only an input has
        and (b not in PREPARED or a == PREPARED[b])  # what a loss of probabilities needs is put before it
        and any(fitting(menu, b, shape) is not None for shape in outputs[a])
    )


def fitting(menu: Menu, op: str, shape: Shape) -> int | None:
    """The number of the first variant of the op that can stand on this shape."""
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
    for shape in ((4,), (4, 4)) if op == "embedding" else (*TRIALS, *SQUARES):
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
