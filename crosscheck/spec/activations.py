"""What each activation is called, which attributes it has and where its derivative jumps."""

from __future__ import annotations

from crosscheck.spec.axes import AXIS, checked_axis
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape, ShapeRule


def _at_zero(_attributes: Attributes) -> tuple[float, ...]:
    return (0.0,)


def _elu_kinks(attributes: Attributes) -> tuple[float, ...]:
    return () if attributes["alpha"] == 1.0 else (0.0,)


def _clip_kinks(attributes: Attributes) -> tuple[float, ...]:
    return (float(attributes["min_val"]), float(attributes["max_val"]))


def _clip_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not float(attributes["min_val"]) < float(attributes["max_val"]):
        raise SpecError(
            f"hardtanh has min_val={attributes['min_val']} and max_val={attributes['max_val']}; "
            "min_val must be below max_val"
        )
    return shapes[0]


def _along_an_axis(op: str) -> ShapeRule:
    def shape_rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        checked_axis(op, attributes["axis"], shapes[0])
        return shapes[0]

    return shape_rule


ACTIVATIONS: tuple[Op, ...] = (
    Op(name="identity", kind="activation", summary="a = z"),
    Op(name="relu", kind="activation", kinks=_at_zero, summary="a = max(z, 0)"),
    Op(name="tanh", kind="activation", summary="a = tanh z"),
    Op(name="sigmoid", kind="activation", summary="a = 1 / (1 + exp(-z))"),
    Op(
        name="leaky_relu",
        kind="activation",
        attributes=(Attribute(name="negative_slope", type="float", default=0.01),),
        kinks=_at_zero,
        summary="a = z for z > 0, else negative_slope z",
    ),
    Op(
        name="gelu",
        kind="activation",
        attributes=(Attribute(name="approximate", type="choice", default="none", choices=("none", "tanh")),),
        summary="a = z Φ(z); tanh: a = z/2 (1 + tanh(√(2/π)(z + 0.044715 z³)))",
    ),
    Op(name="silu", kind="activation", summary="a = z sigmoid(z)"),
    Op(name="softplus", kind="activation", summary="a = log(1 + exp z)"),
    Op(
        name="elu",
        kind="activation",
        attributes=(Attribute(name="alpha", type="float", default=1.0, above=0.0),),
        kinks=_elu_kinks,
        knots=_at_zero,
        summary="a = z for z > 0, else alpha (exp z - 1)",
    ),
    Op(
        name="celu",
        kind="activation",
        attributes=(Attribute(name="alpha", type="float", default=1.0, above=0.0),),
        knots=_at_zero,
        summary="a = z for z > 0, else alpha (exp(z / alpha) - 1)",
    ),
    Op(name="selu", kind="activation", kinks=_at_zero, summary="a = λ elu(z, α), λ ≈ 1.0507, α ≈ 1.6733"),
    Op(name="mish", kind="activation", summary="a = z tanh(softplus z)"),
    Op(name="softsign", kind="activation", knots=_at_zero, summary="a = z / (1 + |z|)"),
    Op(
        name="hardtanh",
        kind="activation",
        attributes=(
            Attribute(name="min_val", type="float", default=-1.0),
            Attribute(name="max_val", type="float", default=1.0),
        ),
        out_shape=_clip_shape,
        kinks=_clip_kinks,
        summary="a = min(max(z, min_val), max_val)",
    ),
    Op(
        name="hardsigmoid",
        kind="activation",
        kinks=lambda _: (-3.0, 3.0),
        summary="a = min(max(z/6 + 1/2, 0), 1)",
    ),
    Op(name="log_sigmoid", kind="activation", summary="a = -log(1 + exp(-z))"),
    Op(name="sin", kind="activation", summary="a = sin z"),
    Op(
        name="softmax",
        kind="activation",
        attributes=(AXIS,),
        out_shape=_along_an_axis("softmax"),
        summary="a_j = exp z_j / Σ_k exp z_k, over an axis",
    ),
    Op(
        name="log_softmax",
        kind="activation",
        attributes=(AXIS,),
        out_shape=_along_an_axis("log_softmax"),
        summary="a_j = z_j - log Σ_k exp z_k, over an axis",
    ),
)
