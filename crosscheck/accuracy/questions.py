"""What is asked: a function of one number z and its derivative, for every activation and loss, as a small network.

An elementwise activation is asked about all points at once; softmax and its like about the rows (z, 0), of which the
first place counts; a loss about one output z and one target at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.errors import UsageError
from crosscheck.spec.notation import parse
from crosscheck.spec.op import Op, Value
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Array, Floats, Gradients

Shape = Literal["elementwise", "rows", "loss", "class"]

# On rows (z, 0).
VECTORS = ("softmax", "log_softmax")
CLASSES = "softmax_cross_entropy"
# Those of any one output and any one target, and of logits.
LOSSES = ("sse", "mse", "mae", "huber", "bce_with_logits", CLASSES, "cotangent")


@dataclass(frozen=True)
class Question:
    """`op` with those of its attributes that are not the spec's defaults; `name` is both, as the notation has them."""

    op: str
    attributes: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.op}({', '.join(f'{k}={v}' for k, v in self.attributes)})" if self.attributes else self.op

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
        """Where its formula changes: of z, for a loss of z - y."""
        return tuple(sorted({*self.spec.kinks(self.complete), *self.spec.knots(self.complete)}))


def questions(ops: Sequence[str] | None = None) -> tuple[Question, ...]:
    """All of them in the spec's order, or those about these ops. Raises UsageError for what is no such op."""
    known = [op for op in OPS.values() if op.kind == "activation" or op.name in LOSSES]
    names = [op.name for op in known]
    for name in ops or ():
        if name not in names:
            raise UsageError(f"--ops: {name!r} is no activation and no loss; they are {', '.join(names)}")
    return tuple(q for op in known if ops is None or op.name in ops for q in _variants(op))


def _variants(op: Op) -> Iterator[Question]:
    """The defaults, and each other way to compute a function that is not linear in its parameters."""
    yield Question(op.name)
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
