"""The slope along random signed directions, against what a claimed gradient says of it: g·v, for many entries at once.

Signs are drawn, never all alike: errors that cancel in a sum of entries do not cancel under them. A direction moves
every entry of a tensor by about 1/√n, so that it has about length 1 and no tensor drowns another. All of it is dyadic,
so that hardly any sum θ + hv is rounded, and where one is, g·(what was really taken) is counted.

The slope is extrapolated from central differences at h, h/4, h/16 and h/64, with the budget of `ridders`: truncation
and the noise of the loss. What the rounding of the claimed entries adds to g·v needs no assumption about how these
errors hang together, because the signs are ours: for |eᵢ| ≤ bᵢ, Hoeffding's inequality (1963) bounds Σ ±eᵢ by
√(2 ln(2/p)) · √Σbᵢ² with probability 1 - p, and p is the unit roundoff of float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crosscheck.differences.losses import Joint
from crosscheck.differences.ridders import (
    FIRST_STEP,
    NOISE,
    SENTINEL,
    UNIT,
    ladder,
    neville,
    tiny_steps,
)
from crosscheck.spec.result import Array, Bools, Floats

# Central differences of a direction, each step a quarter of the one before: their range of 64 finds the scale of most
# functions at once, and sixteenfold truncation is lost with every column.
PAIRS, RATIO = 4, 4.0
# √(2 ln(2/p)) with p = 2⁻⁵³.
OF_SIGNS = math.sqrt(2.0 * math.log(2.0 / UNIT))
# Tables that a direction is given, each with smaller steps or larger ones, until its budget does.
TABLES = 4
# The smallest weight of an entry: an eighth of an error is still told from none, and seven eighths are for the places.
LEAST_WEIGHT = 0.125
# The shares of a budget that an error hardly exceeds, one of noise (16 σ and a bound on σ) and one of truncation.
LIKELY, LIKELY_OF_TRUNCATION = 1.0 / 16.0, 1.0 / 2.0
# Numbers in one stacked call.
AT_ONCE = 2**24


class OutOfForwards(Exception):
    """The next measurement would take more forward passes than are left."""


@dataclass(frozen=True)
class Span:
    """Entries of one tensor, start ≤ flat index < stop."""

    tensor: str
    start: int
    stop: int


@dataclass(frozen=True)
class Group:
    """Entries that are tested together, in the order of their spans."""

    spans: tuple[Span, ...]

    @cached_property
    def size(self) -> int:
        return sum(s.stop - s.start for s in self.spans)

    def part(self, first: int, end: int) -> Group:
        """The entries at the positions first ≤ i < end of this group."""
        found, before = [], 0
        for s in self.spans:
            low, high = max(first - before, 0), min(end - before, s.stop - s.start)
            if low < high:
                found.append(Span(s.tensor, s.start + low, s.start + high))
            before += s.stop - s.start
        return Group(tuple(found))

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(s.tensor for s in self.spans)

    def holds(self, tensor: str, index: int) -> bool:
        return any(s.tensor == tensor and s.start <= index < s.stop for s in self.spans)

    def halves(self) -> tuple[Group, Group]:
        """Two groups, parted between tensors where there are several."""
        if len(self.spans) > 1:
            half = len(self.spans) // 2
            return Group(self.spans[:half]), Group(self.spans[half:])
        return self.part(0, self.size // 2), self.part(self.size // 2, self.size)

    def positions(self) -> Iterator[tuple[Span, Array]]:
        before = 0
        for s in self.spans:
            yield s, np.arange(before, before + s.stop - s.start)
            before += s.stop - s.start


@dataclass(frozen=True)
class Slope:
    """Along one direction: g·v as claimed, as measured, and how far apart the two may be (infinite: not answered).

    `likely` is what the error hardly exceeds: no verdict rests on it, and where to look next may.
    """

    claimed: float
    measured: float
    budget: float
    likely: float = math.inf

    @property
    def error(self) -> float:
        return self.claimed - self.measured

    @property
    def answered(self) -> bool:
        return math.isfinite(self.budget)

    @property
    def wrong(self) -> bool:
        return self.answered and not abs(self.error) <= self.budget


class Prober:
    """Measures slopes of a loss around one point and counts its forward passes.

    `at` and `claimed` hold the tensors and their claimed gradients by name, (*shape); `held` how far each claimed entry
    may be off by rounding. The loss (as in `losses`, for one point) answers a stack whose first row is the point
    itself; every row is a forward pass. `spread` is σ of the loss. Raises OutOfForwards beyond `most` passes.
    """

    def __init__(
        self,
        loss: Joint,
        at: Mapping[str, Array],
        claimed: Mapping[str, Array],
        spread: float,
        key: str,
        most: int,
        held: Mapping[str, Array],
    ) -> None:
        self.loss, self.at, self.spread, self.most = loss, at, spread, most
        self.claimed = {k: np.array(claimed[k], np.float64).reshape(-1) for k in at}
        self.held = {k: np.array(held[k], np.float64).reshape(-1) if k in held else np.zeros(at[k].size) for k in at}
        self.seed = int(key[:16], 16)
        # The power of two below 1/√n: a direction of one tensor has about length 1.
        self.unit = {k: 2.0 ** math.floor(-0.5 * math.log2(max(a.size, 1))) for k, a in at.items()}
        # The longest step that served each tensor, of a direction of length 1, and of one entry.
        self.reach, self.alone = dict.fromkeys(at, FIRST_STEP), dict.fromkeys(at, FIRST_STEP)
        self.learned: set[str] = set()
        self.forwards = 0
        self._signs: dict[int, dict[str, Floats]] = {}

    def signs(self, draw: int) -> dict[str, Floats]:
        """For each tensor signed sizes from ½ to 1 in 128ths: two errors of one size hardly ever cancel either."""
        if draw not in self._signs:
            generator = np.random.default_rng([self.seed, draw])
            self._signs[draw] = {k: _signed(generator, a.size) for k, a in self.at.items()}
        return self._signs[draw]

    def direction(self, group: Group, *, weighed: bool = False, draw: int = 0) -> dict[str, Floats]:
        """v by tensor, flat, zero outside the group. `weighed`: the entry at position i counts `weight(i)` times."""
        signs = self.signs(draw)
        found: dict[str, Floats] = {}
        for s, positions in group.positions():
            v = found.setdefault(s.tensor, np.zeros(self.at[s.tensor].size))
            v[s.start : s.stop] = signs[s.tensor][s.start : s.stop] * self.unit[s.tensor]
            if weighed:
                v[s.start : s.stop] *= weight(positions, group.size)
        return found

    def along(self, group: Group, enough: float, *, weighed: bool = False, draw: int = 0) -> Slope:
        """The slope along the group's direction; tables of other steps are asked until the budget is `enough`."""
        v = self.direction(group, weighed=weighed, draw=draw)
        claimed = math.fsum(x for k, part in v.items() for x in (self.claimed[k] * part).tolist())
        rounding = self._rounding(v)
        step = self._first_step(group)
        best, likely = (0.0, math.inf), math.inf
        for _ in range(TABLES):
            value, budget = self._table(v, step)
            following, better = self._next_step(group, step, budget), budget < best[1]
            if budget < best[1]:
                best, likely = (value, budget), budget * self._likely(step, budget)
                self._learn(group, following)
            elif math.isinf(budget):
                self._met_a_kink(following)
            settled = likely / LIKELY + rounding <= enough or following == step or not (better or math.isinf(budget))
            if settled or not self.affords(self.cost(tuple(v), PAIRS)):
                break
            step = following
        return Slope(claimed, best[0], best[1] + rounding, likely + LIKELY * rounding)

    def own(self, tensor: str, index: int) -> Slope:
        """The derivative by one entry: as in `ridders` a sentinel must not contradict it; steps shrink near a kink."""
        v = np.zeros(self.at[tensor].size)
        v[index] = 1.0
        claimed, held = float(self.claimed[tensor][index]), float(self.held[tensor][index])
        # The reach was enlarged after what went well.
        step = min(FIRST_STEP, self.alone[tensor] / RATIO)
        tiny = ladder(*SENTINEL)[[0, -1]]
        D, same, spread = self._central({tensor: v}, np.concatenate([tiny, quarters(step)]))
        sentinel = tiny_steps(D[:2], same[:2], tiny, spread[:2])
        D, same, spread = D[2:], same[2:], spread[2:]
        best = Slope(claimed, 0.0, math.inf)
        for _ in range(TABLES):
            steps = quarters(step)
            value, budget = neville(D, same, steps, spread, sentinel, ratio=RATIO)
            if budget[0] + held < best.budget:
                best = Slope(claimed, float(value[0]), float(budget[0]) + held)
            noise = NOISE * self.spread / step
            if best.wrong or budget[0] <= RATIO**PAIRS * noise or not self.affords(self.cost((tensor,), PAIRS)):
                break
            step /= RATIO ** (2 if math.isfinite(budget[0]) else PAIRS)
            D, same, spread = self._central({tensor: v}, quarters(step))
        return best

    def cost(self, tensors: tuple[str, ...], pairs: int) -> int:
        """Forward passes of so many central differences: two each, and the middle of every stacked call."""
        at_once = self._pairs_at_once(tensors)
        return 2 * pairs + math.ceil(pairs / at_once)

    def affords(self, forwards: int) -> bool:
        return self.forwards + forwards <= self.most

    def _pairs_at_once(self, tensors: tuple[str, ...]) -> int:
        return max(1, AT_ONCE // max(2 * sum(self.at[k].size for k in tensors), 1))

    def _rounding(self, v: Mapping[str, Floats]) -> float:
        """What the claimed entries' rounding, and that of the products g·v, may do to the sum."""
        bounds = [np.abs(part) * (self.held[k] + UNIT * np.abs(self.claimed[k])) for k, part in v.items()]
        squares, plain = sum(float(np.sum(b * b)) for b in bounds), sum(float(np.sum(b)) for b in bounds)
        return min(OF_SIGNS * math.sqrt(squares), plain)

    def _length(self, group: Group) -> float:
        return math.sqrt(sum(self.unit[s.tensor] ** 2 * (s.stop - s.start) for s in group.spans))

    def _first_step(self, group: Group) -> float:
        """The learned reach, longer for a part of a tensor, but less so than its direction is shorter.

        Half of the rows of a matrix move as many units half as often, each as far as all of them do; only of part of a
        row is a unit moved less. Truncation, with the sixth power of the step, forgives no step that is too long.
        """
        reach = min(self.reach[k] for k in group.tensors)
        return reach * 2.0 ** math.floor(-0.5 * math.log2(self._length(group)))

    def _learn(self, group: Group, step: float) -> None:
        """Of a step that may be longer the next group, which is smaller, is given half as much at first."""
        ratio, length = step / self._first_step(group), 2.0 ** math.ceil(math.log2(self._length(group)))
        for k in group.tensors:
            self.reach[k] *= ratio if ratio <= 1.0 else max(ratio / 2.0, 1.0)
            self.alone[k] = step * length
            self.learned.add(k)

    def _met_a_kink(self, following: float) -> None:
        """Where one direction crosses kinks at every step, so will those of the tensors that were not moved yet."""
        for k in self.reach.keys() - self.learned:
            self.reach[k], self.alone[k] = min(self.reach[k], following), min(self.alone[k], following)

    def _next_step(self, group: Group, step: float, budget: float) -> float:
        """Smaller where truncation or a kink decides the budget, larger where noise does.

        The cell that extrapolates twice from the first step carries the noise of the third, h / RATIO², and no cell
        more than that of the last. Beyond it is truncation.
        """
        noise = NOISE * self.spread / step
        if not math.isfinite(budget):
            return step / RATIO**PAIRS
        if budget > RATIO**PAIRS * noise:
            return step / RATIO**2
        longest = FIRST_STEP / max(self.unit[k] for k in group.tensors)
        return max(min(step * RATIO, longest), step) if self._is_noise(step, budget) else step

    def _is_noise(self, step: float, budget: float) -> bool:
        return bool(budget <= RATIO ** (PAIRS - 1.5) * NOISE * self.spread / step)

    def _likely(self, step: float, budget: float) -> float:
        return LIKELY if self._is_noise(step, budget) else LIKELY_OF_TRUNCATION

    def _table(self, v: Mapping[str, Floats], step: float) -> tuple[float, float]:
        steps = quarters(step)
        D, same, spread = self._central(v, steps)
        nothing = (np.zeros(1), np.full(1, np.inf))
        value, budget = neville(D, same, steps, spread, nothing, ratio=RATIO)
        return float(value[0]), float(budget[0])

    def _central(self, v: Mapping[str, Floats], steps: Floats) -> tuple[Floats, Bools, Floats]:
        """D (J, 1) for the direction as it was meant, whether both ends lie on the middle's branch, and σ there."""
        if not self.affords(self.cost(tuple(v), len(steps))):
            raise OutOfForwards
        at_once = self._pairs_at_once(tuple(v))
        parts = [self._pairs(v, steps[k : k + at_once]) for k in range(0, len(steps), at_once)]
        D, same, spread = (np.concatenate([part[i] for part in parts])[:, np.newaxis] for i in range(3))
        # A wider stencil contains every narrower one, and with it the kink that that one crosses.
        wider = steps[:, np.newaxis] >= steps
        return D, ~(wider & ~same[:, 0]).any(axis=1, keepdims=True), spread

    def _pairs(self, v: Mapping[str, Floats], steps: Floats) -> tuple[Floats, Bools, Floats]:
        J, stack, astray = len(steps), {}, np.zeros(len(steps))
        for k, part in v.items():
            base = self.at[k].reshape(-1)
            rows = np.empty((2 * J + 1, base.size))
            rows[0] = base
            for j, h in enumerate(steps):
                rows[1 + j], rows[1 + J + j] = base + h * part, base - h * part
                # Where θ ± hv were rounded, D is the slope along what was really taken.
                taken = (rows[1 + j] - rows[1 + J + j]) / (2.0 * h)
                astray[j] += float(np.dot(self.claimed[k], taken - part))
            stack[k] = rows.reshape(2 * J + 1, 1, *self.at[k].shape)
        answer = self.loss(stack)
        self.forwards += 2 * J + 1
        loss, signature = answer.loss[:, 0], answer.signature[:, 0]
        ends, marks = loss[1:].reshape(2, J), signature[1:].reshape(2, J)
        with np.errstate(all="ignore"):
            spread = np.maximum(self.spread, UNIT * np.abs(ends).max(axis=0))
            D = (ends[0] - ends[1]) / (2.0 * steps) - astray
        return D, (marks == signature[0]).all(axis=0) & np.isfinite(ends).all(axis=0) & np.isfinite(D), spread


def _signed(generator: np.random.Generator, size: int) -> Floats:
    return np.asarray(generator.choice([-1.0, 1.0], size) * generator.integers(64, 129, size) / 128.0, np.float64)


def quarters(step: float) -> Floats:
    """A table's steps."""
    return np.asarray(step * RATIO ** -np.arange(PAIRS), np.float64)


def weight(positions: Array, size: int) -> Floats:
    """From ⅛ to 1 along a group: what an entry's error is multiplied by tells its place, and is never nothing."""
    return np.asarray(LEAST_WEIGHT + positions * weight_step(size), np.float64)


def weight_step(size: int) -> float:
    """The difference of neighbours: seven times a power of two, so many that `size` of them fit."""
    return (1.0 - LEAST_WEIGHT) / 2.0 ** math.ceil(math.log2(max(size, 2)))
