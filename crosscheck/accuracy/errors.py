"""From what was said and what is true to the figures of the atlas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscheck.accuracy.truth import Exact
from crosscheck.spec.atlas import Errors, Lost, Worst
from crosscheck.spec.record import Number, number
from crosscheck.spec.result import Floats

Indices = NDArray[np.int64]

# Stretches with 0 for what is not 0 are many where every other number underflows: the largest losses are kept.
MOST_STRETCHES = 4

# Edges of the curve: tenths of a decade where functions bend, thirds on both sides of that.
_SIDE = 10.0 ** np.concatenate([np.arange(-12, -3) / 3, np.arange(-10, 30) / 10, np.arange(9, 13) / 3])
EDGES: tuple[float, ...] = tuple(float(f"{e:.4g}") for e in (*-_SIDE[::-1], *_SIDE))


def ulp(true: Floats, dtype: str) -> Floats:
    """A unit in the last place of numbers of this size; below the smallest normal number, the smallest number."""
    limits = np.finfo(dtype)
    smallest = int(np.log2(float(limits.smallest_subnormal)))
    exponent = np.where(true == 0, smallest, np.frexp(true)[1] - (limits.nmant + 1))
    found: Floats = np.ldexp(1.0, np.maximum(exponent, smallest))
    return found


def in_ulps(found: Floats, true: Exact, dtype: str, size: Floats | None = None) -> Floats:
    """Errors in ulps of the true number, or of `size`. Infinite where NaN was said; NaN where nothing is to be said:
    the truth is not known, at a kink, or beyond the dtype."""
    nearest = true.nearest
    off = true.distance(found, ulp(nearest if size is None else size, dtype))
    off = np.where(np.isnan(found) | np.isnan(off), np.inf, off)
    beyond = ~(np.abs(nearest) <= float(np.finfo(dtype).max))
    return np.where(beyond, np.nan, off)


def errors(off: Floats, true: Exact, z: Floats, y: Floats | None, dtype: str) -> Errors | None:
    """The largest and the median; None where no point has an error."""
    said = ~np.isnan(off)
    if not said.any():
        return None
    tiny = float(np.finfo(dtype).tiny)
    normal = np.where((np.abs(true.nearest) >= tiny) & ((np.abs(z) >= tiny) | (z == 0)), off, np.nan)
    return Errors(
        points=int(said.sum()),
        worst=worst(off, z, y),
        normal=None if np.isnan(normal).all() else worst(normal, z, y),
        median=number(float(np.median(off[said]))),
    )


def worst(off: Floats, z: Floats, y: Floats | None) -> Worst:
    i = int(np.nanargmax(off))
    return Worst(error=number(off[i]), at=number(z[i]), target=None if y is None else number(y[i]))


def absolute(found: Floats, true: Exact, z: Floats, dtype: str) -> Worst | None:
    """The largest error in units of u times the largest slope there is among the points."""
    nearest = true.nearest
    known = np.abs(nearest) <= float(np.finfo(dtype).max)
    sup = float(np.abs(nearest[known]).max(initial=0.0))
    if not sup:
        return None
    unit = np.full(len(z), sup * float(np.finfo(dtype).eps) / 2)
    off = np.where(known, true.distance(found, unit), np.nan)
    return worst(np.where(known & np.isnan(off), np.inf, off), z, None)


def lost(found: Floats, true: Exact, z: Floats, dtype: str) -> tuple[Lost, ...]:
    """The stretches of z on which 0 was said and the truth is a number of the dtype; the largest losses first."""
    size = np.abs(true.nearest)
    gone = (found == 0) & (size >= float(np.finfo(dtype).smallest_subnormal))
    order: Indices = np.argsort(z, kind="stable")
    known = order[~np.isnan(size[order])]
    runs = np.split(known, np.flatnonzero(np.diff(gone[known].astype(int))) + 1)
    stretches = [
        Lost(low=number(z[run[0]]), high=number(z[run[-1]]), largest=number(size[run].max()))
        for run in runs
        if len(run) and gone[run[0]]
    ]
    return tuple(sorted(stretches, key=lambda s: -float(s.largest))[:MOST_STRETCHES])


def curve(off: Floats, z: Floats) -> tuple[Number | None, ...]:
    """The largest error between each two edges; what lies beyond the outermost, and at 0, counts as at the next."""
    edges = np.array(EDGES)
    place = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, len(edges) - 2)
    largest = np.full(len(edges) - 1, -np.inf)
    said = ~np.isnan(off)
    np.maximum.at(largest, place[said], off[said])
    return tuple(None if v == -np.inf else number(float(f"{v:.3g}")) for v in largest)
