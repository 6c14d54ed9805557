"""Axes of one network's array, counted from the last: -1 is the last, whatever leading axes a witness has."""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Shape

AXIS = Attribute(name="axis", type="int", default=-1, at_most=-1)


def checked_axis(op: str, axis: object, shape: Shape) -> int:
    """The axis, a negative whole number. Raises SpecError where the shape has no such axis."""
    found = int(str(axis))
    if len(shape) < -found:
        raise SpecError(f"{op} works on axis {found}, but its input of shape {shape} has {counted(len(shape))}")
    return found


def resized(shape: Shape, axis: int, *sizes: int) -> Shape:
    """The shape with this axis replaced by axes of these sizes; by none, without it."""
    at = len(shape) + axis
    return (*shape[:at], *sizes, *shape[at + 1 :])


def counted(count: int) -> str:
    """So many axes, in words."""
    return "no axes" if count == 0 else "1 axis" if count == 1 else f"{count} axes"
