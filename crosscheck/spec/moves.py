"""Layers that move numbers and compute none. The axes are those of one point, the rows first."""

from __future__ import annotations

import math

from crosscheck.spec.axes import AXIS, checked_axis, counted, resized
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, Attribute, Attributes, Op, Shape, sizes_of


def _flat_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    start, shape = int(attributes["start"]), shapes[0]
    if len(shape) <= start:
        raise SpecError(f"flatten(start={start}) needs an input of at least {counted(start + 1)}, not {shape}")
    return (*shape[:start], math.prod(shape[start:]))


def _new_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    wanted, shape = sizes_of(attributes["shape"], 0), shapes[0]
    known = math.prod(size for size in wanted if size)
    written = "x".join(map(str, wanted))
    if wanted.count(0) > 1:
        raise SpecError(
            f"reshape(shape={written}) leaves {wanted.count(0)} sizes open; one alone follows from the rest"
        )
    count = math.prod(shape)
    if count % known or (count != known and 0 not in wanted):
        raise SpecError(f"reshape(shape={written}) cannot hold the {count:,} numbers of an input of shape {shape}")
    return tuple(size or count // known for size in wanted)


def _swapped_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    one, other = (checked_axis("transpose", attributes[name], shapes[0]) for name in ("axis1", "axis2"))
    result = list(shapes[0])
    result[one], result[other] = result[other], result[one]
    return tuple(result)


def steps(attributes: Attributes, size: int) -> range:
    """Which of so many entries a slice takes, by Python's rules for negative and for large numbers."""
    start, stop, step = (int(attributes[name]) for name in ("start", "stop", "step"))
    return range(*slice(start, stop, step).indices(size))


def _sliced_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    axis = checked_axis("slice", attributes["axis"], shapes[0])
    left = len(steps(attributes, shapes[0][axis]))
    if not left:
        start, stop = int(attributes["start"]), int(attributes["stop"])
        asked = f"start={start}" + (f", stop={stop}" if stop < LARGEST_SIZE else "")
        raise SpecError(f"slice({asked}) takes nothing of axis {axis} of shape {shapes[0]}")
    return resized(shapes[0], axis, left)


MOVES: tuple[Op, ...] = (
    Op(
        name="flatten",
        kind="layer",
        attributes=(Attribute(name="start", type="int", default=1, least=0, at_most=LARGEST_SIZE),),
        out_shape=_flat_shape,
        summary="all axes from start on as one, in C order; start=1 keeps the rows",
    ),
    Op(
        name="reshape",
        kind="layer",
        attributes=(Attribute(name="shape", type="sizes", default=0),),
        out_shape=_new_shape,
        summary="the same numbers in another shape, in C order; one size may be 0, which stands for what is left",
    ),
    Op(
        name="transpose",
        kind="layer",
        attributes=(
            Attribute(name="axis1", type="int", default=-2, at_most=-1),
            Attribute(name="axis2", type="int", default=-1, at_most=-1),
        ),
        out_shape=_swapped_shape,
        summary="two axes swapped",
    ),
    Op(
        name="slice",
        kind="layer",
        attributes=(
            AXIS,
            Attribute(name="start", type="int", default=0, least=-LARGEST_SIZE, at_most=LARGEST_SIZE),
            Attribute(name="stop", type="int", default=LARGEST_SIZE, least=-LARGEST_SIZE, at_most=LARGEST_SIZE),
            Attribute(name="step", type="int", default=1, above=0, at_most=LARGEST_SIZE),
        ),
        out_shape=_sliced_shape,
        summary="every step-th entry of an axis from start to before stop; negative ones count from its end",
    ),
)
