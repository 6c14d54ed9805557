"""A tape of elementary operations on balls: each step knows how an adjoint passes back through it.

A variable is a flat list of balls, in C order; shapes are the walk's business. Local derivatives of functions of
one number come from series (`branches`); what is left are sums, products and the movement of data, whose adjoints
need no calculus: a gather's is a scatter that adds, a product's two products.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, mul, sub
from typing import Any

from flint import arb_mat

from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.oracles.ball.branches import ONE, ZERO, Kink, Row, evaluate
from crosscheck.spec.op import Attributes, Shape

NO_ATTRIBUTES: Attributes = {}


@dataclass(frozen=True, eq=False)
class Variable:
    """Balls with a place on the tape."""

    balls: Balls

    def __len__(self) -> int:
        return len(self.balls)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a row is applied: attributes, shapes of its inputs and its output.

    `indices` holds, by the position of the input, those that are whole numbers or masks, flat; `widths` says from
    how far a place of the first input, where a slope jumps, still counts.
    """

    attributes: Attributes
    in_shapes: tuple[Shape, ...]
    out_shape: Shape
    indices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    widths: Sequence[float] | None = None


# How a row that is no function of one number is asked: `row(tape, place, inputs, params)`, params by role; all flat.
Composition = Callable[["Tape", Place, tuple[Variable, ...], Mapping[str, Variable]], Variable]
# Given the adjoint of a step's result, and whether hulls count as the one number picked from each: what it adds to
# the adjoints of the step's operands.
Pull = Callable[[Balls, bool], Iterator[tuple[Variable, Balls]]]


class Tape:
    """Operations recorded as they run. `jumps`, `unsettled`, `beside` as in `branches.Evaluated`, of all steps so far.

    `kinks` are the exact ones, by step. With `right` the slope that is picked at each of them is that on its right
    where it is among these, counted from 0 as they are met, else that on its left.
    """

    def __init__(self, right: Collection[int] | None = None) -> None:
        self._steps: list[tuple[Variable, Pull]] = []
        self._right = right
        self.jumps = self.unsettled = self.beside = False
        self.kinks: list[tuple[Kink, ...]] = []

    def _record(self, balls: Balls, pull: Pull) -> Variable:
        made = Variable(balls)
        self._steps.append((made, pull))
        return made

    def sweep(self, last: Variable, upstream: Balls | None = None, *, picked: bool = False) -> dict[Variable, Balls]:
        """The adjoint of every variable that `last` depends on: ∂(Σ upstream ∘ last) / ∂variable."""
        adjoints = {last: upstream or [ONE] * len(last)}
        for made, pull in reversed(self._steps):
            if made not in adjoints:
                continue
            for operand, part in pull(adjoints[made], picked):
                known = adjoints.get(operand)
                adjoints[operand] = part if known is None else list(map(add, known, part))
        return adjoints

    def apply(
        self, row: Row, x: Variable, attributes: Attributes = NO_ATTRIBUTES, widths: Sequence[float] | None = None
    ) -> Variable:
        """A function of one number, on each."""
        found = evaluate(row, x.balls, attributes, widths, self.picks())
        self.jumps |= found.jumps
        self.unsettled |= found.unsettled
        self.beside |= found.beside
        if found.kinks:
            self.kinks.append(found.kinks)

        def pull(da: Balls, picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, list(map(mul, da, found.picked if picked else found.slopes))

        return self._record(found.values, pull)

    def picks(self) -> Callable[[int], bool] | None:
        """Of the kinks of the next step, whether the slope on the right is picked."""
        right, before = self._right, sum(map(len, self.kinks))
        return None if right is None else lambda n: before + n in right

    def add(self, x: Variable, y: Variable) -> Variable:
        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, d
            yield y, d

        return self._record(list(map(add, x.balls, y.balls)), pull)

    def subtract(self, x: Variable, y: Variable) -> Variable:
        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, d
            yield y, [-v for v in d]

        return self._record(list(map(sub, x.balls, y.balls)), pull)

    def multiply(self, x: Variable, y: Variable) -> Variable:
        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, list(map(mul, d, y.balls))
            yield y, list(map(mul, d, x.balls))

        return self._record(list(map(mul, x.balls, y.balls)), pull)

    def shift(self, x: Variable, constants: Balls) -> Variable:
        """x minus constants."""

        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, d

        return self._record(list(map(sub, x.balls, constants)), pull)

    def scale(self, x: Variable, constants: Balls) -> Variable:
        """x times constants."""

        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, list(map(mul, d, constants))

        return self._record(list(map(mul, x.balls, constants)), pull)

    def product(self, x: Variable, y: Variable, inner: int) -> Variable:
        """The matrix product x yᵀ of x (rows, inner) and y (columns, inner): (rows, columns)."""
        rows, columns = len(x) // inner, len(y) // inner
        left, right = arb_mat(rows, inner, x.balls), arb_mat(columns, inner, y.balls)

        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            upstream = arb_mat(rows, columns, d)
            yield x, (upstream * right).entries()
            yield y, (upstream.transpose() * left).entries()

        return self._record((left * right.transpose()).entries(), pull)

    def sums(self, x: Variable, groups: int) -> Variable:
        """The sum of each of so many groups of neighbours; of empty groups where x is empty."""
        size = len(x) // groups
        totals = [sum(x.balls[i * size : (i + 1) * size], ZERO) for i in range(groups)]

        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            yield x, [v for v in d for _ in range(size)]

        return self._record(totals, pull)

    def gather(self, index: Sequence[int], *xs: Variable) -> Variable:
        """Whatever only moves data: element i is that at `index[i]` of all xs end to end; one may be taken twice."""
        pool = [ball for x in xs for ball in x.balls]

        def pull(d: Balls, _picked: bool) -> Iterator[tuple[Variable, Balls]]:
            total: Balls = [None] * len(pool)
            for i, v in zip(index, d, strict=True):
                known = total[i]
                total[i] = v if known is None else known + v
            start = 0
            for x in xs:
                part = total[start : start + len(x)]
                start += len(x)
                yield x, [ZERO if v is None else v for v in part]

        return self._record([pool[i] for i in index], pull)

    def combine(self, values: Balls, x: Variable, parts: Sequence[Sequence[tuple[int, Any, Any]]]) -> Variable:
        """Numbers that are `values`; `parts` says for each by which entries of x it moves.

        (entry, its slope, one number out of that slope where it is a hull).
        """

        def pull(d: Balls, picked: bool) -> Iterator[tuple[Variable, Balls]]:
            total = [ZERO] * len(x)
            for upstream, moving in zip(d, parts, strict=True):
                for i, slope, one in moving:
                    total[i] += upstream * (one if picked else slope)
            yield x, total

        return self._record(values, pull)
