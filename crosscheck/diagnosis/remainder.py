"""What a claimed gradient leaves of a loss's change along one random direction, and the record of its slope.

Where the arbiter can evaluate the loss, that asked for or a constant multiple of it, the remainder is exact: rounding
hides nothing, and an error of 1e-12 shows its slope of 1 as clearly as one of 1. Otherwise, and for any other loss of
the subject's own, it is taken in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crosscheck.backprop import network
from crosscheck.differences import losses, ridders
from crosscheck.differences.taylor import MIDWAY, TaylorSlope, from_remainders, taylor
from crosscheck.spec.case import Case
from crosscheck.spec.protocols import Certifier
from crosscheck.spec.record import Taylor, number
from crosscheck.spec.result import Array, Bools, Floats
from crosscheck.tolerance.bounds import bound

# h = 2⁻³, 2⁻⁶ … 2⁻⁷⁸: an error of ε shows where h is below ε by as much as the loss is curved, and one rounding of a
# float64 is 2⁻⁵³. Exact remainders stand clear of rounding far below where those of float64 drown.
EXACT_STEPS = np.ldexp(1.0, -3 * np.arange(1, 27))
# Components of a direction are ± 512/1024 … 1024/1024: no two errors of one size cancel each other by their signs.
PARTS = 1024


class NoSlope(Exception):
    """There is no slope to take; the text says why, in words that follow "no slope:"."""


@dataclass(frozen=True, eq=False)
class Claim:
    """Somebody's gradients at one point, by tensor, and what rounding may do to each entry.

    `noise` is infinite where nothing was claimed, or nothing can be said. `name` is a witness's, None the subject's.
    """

    name: str | None
    gradients: Mapping[str, Array]
    noise: Mapping[str, Floats]

    def only(self, wrong: Mapping[str, Bools]) -> Claim:
        """What has been found wrong of it: rounding explains none of that, and the rest is not in question."""
        return Claim(self.name, self.gradients, {k: np.where(wrong[k], 0.0, np.inf) for k in self.gradients})

    def times(self, factor: float) -> Claim:
        """The same of a loss that is `factor` times as large."""
        return Claim(
            self.name,
            {k: factor * g.astype(np.float64) for k, g in self.gradients.items()},
            {k: abs(factor) * n for k, n in self.noise.items()},
        )


@dataclass(frozen=True, eq=False)
class Question:
    """Some tensors of one point of a case in float64, and the random direction along which they move together."""

    case: Case
    point: int
    direction: Mapping[str, Array]

    @classmethod
    def of(cls, case: Case, point: int, accused: Claim, trusted: Claim | None) -> Question:
        """Entries of which one of the two has nothing to say do not move. Raises NoSlope where the accused is lost."""
        generator = np.random.default_rng(int(case.key[:16], 16))
        claims = [accused] if trusted is None else [accused, trusted]
        direction = {}
        for name, gradient in accused.gradients.items():
            signs = generator.choice([-1.0, 1.0], size=gradient.shape)
            sizes = generator.integers(PARTS // 2, PARTS + 1, size=gradient.shape) / PARTS
            known = np.logical_and.reduce([np.isfinite(claim.noise[name]) for claim in claims])
            direction[name] = np.where(known, signs * sizes, 0.0)
            lost = known & ~np.isfinite(gradient)
            if lost.any():
                what = "NaN" if np.isnan(gradient[lost]).any() else "an infinity"
                whose = "the subject" if accused.name is None else accused.name
                raise NoSlope(f"{whose}'s gradient of {name} holds {what}")
        if not any(v.any() for v in direction.values()):
            raise NoSlope("no entry of the gradient can be held against anything")
        return cls(case.astype("float64"), point, direction)

    def noise(self, claim: Claim) -> float:
        """What rounding may do to g·v: no error of the gradient."""
        return float(sum(np.sum(np.abs(v[v != 0]) * claim.noise[k][v != 0]) for k, v in self.direction.items()))


Slope = Callable[[Question, Claim], TaylorSlope]
# The slope of a trusted gradient, taken where it is needed.
Measure = Callable[[], TaylorSlope]


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss whose remainders can be taken: the one asked for or the subject's own, exactly or in float64."""

    slope: Slope
    whose: Literal["asked", "own"] = "asked"
    factor: float | None = None
    exact: bool = False

    def record(
        self, question: Question, accused: Claim, trusted: Claim | None, measure: Measure | None = None
    ) -> Taylor:
        """The slopes with the gradient in question and with a trusted one, if there is one.

        Without one, the trusted slope of another loss of the same network may be the `measure` of its steps.
        """
        reference = None if trusted is None else self.slope(question, trusted)
        known = measure if reference is None else lambda: reference
        claimed = small_enough(self.slope(question, accused), known)
        return Taylor(
            claimed=claimed.slope,
            reference=None if reference is None else reference.slope,
            reference_name=None if trusted is None else trusted.name,
            steps=claimed.steps,
            claimed_remainders=tuple(number(r) for r in claimed.remainders),
            reference_remainders=() if reference is None else tuple(number(r) for r in reference.remainders),
            claimed_vanishes=claimed.vanishes,
            reference_vanishes=reference is not None and reference.vanishes,
            loss=self.whose,
            factor=self.factor,
            tensors=tuple(question.direction),
            exact=self.exact,
        )


def small_enough(claimed: TaylorSlope, measure: Measure | None) -> TaylorSlope:
    """The slope, unless noise left it no steps but large ones, over which not even the right one is 2."""
    if measure is None or claimed.slope is None or claimed.slope >= MIDWAY or claimed.fitted is None:
        return claimed
    trusted = measure()
    if trusted.slope is None or trusted.slope < MIDWAY or trusted.fitted is None:
        return claimed
    low, high = claimed.fitted
    there = trusted.over(low, high) if low >= trusted.fitted[0] else None
    return replace(claimed, slope=None) if there is not None and there < MIDWAY else claimed


def exactly(arbiter: Certifier, factor: float | None = None) -> Loss:
    """The loss that was asked for, by ball arithmetic; or the subject's own, where it is `factor` times that.

    Claims are of the loss that was asked for: to multiply what is proved would round it.
    """
    scale = 1.0 if factor is None else abs(factor)

    def slope(question: Question, claim: Claim) -> TaylorSlope:
        found = arbiter.remainders(question.case, question.point, question.direction, claim.gradients, EXACT_STEPS)
        return from_remainders(EXACT_STEPS, scale * found, scale * EXACT_STEPS * question.noise(claim))

    return Loss(slope, "asked" if factor is None else "own", factor, exact=True)


def in_float64(case: Case, point: int, model: str | None, own: Callable[[Case], Array] | None = None) -> Loss:
    """The sound loss, or the subject's `own`: evaluated at the one point, a step away from it and on it.

    `model` is the error model of who computes it. What the own one raises, it raises.
    """
    part = case.take([point]).astype("float64")
    function = losses.sound(part) if own is None else losses.own(part, own)
    # A step away from a point of symmetry equal roundings cancel no more; and who computes may lose all it is allowed.
    found = bound(part, "float64", model, alike=False)
    spread = max(float(found.loss_spread[0]), float(found.gradients.loss[0]) / ridders.NOISE)
    asked = abs(float(found.centre.loss[0]))

    def slope(question: Question, claim: Claim) -> TaylorSlope:
        noise = spread if own is None else _of_another(spread, asked, function, part, question.direction)
        base = {**part.params, **part.inputs}
        return taylor(function, base, claim.gradients, question.direction, 0, noise, question.noise(claim))

    return Loss(slope, "asked" if own is None else "own")


def _of_another(spread: float, asked: float, function: losses.Joint, part: Case, names: Iterable[str]) -> float:
    """σ of a loss that may be another than the one asked for: it rounds by its own size, and once at the least.

    Where the one asked for is 0, nothing is known of how another rounds but by the size of the output that it is made
    of: a difference of numbers of that size may be left.
    """
    base = {**part.params, **part.inputs}
    size = abs(float(function({name: base[name][np.newaxis] for name in names}).loss[0, 0]))
    if asked == 0 < size:
        tape = network.forward(part.architecture, part.params, part.inputs, part.targets, weights=part.weights)
        size = max(size, *(float(np.abs(tape.value(link)).max()) for link in part.architecture.loss.inputs))
    larger = size / asked if asked > 0 else 1.0
    return float(max(spread * max(larger, 1.0), ridders.UNIT * size))
