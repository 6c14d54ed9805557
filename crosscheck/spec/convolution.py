"""Convolutions: names, attributes, shapes; and the arithmetic of windows that pools share.

Inputs are (N, C, L) or (N, C, H, W), parameters as in PyTorch: weight (out, C/groups, *kernel), of a transposed
convolution (C, out/groups, *kernel); bias (out,). Sizes hold for every spatial axis, or are one for each: `3x2`.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, Attribute, Attributes, Op, ParamRule, Shape, ShapeRule, sizes_of

LAYOUT = {1: "(N, C, L)", 2: "(N, C, H, W)"}


def spatial(op: str, axes: int, shape: Shape) -> Shape:
    """The axes of an input after its channels; raises SpecError where there are not so many."""
    if len(shape) != axes + 2:
        raise SpecError(f"{op} needs an input of shape {LAYOUT[axes]}, but its input has shape {shape}")
    return shape[2:]


def windows(op: str, shape: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Shape:
    """How many windows lie along each spatial axis; raises SpecError where none fits."""
    span = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    room = tuple(n + 2 * p for n, p in zip(shape[2:], padding, strict=True))
    if any(s > n for s, n in zip(span, room, strict=True)):
        raise SpecError(
            f"{op}: its window spans {span}, but its input of shape {shape} has {room} with its padding; "
            "a window must fit in it"
        )
    return tuple((n - s) // step + 1 for n, s, step in zip(room, span, stride, strict=True))


def _grouped(op: str, attributes: Attributes, shape: Shape) -> int:
    """The number of groups; raises SpecError where it does not divide the channels on both sides."""
    groups, out = int(attributes["groups"]), int(attributes["out"])
    if shape[1] % groups or out % groups:
        raise SpecError(
            f"{op}: groups={groups}, but its input of shape {shape} has {shape[1]} channels and out={out}; "
            "groups must divide both"
        )
    return groups


def _conv_shape(op: str, axes: int) -> ShapeRule:
    def rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        spatial(op, axes, shapes[0])
        _grouped(op, attributes, shapes[0])
        sizes = (sizes_of(attributes[name], axes) for name in ("kernel", "stride", "padding", "dilation"))
        return (shapes[0][0], int(attributes["out"]), *windows(op, shapes[0], *sizes))

    return rule


def _transposed_shape(op: str, axes: int) -> ShapeRule:
    """(n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1 along each axis."""

    def rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        size = spatial(op, axes, shapes[0])
        _grouped(op, attributes, shapes[0])
        names = ("kernel", "stride", "padding", "output_padding", "dilation")
        kernel, stride, padding, more, dilation = (sizes_of(attributes[name], axes) for name in names)
        if any(extra >= max(s, d) for extra, s, d in zip(more, stride, dilation, strict=True)):
            raise SpecError(
                f"{op}: output_padding={attributes['output_padding']}, but it must be smaller than "
                f"stride={attributes['stride']} or dilation={attributes['dilation']}"
            )
        each = zip(size, kernel, stride, padding, more, dilation, strict=True)
        out = tuple((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in each)
        if any(n < 1 for n in out):
            raise SpecError(
                f"{op}: its input of shape {shapes[0]} would become {out}; padding={attributes['padding']} "
                "must leave at least one"
            )
        return (shapes[0][0], int(attributes["out"]), *out)

    return rule


def _params(op: str, axes: int, *, transposed: bool = False) -> ParamRule:
    def rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
        groups, out, channels = _grouped(op, attributes, shapes[0]), int(attributes["out"]), shapes[0][1]
        ends = (channels, out // groups) if transposed else (out, channels // groups)
        params: dict[str, Shape] = {"weight": (*ends, *sizes_of(attributes["kernel"], axes))}
        return params | ({"bias": (out,)} if attributes["bias"] else {})

    return rule


def _roles(attributes: Attributes) -> tuple[str, ...]:
    return ("weight", "bias") if attributes["bias"] else ("weight",)


def _op(name: str, axes: int, summary: str, *, transposed: bool = False) -> Op:
    more = (Attribute(name="output_padding", type="sizes", default=0, axes=axes),) if transposed else ()
    return Op(
        name=name,
        kind="layer",
        attributes=(
            Attribute(name="out", type="int", above=0, at_most=LARGEST_SIZE),
            Attribute(name="kernel", type="sizes", above=0, axes=axes),
            Attribute(name="stride", type="sizes", default=1, above=0, axes=axes),
            Attribute(name="padding", type="sizes", default=0, axes=axes),
            *more,
            Attribute(name="dilation", type="sizes", default=1, above=0, axes=axes),
            Attribute(name="groups", type="int", default=1, above=0, at_most=LARGEST_SIZE),
            Attribute(name="bias", type="bool", default=True),
        ),
        out_shape=(_transposed_shape if transposed else _conv_shape)(name, axes),
        roles=_roles,
        params=_params(name, axes, transposed=transposed),
        summary=summary,
    )


CONVOLUTIONS: tuple[Op, ...] = (
    _op("conv1d", 1, "z[n,o,l] = Σ_ck w[o,c,k] a[n,c,l·stride + k·dilation - padding] + b[o], zeros around a"),
    _op("conv2d", 2, "the same over two spatial axes; with groups, c is among the channels of o's group alone"),
    _op(
        "conv_transpose2d",
        2,
        "a[n,c,i] w[c,o,k] is added to z[n,o, i·stride + k·dilation - padding]; then + b[o]",
        transposed=True,
    ),
)
