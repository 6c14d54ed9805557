"""Pools: names, attributes, shapes, and where a maximum ties.

Inputs are (N, C, L) or (N, C, H, W); windows may overlap. A stride of 0 is as large as the kernel. Padding is at most
half of the kernel, so that every window holds a number of the input.
"""

from __future__ import annotations

from crosscheck.spec.convolution import spatial, windows
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape, ShapeRule, sizes_of


def steps(attributes: Attributes, axes: int) -> Shape:
    """The stride along each axis, with the kernel's size in the place of a 0."""
    sizes = (sizes_of(attributes[name], axes) for name in ("stride", "kernel"))
    return tuple(s or k for s, k in zip(*sizes, strict=True))


def _pool_shape(op: str, axes: int) -> ShapeRule:
    def rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        spatial(op, axes, shapes[0])
        kernel, padding = (sizes_of(attributes[name], axes) for name in ("kernel", "padding"))
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise SpecError(
                f"{op}: padding={attributes['padding']}, but kernel={attributes['kernel']}; "
                "padding is at most half of the kernel"
            )
        count = windows(op, shapes[0], kernel, steps(attributes, axes), padding, (1,) * axes)
        return (*shapes[0][:2], *count)

    return rule


def _global_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if len(shapes[0]) < 3:
        raise SpecError(f"global_avg_pool needs an input of shape (N, C, L, …), but its input has shape {shapes[0]}")
    return shapes[0][:2]


def _windowed(axes: int) -> tuple[Attribute, ...]:
    return (
        Attribute(name="kernel", type="sizes", default=2, above=0, axes=axes),
        Attribute(name="stride", type="sizes", default=0, axes=axes),
        Attribute(name="padding", type="sizes", default=0, axes=axes),
    )


def _max_pool(name: str, axes: int) -> Op:
    return Op(
        name=name,
        kind="layer",
        attributes=_windowed(axes),
        out_shape=_pool_shape(name, axes),
        ties=True,
        summary="the largest number of each window, of equal ones the first in C order; -inf around the input",
    )


def _avg_pool(name: str, axes: int) -> Op:
    return Op(
        name=name,
        kind="layer",
        attributes=(*_windowed(axes), Attribute(name="count_include_pad", type="bool", default=True)),
        out_shape=_pool_shape(name, axes),
        summary="the mean of each window, zeros around the input; without count_include_pad those do not count",
    )


POOLS: tuple[Op, ...] = (
    _max_pool("max_pool1d", 1),
    _max_pool("max_pool2d", 2),
    _avg_pool("avg_pool1d", 1),
    _avg_pool("avg_pool2d", 2),
    Op(
        name="global_avg_pool",
        kind="layer",
        out_shape=_global_shape,
        summary="the mean over all axes after the channels: (N, C, …) → (N, C)",
    ),
)
