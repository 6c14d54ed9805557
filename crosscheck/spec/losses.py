"""Losses: what is summed, over what, and what the targets look like.

`out_shape` of a loss is the shape of its targets. Reductions: `sum`; `mean`, over all elements (for
softmax_cross_entropy over all samples); `batch_mean`, the sum over elements, mean over the first axis.
`scale` multiplies, always explicitly.

Targets that are classes may be `ignore_index`: such a sample has no say, and a mean is over the others. Where none is
left the mean is 0 (PyTorch's is NaN).

`weighted`: each sample, an element of the first axis of what is summed, counts as often as its weight says, and a
mean is the weighted one: divided by the sum of the weights of what it counts.

`l1` and `l2` add l1 Σ|w| + ½ l2 Σw² over all weights (`Architecture.penalised`), whatever `scale` is.
"""

from __future__ import annotations

from crosscheck.spec.likelihoods import LIKELIHOODS
from crosscheck.spec.margins import MARGINS
from crosscheck.spec.op import Attribute, Attributes, Op
from crosscheck.spec.reductions import ANY, IGNORED, REST, like_output, reduction, with_classes
from crosscheck.spec.reductions import COMMON as COMMON


def _at_zero(_attributes: Attributes) -> tuple[float, ...]:
    return (0.0,)


def _at_delta(attributes: Attributes) -> tuple[float, ...]:
    delta = float(attributes["delta"])
    return (-delta, delta)


LOSSES: tuple[Op, ...] = (
    Op(name="sse", kind="loss", attributes=(ANY, *REST), out_shape=like_output, summary="(a - y)²"),
    Op(
        name="mse",
        kind="loss",
        attributes=(reduction("mean"), *REST),
        out_shape=like_output,
        summary="(a - y)², mean over all elements",
    ),
    Op(
        name="mae",
        kind="loss",
        attributes=(ANY, *REST),
        out_shape=like_output,
        kinks=_at_zero,
        summary="|a - y|",
    ),
    Op(
        name="huber",
        kind="loss",
        attributes=(Attribute(name="delta", type="float", default=1.0, above=0.0), ANY, *REST),
        out_shape=like_output,
        knots=_at_delta,
        summary="½d² for |d| ≤ delta, else delta(|d| - ½delta); d = a - y",
    ),
    Op(
        name="bce_with_logits",
        kind="loss",
        attributes=(ANY, *REST),
        out_shape=like_output,
        summary="max(z,0) - zy + log1p(exp(-|z|)), y in [0, 1]",
    ),
    Op(
        name="softmax_cross_entropy",
        kind="loss",
        attributes=(
            Attribute(name="targets", type="choice", default="classes", choices=("classes", "probabilities")),
            Attribute(name="label_smoothing", type="float", default=0.0, least=0.0, at_most=1.0),
            IGNORED,
            ANY,
            *REST,
        ),
        out_shape=with_classes("softmax_cross_entropy"),
        per_sample=True,
        summary="-Σ_c y_c log_softmax(z)_c for each sample; classes on the last axis; label_smoothing s makes y_c "
        "(1 - s) y_c + s / classes; a class that is ignore_index does not count",
    ),
    Op(
        name="cotangent",
        kind="loss",
        attributes=(reduction("sum"), *REST),
        out_shape=like_output,
        summary="Σ c ∘ a with a drawn c",
    ),
    *LIKELIHOODS,
    *MARGINS,
)
