"""Losses of a margin or a distance: hinge, cosine similarity, triplet."""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Attribute, Attributes, Op, Shape
from crosscheck.spec.reductions import ANY, REST, check_reduction, like_output


def _vectors(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not shapes[0]:
        raise SpecError("cosine_similarity needs vectors on the last axis, but its input is a scalar")
    return like_output(attributes, shapes)


def _no_targets(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    if not shapes[0]:
        raise SpecError("triplet needs vectors on the last axis, but its input is a scalar")
    check_reduction(attributes, shapes[0])
    if len(set(shapes)) > 1:
        raise SpecError(f"anchor, positive and negative must have the same shape, not {', '.join(map(str, shapes))}")
    return (0,)


def _at_one(_attributes: Attributes) -> tuple[float, ...]:
    return (1.0,)


def _at_zero(_attributes: Attributes) -> tuple[float, ...]:
    return (0.0,)


def _at_eps(attributes: Attributes) -> tuple[float, ...]:
    return (float(attributes["eps"]),)


MARGINS: tuple[Op, ...] = (
    Op(
        name="hinge",
        kind="loss",
        attributes=(ANY, *REST),
        out_shape=like_output,
        kinks=_at_one,
        places_of="y a",
        summary="max(0, 1 - y a), y = ±1",
    ),
    Op(
        name="cosine_similarity",
        kind="loss",
        attributes=(Attribute(name="eps", type="float", default=1e-8, above=0.0), ANY, *REST),
        out_shape=_vectors,
        kinks=_at_eps,
        places_of="‖a‖",
        per_sample=True,
        summary="1 - a·y / (max(‖a‖, eps) max(‖y‖, eps)) for each sample, vectors on the last axis; where ‖a‖ is below "
        "eps its slope is that of a·y / (eps ‖y‖) (PyTorch's is not)",
    ),
    Op(
        name="triplet",
        kind="loss",
        arity=(3, 3),
        further=("positive", "negative"),
        attributes=(
            Attribute(name="margin", type="float", default=1.0, above=0.0),
            Attribute(name="eps", type="float", default=1e-6, least=0.0),
            ANY,
            *REST,
        ),
        out_shape=_no_targets,
        kinks=_at_zero,
        places_of="the hinge and both distances",
        per_sample=True,
        summary="max(0, ‖a - p + eps‖ - ‖a - n + eps‖ + margin) for each sample of anchor a, positive p and negative "
        "n, vectors on the last axis; it has no targets: their shape is (0,)",
    ),
)
