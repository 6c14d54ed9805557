"""Losses that are the negative logarithm of a probability, or made of those.

What they take is what PyTorch's functions of the same names take: `bce` probabilities, above 0 and below 1, `nll` and
`kl_div` their logarithms, `gaussian_nll` a mean and a variance, a second input of the same shape, `focal` logits.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import NUMBERS, Attribute, Attributes, Op, Shape, Slot
from crosscheck.spec.reductions import ANY, IGNORED, REST, check_reduction, like_output, with_classes

PROBABILITIES = Slot(positive=True, under=1.0)


def _probabilities(_attributes: Attributes, _count: int) -> tuple[Slot, ...]:
    return (PROBABILITIES,)


def _counts(attributes: Attributes, _count: int) -> tuple[Slot, ...]:
    return (NUMBERS if attributes["log_input"] else Slot(positive=True),)


def _mean_and_variance(_attributes: Attributes, _count: int) -> tuple[Slot, ...]:
    return (NUMBERS, Slot(positive=True))


def _like_both(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    check_reduction(attributes, shapes[0])
    if shapes[0] != shapes[1]:
        raise SpecError(f"mean and variance must have the same shape, not {shapes[0]} and {shapes[1]}")
    return shapes[0]


def _at_eps(attributes: Attributes) -> tuple[float, ...]:
    return (float(attributes["eps"]),)


LIKELIHOODS: tuple[Op, ...] = (
    Op(
        name="bce",
        kind="loss",
        attributes=(ANY, *REST),
        slots=_probabilities,
        out_shape=like_output,
        summary="-(y log a + (1-y) log(1-a)), a and y probabilities; 0 log 0 is 0",
    ),
    Op(
        name="nll",
        kind="loss",
        attributes=(
            Attribute(name="targets", type="choice", default="classes", choices=("classes",)),
            IGNORED,
            ANY,
            *REST,
        ),
        out_shape=with_classes("nll"),
        per_sample=True,
        summary="-a_y for each sample, a log-probabilities, classes on the last axis; a class that is ignore_index "
        "does not count",
    ),
    Op(
        name="kl_div",
        kind="loss",
        attributes=(Attribute(name="log_target", type="bool", default=False), ANY, *REST),
        out_shape=like_output,
        summary="y (log y - a), a log-probabilities, y probabilities (with log_target their logarithms); 0 log 0 is 0; "
        "reduction=mean is over all elements",
    ),
    Op(
        name="poisson_nll",
        kind="loss",
        attributes=(
            Attribute(name="log_input", type="bool", default=True),
            Attribute(name="eps", type="float", default=1e-8, above=0.0),
            ANY,
            *REST,
        ),
        slots=_counts,
        out_shape=like_output,
        summary="exp(a) - y a, a the logarithm of the expected count; without log_input a - y log(a + eps)",
    ),
    Op(
        name="gaussian_nll",
        kind="loss",
        arity=(2, 2),
        further=("var",),
        slots=_mean_and_variance,
        attributes=(Attribute(name="eps", type="float", default=1e-6, above=0.0), ANY, *REST),
        out_shape=_like_both,
        kinks=_at_eps,
        places_of="the variance",
        summary="½(log v + (a - y)²/v), v the variance, at least eps: below it ∂/∂(variance) is 0 (PyTorch's is not)",
    ),
    Op(
        name="focal",
        kind="loss",
        attributes=(
            Attribute(name="alpha", type="float", default=0.25, least=-1.0, at_most=1.0),
            Attribute(name="gamma", type="float", default=2.0, least=0.0),
            ANY,
            *REST,
        ),
        out_shape=like_output,
        summary="α_t q^gamma bce_with_logits(z, y), q = p(1-y) + (1-p)y, p = sigmoid(z), y in [0, 1], α_t = alpha y + "
        "(1-alpha)(1-y), or 1 where alpha is negative; torchvision's sigmoid_focal_loss",
    ),
)
