"""Layers that select: dropout by a mask, which is part of the case, and embedding by whole numbers.

A mask that keeps nothing leaves zeros, and ∂C/∂a is 0. An id out of range is refused when the case is made, as by
PyTorch; JAX's indexing would take the nearest row instead. A row that no id names has the slope 0.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, MASK, NUMBERS, Attribute, Attributes, Op, Shape, Slot

TRAINING = "training"


def _dropout_slots(_attributes: Attributes, count: int) -> tuple[Slot, ...]:
    return (NUMBERS, MASK)[:count]


def _dropout_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    mode, further = attributes["mode"], shapes[1:]
    if mode != TRAINING and further:
        raise SpecError(f"dropout(mode={mode}) keeps everything; it takes one input, not {len(shapes)}")
    if mode == TRAINING and further != shapes[:1]:
        raise SpecError(
            f"dropout(mode={mode}) takes a mask of shape {shapes[0]}, that of its input, not "
            f"{' and '.join(map(str, further)) or 'none'}"
        )
    return shapes[0]


def _ids(attributes: Attributes, count: int) -> tuple[Slot, ...]:
    return (Slot("int64", below=int(attributes["num"])),) * count


SELECTIONS: tuple[Op, ...] = (
    Op(
        name="dropout",
        kind="layer",
        attributes=(
            Attribute(name="p", type="float", default=0.5, least=0.0, at_most=1.0),
            Attribute(name="mode", type="choice", default=TRAINING, choices=(TRAINING, "evaluation")),
        ),
        arity=(1, 2),
        slots=_dropout_slots,
        out_shape=_dropout_shape,
        summary="a/(1 - p) where the mask, a second input, is true, else 0; of p=1 nothing is left, whatever the mask; "
        "in evaluation a itself",
    ),
    Op(
        name="embedding",
        kind="layer",
        attributes=(
            Attribute(name="num", type="int", above=0, at_most=LARGEST_SIZE),
            Attribute(name="dim", type="int", above=0, at_most=LARGEST_SIZE),
        ),
        slots=_ids,
        out_shape=lambda attributes, shapes: (*shapes[0], int(attributes["dim"])),
        roles=lambda _: ("weight",),
        params=lambda attributes, _: {"weight": (int(attributes["num"]), int(attributes["dim"]))},
        summary="row i of weight (num, dim) for each whole number i of the input, 0 to num - 1",
    ),
)
