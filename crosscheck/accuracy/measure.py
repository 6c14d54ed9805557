"""The survey: every question, in every dtype, to every implementation, at the same points; the worst of them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crosscheck import __version__
from crosscheck.accuracy import errors, points
from crosscheck.accuracy.implementations import IMPLEMENTATIONS, answer
from crosscheck.accuracy.questions import Question, questions
from crosscheck.accuracy.truth import Exact, truth
from crosscheck.oracles import ball
from crosscheck.spec.atlas import SCHEMA, Atlas, Column
from crosscheck.spec.errors import OracleUnavailable
from crosscheck.spec.result import Floats

DTYPES = ("float64", "float32")
POINTS = 6000
# Rounds in which the points around the worst ones are asked about too.
ROUNDS = 2
# g = z S(z).
GATES = ("silu", "mish", "gelu")
# g' = s(z) - y.
MINUS_TARGET = ("bce_with_logits", "poisson_nll")


@dataclass(frozen=True, eq=False)
class Asked:
    """One question in one dtype: the points, the truth there, and what each implementation says (or why not)."""

    question: Question
    dtype: str
    z: Floats
    y: Floats
    truth: tuple[Exact, Exact]
    said: dict[str, tuple[Floats, Floats]]
    missing: dict[str, str]

    @property
    def targets(self) -> Floats | None:
        return self.y if self.question.shape == "loss" else None

    def off(self, name: str, *, by_term: bool = False) -> tuple[Floats, Floats]:
        """Errors of value and slope in ulps; of the slope's larger term, where it is a sum and that is asked."""
        value, slope = self.said[name]
        size = self.larger_term() if by_term else None
        return errors.in_ulps(value, self.truth[0], self.dtype), errors.in_ulps(slope, self.truth[1], self.dtype, size)

    def larger_term(self) -> Floats | None:
        """Of a slope that is a sum, from g, g' and y; None for any other: of z S(z) S and z S', of s - y both."""
        (value, slope) = (part.nearest for part in self.truth)
        with np.errstate(all="ignore"):
            if self.question.op in GATES:
                gate = value / self.z
                return np.maximum(np.abs(gate), np.abs(slope - gate))
            if self.question.op == "bce":
                return np.maximum(self.y / self.z, (1.0 - self.y) / (1.0 - self.z))
            if self.question.op == "poisson_nll" and not self.question.complete["log_input"]:
                return np.maximum(np.abs(slope - 1.0), 1.0)
            if self.question.op in MINUS_TARGET:
                return np.maximum(np.abs(slope + self.y), np.abs(self.y))
        return None

    def joined(self, other: Asked) -> Asked:
        def both(name: str) -> tuple[Floats, Floats]:
            return (
                np.concatenate([self.said[name][0], other.said[name][0]]),
                np.concatenate([self.said[name][1], other.said[name][1]]),
            )

        return Asked(
            self.question,
            self.dtype,
            np.concatenate([self.z, other.z]),
            np.concatenate([self.y, other.y]),
            (self.truth[0].joined(other.truth[0]), self.truth[1].joined(other.truth[1])),
            {name: both(name) for name in self.said},
            self.missing,
        )


def atlas(
    ops: Sequence[str] | None = None,
    dtypes: Sequence[str] = DTYPES,
    count: int = POINTS,
    progress: Callable[[int, int, str], None] | None = None,
) -> Atlas:
    """The atlas of these ops (all where None), with about `count` points for an activation.

    `progress` is told how many of how many are done, and what is next. Raises OracleUnavailable without
    python-flint, UsageError for an unknown op and OracleCrashed for what a framework raises.
    """
    asked = [(question, dtype) for question in questions(ops) for dtype in dtypes]
    _require_truth()
    columns: list[Column] = []
    for done, (question, dtype) in enumerate(asked):
        if progress is not None:
            progress(done, len(asked), f"{question.name}, {dtype}")
        columns.extend(_columns(survey(question, dtype, count)))
    return Atlas(
        schema=SCHEMA,
        version=__version__,
        truth=ball.Ball.name,
        seed=points.SEED,
        asked=count,
        edges=errors.EDGES,
        columns=tuple(columns),
    )


def _require_truth() -> None:
    try:
        ball.Ball()
    except OracleUnavailable as error:
        raise OracleUnavailable(f"without certified truth there is nothing to hold anybody against: {error}") from None


def survey(question: Question, dtype: str, count: int) -> Asked:
    """Everybody's answers at the drawn points, and around the worst of each."""
    z, y = points.drawn(question, dtype, count)
    size = len(z)
    found = _ask(question, dtype, z, y, size, {})
    for _ in range(ROUNDS):
        off = [np.nan_to_num(e, nan=-1.0, posinf=1e300) for name in found.said for e in found.off(name, by_term=True)]
        more = points.around(question, dtype, found.z, found.y, off)
        found = found.joined(_ask(question, dtype, *more, size, found.missing))
    return found


def _ask(question: Question, dtype: str, z: Floats, y: Floats, size: int, missing: dict[str, str]) -> Asked:
    said, missing = {}, dict(missing)
    for name in IMPLEMENTATIONS:
        if name not in missing:
            try:
                said[name] = answer(name, question, dtype, z, y, size)
            except OracleUnavailable as error:
                missing[name] = str(error)
    return Asked(question, dtype, z, y, truth(question, z, y), said, missing)


def _columns(asked: Asked) -> Iterator[Column]:
    for name in IMPLEMENTATIONS:
        if name in asked.missing:
            yield Column(op=asked.question.name, implementation=name, dtype=asked.dtype, missing=asked.missing[name])
        else:
            yield _column(asked, name)


def _column(asked: Asked, name: str) -> Column:
    (value, slope), (true_value, true_slope) = asked.said[name], asked.truth
    z, dtype = asked.z, asked.dtype
    off_value, off_slope = asked.off(name)
    by_term = None if asked.larger_term() is None else asked.off(name, by_term=True)[1]
    return Column(
        op=asked.question.name,
        implementation=name,
        dtype=dtype,
        value=errors.errors(off_value, true_value, z, asked.targets, dtype),
        slope=errors.errors(off_slope, true_slope, z, asked.targets, dtype),
        by_term=None if by_term is None else errors.errors(by_term, true_slope, z, asked.targets, dtype),
        absolute=None if asked.question.is_loss else errors.absolute(slope, true_slope, z, dtype),
        lost_values=errors.lost(value, true_value, z, dtype),
        lost_slopes=errors.lost(slope, true_slope, z, dtype),
        curve=errors.curve(off_slope, z),
    )
