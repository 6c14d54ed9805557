"""What is asked: a function of one number z and its derivative, for every activation and loss, as a small network.

An elementwise activation is asked about all points at once; softmax and its like about the rows (z, 0), of which the
first place counts; a loss about one output z and one target at a time. What is no function of one number, or none to be
inaccurate in, is not asked: `NOT_ASKED` says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.errors import UsageError
from crosscheck.spec.notation import parse
from crosscheck.spec.op import Op, Slot, Value
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Array, Floats, Gradients

Shape = Literal["elementwise", "rows", "loss", "class"]

# On rows (z, 0).
VECTORS = ("softmax", "log_softmax")
CLASSES = "softmax_cross_entropy"
# Those of one output and one target.
# fmt: off
LOSSES = (
    "sse", "mse", "mae", "huber", "bce_with_logits", CLASSES, "cotangent", "bce", "poisson_nll", "focal", "hinge",
)
# fmt: on
# Of losses: other formulas than that of the defaults.
OTHERS: dict[str, tuple[tuple[str, Value], ...]] = {"poisson_nll": (("log_input", False),)}
# What one might look for in vain, and why.
NOT_ASKED = {
    "nll": "the slope is -1 and the value -a: nothing is computed",
    "kl_div": "linear in a: the slope is minus a target, and the value is 0, a difference, where the loss is least",
    "gaussian_nll": "a mean and a variance: two numbers, not one; its value is 0, a difference, on a curve of them",
    "cosine_similarity": "of two vectors: of one number it is 0 or 2",
    "triplet": "of three vectors: of three numbers it is linear",
    "prelu": "a product with a weight, which is rounded once",
    "glu": "of two numbers, one of them in a sigmoid, which is asked about",
    "swiglu": "of two numbers, one of them in a silu, which is asked about",
    "logsumexp": "of a vector: on rows (z, 0) it is softplus, with softmax for a slope, and both are asked about",
    "norm": "of a vector: of one number it is its size",
}


@dataclass(frozen=True)
class Question:
    """`op` with those of its attributes that are not the spec's defaults; `name` is both, as the notation has them."""

    op: str
    attributes: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.op}({', '.join(f'{k}={_said(v)}' for k, v in self.attributes)})" if self.attributes else self.op

    @property
    def spec(self) -> Op:
        return OPS[self.op]

    @property
    def shape(self) -> Shape:
        if self.spec.kind == "loss":
            return "class" if self.op == CLASSES else "loss"
        return "rows" if self.op in VECTORS else "elementwise"

    @property
    def is_loss(self) -> bool:
        return self.spec.kind == "loss"

    @property
    def complete(self) -> dict[str, Value]:
        """All attributes."""
        return dict(self.spec.complete(dict(self.attributes), self.name))

    @property
    def places(self) -> tuple[float, ...]:
        """Where its formula changes: of z, for a loss of `placed`."""
        return tuple(sorted({*self.spec.kinks(self.complete), *self.spec.knots(self.complete)}))

    @property
    def takes(self) -> Slot:
        """What z may be."""
        return self.spec.slots(self.complete, 1)[0]

    def placed(self, z: Floats, y: Floats) -> Floats:
        """What may lie on a place: z - y, or what the spec has in its stead; y is 0 where there is no target."""
        return z * y if self.spec.places_of == "y a" else z - y


def _said(value: Value) -> str:
    """As the notation has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def questions(ops: Sequence[str] | None = None) -> tuple[Question, ...]:
    """All of them in the spec's order, or those about these ops. Raises UsageError for what is no such op."""
    known = [op for op in OPS.values() if op.kind == "activation" or op.name in LOSSES]
    names = [op.name for op in known]
    for name in ops or ():
        if name in NOT_ASKED:
            raise UsageError(f"--ops: {name} is not asked about: {NOT_ASKED[name]}")
        if name not in names:
            raise UsageError(f"--ops: {name!r} is no activation and no loss; they are {', '.join(names)}")
    return tuple(q for op in known if ops is None or op.name in ops for q in _variants(op))


def _variants(op: Op) -> Iterator[Question]:
    """The defaults, and each other way to compute a function that is not linear in its parameters."""
    yield Question(op.name)
    yield from (Question(op.name, (other,)) for other in OTHERS.get(op.name, ()))
    if op.kind == "activation":
        for attribute in op.attributes:
            yield from (
                Question(op.name, ((attribute.name, choice),))
                for choice in attribute.choices
                if choice != attribute.default
            )


def case(question: Question, dtype: str, z: Floats, y: Floats) -> Case:
    """The network that asks about these points; every number must be one of the dtype."""
    n = len(z)
    wide, zeros = z.astype(dtype), np.zeros(n, dtype)
    rows = np.stack([wide, zeros], axis=-1)
    if question.shape == "elementwise":
        text = f"x[{n}] -> {question.name} -> cotangent"
        return Case(parse(text), {}, {"x": wide[np.newaxis]}, np.ones((1, n), dtype), dtype)
    if question.shape == "rows":
        first = np.broadcast_to(np.array([1.0, 0.0], dtype), (1, n, 2))
        return Case(parse(f"x[{n},2] -> {question.name} -> cotangent"), {}, {"x": rows[np.newaxis]}, first, dtype)
    if question.shape == "class":
        return Case(parse(f"x[2] -> {question.name}"), {}, {"x": rows}, np.zeros(n, np.int64), dtype)
    return Case(
        parse(f"x[1] -> {question.name}"), {}, {"x": wide[:, np.newaxis]}, y.astype(dtype)[:, np.newaxis], dtype
    )


def read(question: Question, answer: Gradients) -> tuple[Floats, Floats]:
    """Value and slope at each point, out of the answer to its case."""
    slope, outputs = answer.by_input["x"], answer.outputs
    if question.is_loss:
        return _wide(answer.loss), _wide(slope[:, 0])
    assert outputs is not None
    if question.shape == "rows":
        return _wide(outputs[0, :, 0]), _wide(slope[0, :, 0])
    return _wide(outputs[0]), _wide(slope[0])


def _wide(array: Array) -> Floats:
    return array.astype(np.float64)
