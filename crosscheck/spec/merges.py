"""Merges: operations that join several nodes into one."""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape


def _equal_shapes(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    for shape in shapes[1:]:
        if shape != shapes[0]:
            raise SpecError(f"add and multiply need inputs of one shape, not {shapes[0]} and {shape}")
    return shapes[0]


def _concat_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    for shape in shapes:
        if not shape or shape[:-1] != shapes[0][:-1]:
            raise SpecError(f"concat needs inputs that differ in the last axis only, not {shapes[0]} and {shape}")
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


_MANY = (2, 8)

MERGES: tuple[Op, ...] = (
    Op(name="add", kind="merge", arity=_MANY, out_shape=_equal_shapes, summary="elementwise sum"),
    Op(name="multiply", kind="merge", arity=_MANY, out_shape=_equal_shapes, summary="elementwise product"),
    Op(
        name="concat",
        kind="merge",
        attributes=(Attribute(name="axis", type="int", default=-1, choices=(-1,)),),
        arity=_MANY,
        out_shape=_concat_shape,
        summary="side by side, on the last axis",
    ),
)
