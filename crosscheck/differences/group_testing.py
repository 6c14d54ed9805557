"""Which entries of a large claimed gradient are wrong, found with few forward passes: directions, then group testing.

First a random signed direction for each tensor (for a few of them together, where there are many). The error of one,
r = Σ vᵢeᵢ with e = claimed - true, is nothing but the budget where all its entries are right. Where it is more:

- *weighed*: the direction again with its i-th entry times wᵢ, from ⅛ to 1. If one entry alone is wrong, the two errors
  have the ratio wᵢ, and that is its place, as closely as the budgets allow; again among those few, until it stands
  alone;
- *confirmed*: only its own derivative, with the table of `ridders`, calls an entry wrong. The claimed value is then
  replaced by the measured one, and what is left of r must be explained;
- *halved*: where several are wrong (the ratio is none, or the entry is right), each half is a group of its own;
- *all of it*: where claimed and measured slope have one and the same ratio along three directions, the group is wrong
  by that factor; where entries that are drawn blindly are wrong, it is wrong throughout. No indices are hunted then.

No verdict rests on a direction alone: a group whose error was seen and not traced to an entry is told as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from crosscheck.differences.directions import (
    LEAST_WEIGHT,
    PAIRS,
    Group,
    OutOfForwards,
    Prober,
    Slope,
    Span,
    weight,
    weight_step,
)
from crosscheck.differences.hunted import Direction, Hunted, Spread, WrongEntry
from crosscheck.differences.losses import Joint
from crosscheck.spec.result import Array, Floats

# A wrong entry this small, relative to a typical one of its tensor, is what a direction is to see (that of
# `judge.compare.UNINFORMATIVE`): it says only when steps are worth another try.
WORTH_SEEING = 1e-3
# Entries drawn blindly from a group in which several are wrong. Of n entries with k wrong ones all hit with (k/n)².
DRAWN = 2
# A group is drawn from again when it has shrunk so far since.
DRAWN_AGAIN = 64
# The part of an error that its budget may be: with what is likely of that a place is found to a tenth of the group.
WORTH_WEIGHING = 1.0 / 2.0
# And where two errors are to have one factor: what differs by hardly more than its budget has any.
CLEAR = 1.0 / 16.0
# Of the distance of two places: far more than rounding does to a ratio, far less than tells them apart.
SLACK = 2.0**-10
# Larger than any gradient whose sum over a tensor is a number.
LARGEST = 2.0**900
# Of all forward passes, the share that the first directions may take.
FIRST_SHARE = 3


def search(
    loss: Joint,
    at: Mapping[str, Array],
    claimed: Mapping[str, Array],
    spread: float,
    key: str,
    *,
    held: Mapping[str, Array] | None = None,
    most_forwards: int = 100,
) -> Hunted:
    """The wrong entries of `claimed`, the gradient at `at` (both by tensor, (*shape)), in so many forward passes.

    `loss` answers stacks (K, 1, *shape) of some of the tensors, the first row being the point itself; each row is a
    forward pass. `spread` is σ of the loss, `held` what rounding may do to each claimed entry (and to the loss's own
    slope by it). `key`, sixteen hexadecimal digits or more, seeds the signs.
    """
    return _Hunt(Prober(loss, at, claimed, spread, key, most_forwards, held or {})).run()


@dataclass(frozen=True)
class _Suspect:
    """A group and its error, less that of the first `found` entries; the size at which it was last drawn from."""

    group: Group
    error: float
    budget: float
    likely: float
    found: int = 0
    drawn_at: float = math.inf

    @property
    def wrong(self) -> bool:
        return math.isfinite(self.budget) and not abs(self.error) <= self.budget

    @property
    def clearness(self) -> float:
        return abs(self.error) / self.budget if self.budget > 0 else math.inf


@dataclass(frozen=True)
class Sized:
    """What one wrong entry adds to an error: its sign, and between which sizes it likely lies (least > most: none)."""

    sign: float
    least: float
    most: float

    @classmethod
    def of(cls, error: float, likely: float) -> Sized:
        return cls(math.copysign(1.0, error), max(abs(error) - likely, 0.0), abs(error) + likely)

    @classmethod
    def by_weight(cls, weighed: Slope, weights: Floats) -> Sized:
        """From the error under weights between these two."""
        found = cls.of(weighed.error, weighed.likely)
        return cls(found.sign, found.least / float(weights[1]), found.most / float(weights[0]))

    def too(self, other: Sized) -> Sized:
        return Sized(self.sign, max(self.least, other.least), min(self.most, other.most))

    @property
    def none(self) -> bool:
        return self.least > self.most


class _Hunt:
    def __init__(self, probe: Prober) -> None:
        self.probe = probe
        self.wrong: list[WrongEntry] = []
        self.spread: list[Spread] = []
        self.untraced: list[Group] = []
        self.unasked: list[Group] = []
        self.directions: list[Direction] = []
        self.exhausted = False

    def run(self) -> Hunted:
        pending = sorted(self._first_round(), key=lambda s: s.clearness)
        while pending:
            suspect = pending.pop()
            try:
                pending += self._pursued(suspect)
            except OutOfForwards:
                self.exhausted = True
                left = self._without_the_found(suspect)
                self.untraced += [left.group] if left.wrong else []
        return Hunted(
            tuple(self.wrong),
            tuple(self.spread),
            tuple(self.untraced),
            tuple(self.unasked),
            tuple(self.directions),
            self.probe.forwards,
            self.exhausted,
        )

    # The first round: every entry is moved.

    def _first_round(self) -> list[_Suspect]:
        self._set_aside_what_is_no_number()
        suspects = []
        for group in self._first_groups():
            try:
                slope = self.probe.along(group, self._enough(group))
            except OutOfForwards:
                self.exhausted = True
                self.unasked.append(group)
                continue
            self.directions.append(Direction(group.tensors, slope, self._seen(group, slope)))
            if not slope.answered:
                self.unasked.append(group)
            elif slope.wrong:
                suspects.append(_Suspect(group, slope.error, slope.budget, slope.likely))
        return suspects

    def _first_groups(self) -> list[Group]:
        """One for each tensor, or neighbours together where a direction for each takes too many forward passes."""
        spans = [Span(k, 0, a.size) for k, a in self.probe.at.items() if a.size]
        each = self.probe.cost(tuple(self.probe.at), PAIRS)
        fit = max(1, self.probe.most // (FIRST_SHARE * each))
        parts = np.array_split(np.arange(len(spans)), min(fit, len(spans)) or 1)
        return [Group(tuple(spans[i] for i in part)) for part in parts if part.size]

    def _set_aside_what_is_no_number(self) -> None:
        """A claimed NaN or infinity is wrong if the derivative exists: one is confirmed, and none is in any sum."""
        for tensor, claimed in self.probe.claimed.items():
            strange = np.flatnonzero(~(np.abs(claimed) < LARGEST))
            values = claimed[strange]
            claimed[strange] = 0.0
            self.unasked += [Group((Span(tensor, int(i), int(i) + 1),)) for i in strange[1:]]
            if strange.size:
                self._set_aside(tensor, int(strange[0]), float(values[0]))

    def _set_aside(self, tensor: str, index: int, value: float) -> None:
        try:
            own = self.probe.own(tensor, index)
        except OutOfForwards:
            own, self.exhausted = Slope(value, 0.0, math.inf), True
        if own.answered:
            self._found(tensor, index, replace(own, claimed=value))
        else:
            self.unasked.append(Group((Span(tensor, index, index + 1),)))

    def _typical(self, tensor: str) -> float:
        return float(np.sqrt(np.mean(np.square(self.probe.claimed[tensor])))) * self.probe.unit[tensor]

    def _enough(self, group: Group) -> float:
        sizes = [size for k in group.tensors if (size := self._typical(k)) > 0]
        return 0.5 * WORTH_SEEING * min(sizes, default=0.0)

    def _seen(self, group: Group, slope: Slope) -> dict[str, float]:
        sizes = {k: self._typical(k) for k in group.tensors}
        return {k: 2.0 * slope.budget / size if size > 0 else math.inf for k, size in sizes.items()}

    # Then what the directions accuse.

    def _pursued(self, suspect: _Suspect) -> list[_Suspect]:
        """One step towards the entries: what remains to be pursued of the group."""
        group = suspect.group
        if group.size == 1:
            if self._confirmed(group) is None:
                self.untraced.append(group)
            return []
        weighed = self.probe.along(group, abs(suspect.error) * WORTH_WEIGHING, weighed=True)
        factor = self._common_factor(suspect, weighed)
        if factor is not None:
            self.spread.append(Spread(group, factor))
            return []
        position = self._alone(suspect, weighed)
        if position is not None and self._confirmed(group.part(position, position + 1)) is not None:
            left = self._without_the_found(suspect)
            return [left] if left.wrong else []
        if len(group.spans) == 1 and group.size * DRAWN_AGAIN <= suspect.drawn_at:
            if self._drawn_wrong(group):
                self.spread.append(Spread(group, None))
                return []
            # One of them may have been.
            suspect = replace(suspect, drawn_at=group.size)
        return self._halved(self._without_the_found(suspect))

    def _alone(self, suspect: _Suspect, weighed: Slope) -> int | None:
        """The position of the one wrong entry, if one alone explains the errors so far; else None.

        Of that entry alone each error tells how large it is as well, the better the fewer places are left.
        """
        low, inner, size = 0, suspect.group, Sized.of(suspect.error, suspect.likely)
        blurred = True
        while weighed.answered:
            place = _place(size, weighed, inner.size)
            if place is None:
                return None
            first, end = place
            if end - first == 1:
                return low + first
            if end - first > inner.size // 2:
                # Halves tell as much, unless it is the budget of a larger group that blurs the ratio.
                if inner is suspect.group or not blurred:
                    return None
                plain = self.probe.along(inner, size.least * WORTH_WEIGHING)
                size, blurred = size.too(Sized.of(plain.error, plain.likely)), False
                if not plain.wrong or size.none:
                    return None
                continue
            size, blurred = size.too(Sized.by_weight(weighed, weight(np.array(place) - (0, 1), inner.size))), True
            if size.none:
                return None
            low, inner = low + first, inner.part(first, end)
            weighed = self.probe.along(inner, size.least * WORTH_WEIGHING, weighed=True)
        return None

    def _common_factor(self, suspect: _Suspect, weighed: Slope) -> float | None:
        """claimed / measured where it is one number along this direction, the weighed one, and one of other signs."""
        first = self._slope_of(suspect)
        if not (_clear(first) and _clear(weighed) and _same_factor(first, weighed)):
            return None
        other = self.probe.along(suspect.group, abs(suspect.error) * WORTH_WEIGHING, draw=1)
        if not (_clear(other) and _same_factor(first, other) and _same_factor(weighed, other)):
            return None
        best = max((first, weighed, other), key=lambda s: abs(s.measured) / s.budget if s.budget else math.inf)
        return best.claimed / best.measured

    def _slope_of(self, suspect: _Suspect) -> Slope:
        v = self.probe.direction(suspect.group)
        claimed = sum(float(np.dot(self.probe.claimed[k], part)) for k, part in v.items())
        return Slope(claimed, claimed - suspect.error, suspect.budget)

    def _confirmed(self, single: Group) -> WrongEntry | None:
        """The group's one entry, where its own derivative says that it is wrong."""
        span = single.spans[0]
        own = self.probe.own(span.tensor, span.start)
        return self._found(span.tensor, span.start, own) if own.wrong else None

    def _found(self, tensor: str, index: int, own: Slope) -> WrongEntry:
        found = WrongEntry(tensor, index, own.claimed, own.measured, own.budget)
        self.wrong.append(found)
        self.probe.claimed[tensor][index] = own.measured
        self.probe.held[tensor][index] = own.budget
        return found

    def _without_the_found(self, suspect: _Suspect) -> _Suspect:
        """The group's error now that the entries found since are claimed as they were measured: no forward pass."""
        signs, error, budget = self.probe.signs(0), suspect.error, suspect.budget
        for found in self.wrong[suspect.found :]:
            if suspect.group.holds(found.tensor, found.index):
                v = float(signs[found.tensor][found.index]) * self.probe.unit[found.tensor]
                error -= v * (found.claimed - found.derivative)
                budget += abs(v) * found.budget
        return replace(suspect, error=error, budget=budget, found=len(self.wrong))

    def _drawn_wrong(self, group: Group) -> bool:
        """Whether all entries that are drawn blindly are wrong."""
        generator = np.random.default_rng([self.probe.seed, group.size])
        drawn = generator.choice(group.size, min(DRAWN, group.size), replace=False)
        return all(self._confirmed(group.part(int(i), int(i) + 1)) is not None for i in drawn)

    def _halved(self, suspect: _Suspect) -> list[_Suspect]:
        """The halves that are wrong: one is measured, and the other has the rest of the error."""
        left, right = suspect.group.halves()
        enough, found, drawn_at = abs(suspect.error) * WORTH_WEIGHING, len(self.wrong), suspect.drawn_at
        slope = self.probe.along(left, enough)
        first = _Suspect(left, slope.error, slope.budget, slope.likely, found, drawn_at)
        rest = _Suspect(
            right,
            suspect.error - slope.error,
            suspect.budget + slope.budget,
            suspect.likely + slope.likely,
            found,
            drawn_at,
        )
        if not slope.answered or not (first.wrong or rest.wrong):
            slope = self.probe.along(right, enough)
            rest = _Suspect(right, slope.error, slope.budget, slope.likely, found, drawn_at)
        wrong = [half for half in (first, rest) if half.wrong]
        if not wrong:
            self.untraced.append(suspect.group)
        return sorted(wrong, key=lambda s: s.clearness)


def _place(size: Sized, weighed: Slope, count: int) -> tuple[int, int] | None:
    """Positions first ≤ i < end that one wrong entry of this size may have; None where no place explains the error."""
    if not (math.isfinite(weighed.error) and 0.0 < size.most < math.inf):
        return None
    seen = Sized.of(weighed.error, weighed.likely)
    if seen.sign != size.sign and seen.least > 0:
        return None
    most = min(seen.most / size.least, 1.0) if size.least > 0 else 1.0
    step = weight_step(count)
    # Of the last digits of a ratio no place is to depend.
    first = math.ceil((seen.least / size.most - LEAST_WEIGHT) / step - SLACK)
    end = math.floor((most - LEAST_WEIGHT) / step + SLACK) + 1
    first, end = max(first, 0), min(end, count)
    return (first, end) if first < end else None


def _clear(slope: Slope) -> bool:
    """Whether the error stands clear of its budget: what differs by hardly more has any factor."""
    return slope.answered and slope.budget <= CLEAR * abs(slope.error)


def _same_factor(a: Slope, b: Slope) -> bool:
    """Whether claimed / measured is one number along both, as far as their budgets tell, and both are clear."""
    if not (abs(a.measured) > a.budget and abs(b.measured) > b.budget):
        return False
    apart = abs(a.claimed * b.measured - b.claimed * a.measured)
    return apart <= abs(a.claimed) * b.budget + abs(b.claimed) * a.budget
