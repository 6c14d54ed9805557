"""One function of one number at a ball: which of its branches the ball touches, its values, its slopes.

A row holds a value formula for each stretch between its places, in FLINT's series arithmetic: at z + ε the
constant coefficient is the value and that of ε the slope, so no derivative is written down. Where a ball, or what
lies within a given width of it, touches several stretches, the slope is the hull of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flint import arb, arb_series

from crosscheck.oracles.ball.arithmetic import Balls
from crosscheck.spec.op import Attributes, Places, nowhere

Series = Any
Formula = Callable[[Series, Attributes], Series]
ZERO, ONE = arb(0), arb(1)
UNKNOWN = (arb.nan(), arb.nan())


@dataclass(frozen=True)
class Row:
    """Formulas from left to right, and the places, ascending, at which one gives way to the next."""

    formulas: tuple[Formula, ...]
    places: Places = nowhere


@dataclass(frozen=True, eq=False)
class Kink:
    """An element that stands exactly on a place where the slope jumps, and the slopes on both sides of it."""

    element: int
    at: Any
    left: Any
    right: Any


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Values and slopes of a row at some balls.

    `picked` is `slopes` with one number in the place of each hull. `jumps` says that there is a hull of slopes that
    differ, `unsettled` that a higher precision might leave fewer branches in one, `kinks` which of the hulls are those
    of exactly two stretches at the place where they meet; `beside` that there are others.
    """

    values: Balls
    slopes: Balls
    picked: Balls
    jumps: bool = False
    unsettled: bool = False
    kinks: tuple[Kink, ...] = ()
    beside: bool = False


def row(*formulas: Formula, at: Places = nowhere) -> Row:
    return Row(formulas, at)


def evaluate(
    row_: Row,
    balls: Sequence[Any],
    attributes: Attributes,
    widths: Sequence[float] | None,
    right: Callable[[int], bool] | None = None,
) -> Evaluated:
    """The row at each ball; `widths` says from how far a place still counts for the slope.

    At the n-th exact kink the slope on its right is picked where `right(n)`, else that on its left; None picks the
    middle.
    """
    places = row_.places(attributes)
    if not places:
        return _smooth(row_.formulas[0], balls, attributes)
    pieces = _Pieces(row_.formulas, tuple(arb(p) for p in places), attributes, right)
    values, slopes, picked = [], [], []
    for i, (z, width) in enumerate(zip(balls, widths or (0.0,) * len(balls), strict=True)):
        value, slope, one = pieces.at(i, z, ZERO if width == 0.0 else arb(width))
        values.append(value)
        slopes.append(slope)
        picked.append(one)
    return Evaluated(values, slopes, picked, pieces.jumps, pieces.unsettled, tuple(pieces.kinks), pieces.beside)


def _smooth(formula: Formula, balls: Sequence[Any], attributes: Attributes) -> Evaluated:
    found = [_at(formula, z, attributes) for z in balls]
    slopes = [s[1] for s in found]
    return Evaluated([s[0] for s in found], slopes, slopes)


def _at(formula: Formula, z: Any, attributes: Attributes) -> Series:
    """The formula at z + ε; unknown where the ball is so wide that a divisor might be 0, which more bits will mend."""
    try:
        return formula(arb_series([z, ONE]), attributes)
    except ValueError:
        if z.is_exact():
            raise
        return UNKNOWN


class _Pieces:
    """The formulas of a row with places, and what was met while they were asked."""

    def __init__(
        self,
        formulas: Sequence[Formula],
        places: tuple[Any, ...],
        attributes: Attributes,
        right: Callable[[int], bool] | None,
    ) -> None:
        self._formulas, self._places, self._attributes, self._right = formulas, places, attributes, right
        self.jumps = self.unsettled = self.beside = False
        self.kinks: list[Kink] = []

    def at(self, element: int, z: Any, width: Any) -> tuple[Any, Any, Any]:
        """Value, slope, and one slope out of the hull."""
        away = [z - place for place in self._places]
        # Closed stretches: at a place both sides are touched.
        first = sum(1 for d in away if d > width)
        last = len(away) - sum(1 for d in away if d < -width)
        if first == last:
            value, slope = self._on(first, z)
            return value, slope, slope
        values, slopes = [], []
        for i in range(first, last + 1):
            left_of_it, right_of_it = i > 0 and away[i - 1] < 0, i < len(away) and away[i] > 0
            # A stretch within the width alone has no say in the value; its slope is that at its near end.
            if left_of_it or right_of_it:
                slopes.append(self._on(i, self._places[i - 1] if left_of_it else self._places[i])[1])
                continue
            value, slope = self._on(i, z)
            values.append(value)
            slopes.append(slope)
        return union(values), *self._hull(slopes, away[first:last], width, element, z)

    def _on(self, i: int, z: Any) -> tuple[Any, Any]:
        found = _at(self._formulas[i], z, self._attributes)
        return found[0], found[1]

    def _hull(self, slopes: Balls, away: Balls, width: Any, element: int, z: Any) -> tuple[Any, Any]:
        """The hull of the slopes on the stretches that meet at these places, and one slope out of it."""
        hull = union(slopes)
        if all(a.overlaps(b) for a, b in pairwise(slopes)):
            return hull, hull
        self.jumps = True
        # No precision changes what is decided by an exact distance, or by one that is surely within the width.
        self.unsettled |= not all(d.is_exact() or abs(d) <= width for d in away)
        if len(away) > 1 or not away[0].is_zero():
            self.beside = True
            return hull, hull.mid()
        self.kinks.append(Kink(element, z, *slopes))
        if self._right is None:
            return hull, hull.mid()
        return hull, slopes[1] if self._right(len(self.kinks) - 1) else slopes[0]


def union(balls: Sequence[Any]) -> Any:
    """The hull of balls."""
    result = balls[0]
    for ball in balls[1:]:
        result = result.union(ball)
    return result
