"""The points: dense where functions bend, log-spaced to both ends of the range, beside every kink; the worst again.

All of them are numbers of the dtype, drawn from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crosscheck.accuracy.questions import Question
from crosscheck.spec.result import Floats

SEED = 20240229
NEAR = 40.0
# Of a loss fewer points are asked, because each is a network of its own.
LOSSES = 4


def _share(rng: np.random.Generator, n: int) -> Floats:
    """In [0, 1], half of them at its ends."""
    return np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), rng.random(n))


# Where a target is not any number. Between 0 and 1 focal's slope is a difference that may be 0 anywhere; from 3 on so
# is the value of poisson_nll, and at 2 it is a third of its terms.
TARGETS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "bce_with_logits": _share,
    "bce": _share,
    "focal": lambda rng, n: rng.integers(0, 2, n).astype(np.float64),
    "hinge": lambda rng, n: rng.choice([-1.0, 1.0], n),
    "poisson_nll": lambda rng, n: rng.integers(0, 2, n).astype(np.float64),
}

# How many of the worst points of one implementation are asked about again, and how often each.
WORST, AGAIN = 8, 12


def drawn(question: Question, dtype: str, count: int) -> tuple[Floats, Floats]:
    """z and the targets y, without the places where the formula changes; about `count` of them, z ascending."""
    rng = np.random.default_rng(SEED)
    z = _spread(rng, dtype, count // LOSSES if question.is_loss else count)
    z = np.concatenate([z, _beside(question.places, z)]) if not question.is_loss else _taken(question, z)
    y = _targets(question, z, rng)
    return _admissible(question, dtype, z, y)


def _spread(rng: np.random.Generator, dtype: str, count: int) -> Floats:
    limits = np.finfo(dtype)
    least, most = np.log10(float(limits.tiny)), np.log10(float(limits.max)) - 1e-3
    edge = -np.log(float(limits.smallest_subnormal)) * 1.02  # exp(-edge) is less than any number of the dtype
    part = count // 20
    logs = [
        rng.uniform(-10, 0, 2 * part),
        rng.uniform(least, -10, part),
        rng.uniform(np.log10(NEAR), 5, part),
        rng.uniform(5, most, part),
        np.arange(np.ceil(least), np.floor(most), max(1.0, (most - least) / part)),
    ]
    ends = [float(limits.smallest_subnormal), float(limits.tiny), float(limits.max) / 2, float(limits.max)]
    sizes = np.concatenate([10.0 ** np.concatenate(logs), ends, ends])
    signs = rng.choice([-1.0, 1.0], len(sizes))
    signs[-len(ends) :], signs[-2 * len(ends) : -len(ends)] = 1.0, -1.0
    return np.concatenate(
        [
            rng.uniform(-NEAR, NEAR, 9 * part),
            rng.uniform(-6.0, 6.0, 3 * part),
            rng.choice([-1.0, 1.0], 2 * part) * rng.uniform(NEAR, edge, 2 * part),
            rng.choice([-1.0, 1.0], part) * np.sqrt(rng.uniform(1.0, 2.0 * edge, part)),
            signs * sizes,
        ]
    )


def _taken(question: Question, z: Floats) -> Floats:
    """The numbers that a loss takes: all, those above 0, or those between 0 and 1, towards both of which they crowd."""
    slot = question.takes
    if not slot.positive:
        return z
    size = np.abs(z)
    if slot.under == np.inf:
        return size
    return np.concatenate([np.where(z < 0, 1.0, size) / (1.0 + size), 1.0 - 2.0 ** -np.arange(1.0, 54.0)])


def _beside(places: Sequence[float], z: Floats) -> Floats:
    """Points at both sides of each place, at distances of every size."""
    share = max(4, len(z) // 40)
    away = 10.0 ** np.linspace(-12, 0, share)
    found = [place + sign * away for place in places for sign in (-1.0, 1.0)]
    return np.concatenate(found) if found else np.empty(0)


def _targets(question: Question, z: Floats, rng: np.random.Generator) -> Floats:
    """Of a loss: far from z and near it, or of the kind that it takes."""
    n = len(z)
    if question.shape != "loss":
        return np.zeros(n)
    if question.op in TARGETS:
        return TARGETS[question.op](rng, n)
    near = z * (1.0 - 10.0 ** rng.uniform(-7, 0, n))
    return np.where(rng.random(n) < 0.5, rng.uniform(-NEAR, NEAR, n), near)


def _admissible(question: Question, dtype: str, z: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Rounded to the dtype; without what is too large for it, and what lies on a place."""
    with np.errstate(over="ignore"):
        z, y = (a.astype(dtype).astype(np.float64) for a in (z, y))
    pairs = np.unique(np.stack([z, y], axis=-1), axis=0)
    z, y = pairs.T
    kept = np.isfinite(z) & np.isfinite(y)
    with np.errstate(over="ignore"):
        kept &= ~np.isin(question.placed(z, y), question.places)
    if question.takes.positive:
        kept &= (z > 0) & (z < question.takes.under)
    return z[kept], y[kept]


def around(question: Question, dtype: str, z: Floats, y: Floats, errors: Sequence[Floats]) -> tuple[Floats, Floats]:
    """New points near the worst ones of each of these errors, one list for each implementation and quantity."""
    rng = np.random.default_rng([SEED, len(z)])
    worst = np.unique(np.concatenate([np.argsort(-e, kind="stable")[:WORST] for e in errors]))
    places = np.repeat(worst, AGAIN)
    away = rng.choice([-1.0, 1.0], len(places)) * 10.0 ** rng.uniform(-6, -1, len(places))
    with np.errstate(over="ignore"):
        return _admissible(question, dtype, z[places] * (1.0 + away), y[places])
