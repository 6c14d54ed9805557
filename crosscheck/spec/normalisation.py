"""Normalisations: names, attributes, shapes. Every one divides by √(variance + eps), with eps > 0.

So it is smooth everywhere, and eps alone decides where there is no variance: in a group whose numbers are alike, as any
single number is (a batch of 1, a width of 1), z is bias and ∂C/∂a has the size of ∂C/∂z weight/√eps, less what the mean
takes away: of a single number nothing is left. The variance is that of the group itself, divided by its count n.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import (
    LARGEST_SIZE,
    NUMBERS,
    Attribute,
    Attributes,
    Op,
    ParamRule,
    Shape,
    ShapeRule,
    Slot,
)

AFFINE = Attribute(name="affine", type="bool", default=True)
EVALUATION = "evaluation"


def eps(default: float) -> Attribute:
    return Attribute(name="eps", type="float", default=default, above=0.0)


def weight_and_bias(attributes: Attributes) -> tuple[str, ...]:
    return ("weight", "bias") if attributes["affine"] else ()


def with_channels(op: str, shape: Shape) -> Shape:
    """(C,) of an input (N, C, …) of two to four axes; raises SpecError for another."""
    if not 2 <= len(shape) <= 4:
        raise SpecError(f"{op} needs an input of shape (N, C), (N, C, L) or (N, C, H, W), but its input is {shape}")
    return shape[1:2]


def _by_channel(op: str) -> ParamRule:
    def params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        return dict.fromkeys(weight_and_bias(attributes), with_channels(op, shapes[0]))

    return params


def _batch_slots(_attributes: Attributes, count: int) -> tuple[Slot, ...]:
    return (NUMBERS, NUMBERS, Slot(positive=True))[:count]


def _batch_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    channels, mode, further = with_channels("batch_norm", shapes[0]), attributes["mode"], shapes[1:]
    if mode != EVALUATION and further:
        raise SpecError(
            f"batch_norm(mode={mode}) has the statistics of its batch; it takes one input, not {len(shapes)}"
        )
    if mode == EVALUATION and further != (channels, channels):
        raise SpecError(
            f"batch_norm(mode={mode}) takes a mean and a variance of shape {channels} beside its input of shape "
            f"{shapes[0]}, not {' and '.join(map(str, further)) or 'none'}"
        )
    return shapes[0]


def _layer_axes(attributes: Attributes, shape: Shape) -> Shape:
    axes = int(attributes["axes"])
    if len(shape) < axes:
        raise SpecError(f"layer_norm(axes={axes}) needs an input with at least {axes} axes, but its input is {shape}")
    return shape[len(shape) - axes :]


def _layer_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    _layer_axes(attributes, shapes[0])
    return shapes[0]


def _layer_params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    return dict.fromkeys(weight_and_bias(attributes), _layer_axes(attributes, shapes[0]))


def _rms_shape(_attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not shapes[0]:
        raise SpecError("rms_norm works on the last axis, but its input is a single number")
    return shapes[0]


def _rms_params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    return {"weight": shapes[0][-1:]} if attributes["affine"] else {}


def _group_shape(op: str) -> ShapeRule:
    def shape_rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        (channels,), groups = with_channels(op, shapes[0]), int(attributes["groups"])
        if channels % groups:
            raise SpecError(
                f"{op}: groups={groups}, but its input of shape {shapes[0]} has {channels} channels; "
                "groups must divide them"
            )
        return shapes[0]

    return shape_rule


NORMALISATIONS: tuple[Op, ...] = (
    Op(
        name="batch_norm",
        kind="layer",
        attributes=(
            eps(1e-5),
            AFFINE,
            Attribute(name="mode", type="choice", default="training", choices=("training", EVALUATION)),
        ),
        arity=(1, 3),
        further=("mean", "var"),
        slots=_batch_slots,
        out_shape=_batch_shape,
        roles=weight_and_bias,
        params=_by_channel("batch_norm"),
        summary="(a - mean)/√(var + eps) weight + bias of each channel, the second axis; mean and var of the batch, "
        "or in evaluation two more inputs",
    ),
    Op(
        name="layer_norm",
        kind="layer",
        attributes=(Attribute(name="axes", type="int", default=1, above=0, at_most=LARGEST_SIZE), eps(1e-5), AFFINE),
        out_shape=_layer_shape,
        roles=weight_and_bias,
        params=_layer_params,
        summary="(a - mean)/√(var + eps) weight + bias, mean and var over so many last axes; weight has their shape",
    ),
    Op(
        name="rms_norm",
        kind="layer",
        attributes=(eps(1e-6), AFFINE),
        out_shape=_rms_shape,
        roles=lambda attributes: ("weight",) if attributes["affine"] else (),
        params=_rms_params,
        summary="a/√(mean of a² + eps) weight, over the last axis",
    ),
    Op(
        name="group_norm",
        kind="layer",
        attributes=(Attribute(name="groups", type="int", above=0, at_most=LARGEST_SIZE), eps(1e-5), AFFINE),
        out_shape=_group_shape("group_norm"),
        roles=weight_and_bias,
        params=_by_channel("group_norm"),
        summary="(a - mean)/√(var + eps) weight + bias, mean and var of each sample over neighbouring channels and all "
        "that is in them; with as many groups as channels it is instance norm",
    ),
)
