"""Layers between dense ones that are not elementwise: gates, a learned slope, and what makes one number of a vector."""

from __future__ import annotations

from crosscheck.spec.axes import AXIS, checked_axis, resized
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape, ShapeRule

KEEPDIMS = Attribute(name="keepdims", type="bool", default=False)


def _halved(op: str) -> ShapeRule:
    def shape_rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        axis = checked_axis(op, attributes["axis"], shapes[0])
        size = shapes[0][axis]
        if size % 2:
            raise SpecError(f"{op} halves axis {axis}, but its input has shape {shapes[0]}: {size} is not even")
        return resized(shapes[0], axis, size // 2)

    return shape_rule


def _one_number(op: str) -> ShapeRule:
    def shape_rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        axis = checked_axis(op, attributes["axis"], shapes[0])
        return resized(shapes[0], axis, *(1,) * bool(attributes["keepdims"]))

    return shape_rule


def _prelu_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if attributes["per_channel"] and len(shapes[0]) < 2:
        raise SpecError(f"prelu(per_channel=true) has its channels on the second axis, but its input is {shapes[0]}")
    return shapes[0]


def _prelu_params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    return {"weight": (shapes[0][1] if attributes["per_channel"] else 1,)}


VECTORS: tuple[Op, ...] = (
    Op(
        name="prelu",
        kind="layer",
        attributes=(Attribute(name="per_channel", type="bool", default=False),),
        out_shape=_prelu_shape,
        roles=lambda _: ("weight",),
        params=_prelu_params,
        kinks=lambda _: (0.0,),
        summary="a = z for z > 0, else w z; weight (1,), or one for each channel, which are the second axis",
    ),
    Op(
        name="glu",
        kind="layer",
        attributes=(AXIS,),
        out_shape=_halved("glu"),
        summary="a sigmoid(b) of the first half a and the second half b of an axis",
    ),
    Op(
        name="swiglu",
        kind="layer",
        attributes=(AXIS,),
        out_shape=_halved("swiglu"),
        summary="silu(a) b of the first half a and the second half b of an axis",
    ),
    Op(
        name="logsumexp",
        kind="layer",
        attributes=(AXIS, KEEPDIMS),
        out_shape=_one_number("logsumexp"),
        summary="log Σ_k exp z_k over an axis, which is left out or, with keepdims, of size 1",
    ),
    Op(
        name="norm",
        kind="layer",
        attributes=(AXIS, KEEPDIMS),
        out_shape=_one_number("norm"),
        summary="√Σ_k z_k² over an axis; where all z_k are 0 it has a kink, and its slope is taken to be 0",
    ),
)
