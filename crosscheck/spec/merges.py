"""Merges: operations that join several nodes into one."""

from __future__ import annotations

from crosscheck.spec.axes import AXIS, checked_axis, resized
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attributes, Op, Shape


def _equal_shapes(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    for shape in shapes[1:]:
        if shape != shapes[0]:
            raise SpecError(f"add and multiply need inputs of one shape, not {shapes[0]} and {shape}")
    return shapes[0]


def _concat_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    first = shapes[0]
    axis = checked_axis("concat", attributes["axis"], first)
    for shape in shapes:
        if len(shape) != len(first) or resized(shape, axis) != resized(first, axis):
            where = "the last axis" if axis == -1 else f"axis {axis}"
            raise SpecError(f"concat needs inputs that differ in {where} only, not {first} and {shape}")
    return resized(first, axis, sum(shape[axis] for shape in shapes))


def _product_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    left, right = shapes
    if min(len(left), len(right)) < 2 or left[:-2] != right[:-2] or left[-1] != right[-2]:
        raise SpecError(
            f"matmul needs inputs (…, n, k) and (…, k, m), the axes before them alike, not {left} and {right}"
        )
    return (*left[:-1], right[-1])


_MANY = (2, 8)

MERGES: tuple[Op, ...] = (
    Op(name="add", kind="merge", arity=_MANY, out_shape=_equal_shapes, summary="elementwise sum"),
    Op(name="multiply", kind="merge", arity=_MANY, out_shape=_equal_shapes, summary="elementwise product"),
    Op(
        name="concat",
        kind="merge",
        attributes=(AXIS,),
        arity=_MANY,
        out_shape=_concat_shape,
        summary="side by side, on an axis",
    ),
    Op(
        name="matmul",
        kind="merge",
        arity=(2, 2),
        further=("right",),
        out_shape=_product_shape,
        summary="the matrix product of the last two axes; the axes before them are a batch",
    ),
)
