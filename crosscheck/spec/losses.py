"""Losses: what is summed, over what, and what the targets look like.

`out_shape` of a loss is the shape of its targets. Reductions: `sum`; `mean`, over all elements (for
softmax_cross_entropy over all samples); `batch_mean`, the sum over elements, mean over the first axis.
`scale` multiplies, always explicitly.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape

_SCALE = Attribute(name="scale", type="float", default=1.0)


def _reduction(*choices: str) -> Attribute:
    return Attribute(name="reduction", type="choice", default=choices[0], choices=choices)


_ANY = _reduction("sum", "mean", "batch_mean")


def _check_reduction(attributes: Attributes, shape: Shape) -> None:
    if attributes["reduction"] == "batch_mean" and len(shape) < 2:
        raise SpecError(
            f"reduction=batch_mean takes the mean over the first of at least two axes, but the output has shape {shape}"
        )


def _like_output(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    _check_reduction(attributes, shapes[0])
    return shapes[0]


def _classes(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not shapes[0]:
        raise SpecError("softmax_cross_entropy needs classes on the last axis, but its input is a scalar")
    _check_reduction(attributes, shapes[0])
    return shapes[0][:-1] if attributes["targets"] == "classes" else shapes[0]


def _at_zero(_attributes: Attributes) -> tuple[float, ...]:
    return (0.0,)


def _at_delta(attributes: Attributes) -> tuple[float, ...]:
    delta = float(attributes["delta"])
    return (-delta, delta)


LOSSES: tuple[Op, ...] = (
    Op(name="sse", kind="loss", attributes=(_ANY, _SCALE), out_shape=_like_output, summary="(a - y)²"),
    Op(
        name="mse",
        kind="loss",
        attributes=(_reduction("mean"), _SCALE),
        out_shape=_like_output,
        summary="(a - y)², mean over all elements",
    ),
    Op(
        name="mae",
        kind="loss",
        attributes=(_ANY, _SCALE),
        out_shape=_like_output,
        kinks=_at_zero,
        summary="|a - y|",
    ),
    Op(
        name="huber",
        kind="loss",
        attributes=(Attribute(name="delta", type="float", default=1.0, above=0.0), _ANY, _SCALE),
        out_shape=_like_output,
        knots=_at_delta,
        summary="½d² for |d| ≤ delta, else delta(|d| - ½delta); d = a - y",
    ),
    Op(
        name="bce_with_logits",
        kind="loss",
        attributes=(_ANY, _SCALE),
        out_shape=_like_output,
        summary="max(z,0) - zy + log1p(exp(-|z|)), y in [0, 1]",
    ),
    Op(
        name="softmax_cross_entropy",
        kind="loss",
        attributes=(
            Attribute(name="targets", type="choice", default="classes", choices=("classes", "probabilities")),
            _ANY,
            _SCALE,
        ),
        out_shape=_classes,
        summary="-Σ_c y_c log_softmax(z)_c for each sample; classes on the last axis",
    ),
    Op(
        name="cotangent",
        kind="loss",
        attributes=(_reduction("sum"), _SCALE),
        out_shape=_like_output,
        summary="Σ c ∘ a with a drawn c",
    ),
)
