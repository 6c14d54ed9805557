"""What all losses have in common: the reduction, the scale, weights of the samples, penalties."""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, Attribute, Attributes, Shape, ShapeRule

REST = (
    Attribute(name="scale", type="float", default=1.0),
    Attribute(name="weighted", type="bool", default=False),
    Attribute(name="l1", type="float", default=0.0, least=0.0),
    Attribute(name="l2", type="float", default=0.0, least=0.0),
)
# Of every loss: what the walk reads, and no rule of a loss.
COMMON = ("reduction", *(attribute.name for attribute in REST))


def reduction(*choices: str) -> Attribute:
    return Attribute(name="reduction", type="choice", default=choices[0], choices=choices)


ANY = reduction("sum", "mean", "batch_mean")
IGNORED = Attribute(name="ignore_index", type="int", default=-100, least=-LARGEST_SIZE, at_most=LARGEST_SIZE)


def check_reduction(attributes: Attributes, shape: Shape) -> None:
    """Raises SpecError where the output has no rows to take the mean over."""
    if attributes["reduction"] == "batch_mean" and len(shape) < 2:
        raise SpecError(
            f"reduction=batch_mean takes the mean over the first of at least two axes, but the output has shape {shape}"
        )


def like_output(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    check_reduction(attributes, shapes[0])
    return shapes[0]


def with_classes(op: str) -> ShapeRule:
    """The shape of the targets of a loss with classes on the last axis of its input."""

    def rule(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
        if not shapes[0]:
            raise SpecError(f"{op} needs classes on the last axis, but its input is a scalar")
        check_reduction(attributes, shapes[0])
        return shapes[0][:-1] if attributes["targets"] == "classes" else shapes[0]

    return rule
