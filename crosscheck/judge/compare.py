"""One tensor of a case: every pair of parties compared, every entry given its status.

A comparison accepts within its bound, `ok = |difference| <= bound`, and never rejects beyond it, so that NaN
fails. Without a certified arbiter each pair is held against the sum of both bounds (numerics, design: the
voting rule), and only a witness that could have resolved the difference votes: one that agrees with the
subject *and* contradicts the witness that differs.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.result import Array, Bools, Floats

if TYPE_CHECKING:
    from crosscheck.judge.arbiter import Truth

# A comparison that could not have seen a relative error of 1e-3 is not called agreement; in a 16-bit format one
# rounding alone is 1e-2 (numerics §1).
UNINFORMATIVE = 1e-3
UNINFORMATIVE_IN_HALF = 0.3
# The odd one out, where it is no witness: nobody, the subject alone, the tolerance itself.
NOBODY, ALONE, TOLERANCE = -1, -2, -3


class Status(enum.IntEnum):
    """What became of one entry. OVERFLOW is undecidable too: the value, or one on its way, is beyond the dtype."""

    NOT_COMPARED = 0
    AGREE = 1
    UNINFORMATIVE = 2
    UNDECIDABLE = 3
    DISAGREE = 4
    ORACLE_DISAGREES = 5
    OVERFLOW = 6


# What says something of the subject: it agrees, or somebody is wrong.
INFORMATIVE = (Status.AGREE, Status.DISAGREE, Status.ORACLE_DISAGREES)
NO_DEVIATIONS: Mapping[str, Floats] = {}


@dataclass(frozen=True, eq=False)
class Party:
    """A party's values of one tensor, (P, …), and how far each may be off.

    The bound is infinite where the party was not asked, unless it is `always_asked`. `overflown` (P,) marks the points
    at which a value on the way is beyond the dtype: there what is not finite is no error, and an infinite bound is
    overflow; elsewhere it is one so wide that it says nothing. None: overflow wherever the bound is infinite.
    `within_branch` is the bound on one side of every undecided branch, where that is another. The bound of an
    `estimate` is one too: it may be wrong without anybody being at fault.
    """

    name: str
    values: Array
    bound: Floats
    always_asked: bool = False
    within_branch: Floats | None = None
    estimate: bool = False
    overflown: Bools | None = None

    @property
    def overflows(self) -> Bools:
        """Where it cannot be judged because something overflows."""
        unbounded = ~np.isfinite(self.held)
        return unbounded if self.overflown is None else unbounded & by_point(self.overflown, self.values)

    @property
    def answers(self) -> Bools:
        return np.isfinite(self.bound)

    @property
    def held(self) -> Floats:
        """How far it may be from the hull of the branches' values."""
        return self.bound if self.within_branch is None else self.within_branch


@dataclass(frozen=True, eq=False)
class TensorJudgement:
    """Statuses (P, …), the relative resolution of each entry, and for each witness error and bound.

    `bounds` are of the comparisons, `own_bounds` of the parties; `odd_one_out` is the index of the witness that
    stands alone, or NOBODY, ALONE for the subject, TOLERANCE. `truth` is there where a witness has proved some.
    """

    name: str
    status: NDArray[np.int8]
    resolution: Floats
    errors: dict[str, Floats]
    bounds: dict[str, Floats]
    against: dict[str, Bools]
    odd_one_out: NDArray[np.int8]
    values: dict[str, Array]
    own_bounds: dict[str, Floats]
    truth: Truth | None = None

    @property
    def void(self) -> Bools:
        """(P, …): where the subject is held by a bound that is itself off the truth."""
        return np.asarray((self.status == Status.ORACLE_DISAGREES) & (self.odd_one_out == TOLERANCE))

    @property
    def informative(self) -> Bools:
        """(P, …): where the comparison said something of the subject: it agrees, or somebody is wrong."""
        return np.isin(self.status, INFORMATIVE) & ~self.void

    def count(self, status: Status) -> int:
        return int(np.count_nonzero(self.status == status))


def compare(
    name: str,
    subject: Party,
    witnesses: tuple[Party, ...],
    *,
    parted: Bools,
    point_scale: Floats,
    deviating: Mapping[str, Floats] = NO_DEVIATIONS,
) -> TensorJudgement:
    """Judge one tensor.

    `parted` (P,) marks the points with an undecided branch; `point_scale` (P,) the largest gradient of the
    point, against which an entry of a vanishing tensor is resolved. `deviating` has the bound of a witness when
    its known deviations are allowed for: a difference that it explains is the witness's own.
    """
    shape = subject.values.shape
    errors: dict[str, Floats] = {}
    bounds: dict[str, Floats] = {}
    against: dict[str, Bools] = {}
    resolution, of_rounding = np.full(shape, np.inf), np.full(shape, np.inf)
    asked = np.zeros(shape, np.bool_)
    for w in witnesses:
        bounds[w.name] = subject.bound + w.bound
        errors[w.name] = difference(subject.values, w.values)
        answered = np.isfinite(bounds[w.name])
        against[w.name] = answered & ~(errors[w.name] <= bounds[w.name])
        asked |= w.answers | w.always_asked
        found = np.where(answered, resolved(bounds[w.name], w.values, point_scale), np.inf)
        resolution = np.minimum(resolution, found)
        of_rounding = np.minimum(of_rounding, resolved(subject.held + w.held, w.values, point_scale))
    decided = np.isfinite(subject.bound) & np.logical_or.reduce([np.isfinite(b) for b in bounds.values()] or [asked])
    status = np.full(shape, Status.AGREE, np.int8)
    limit = too_coarse(subject.values.dtype.name)
    status[resolution > limit] = Status.UNINFORMATIVE
    # Where rounding alone is not too much, the branches are.
    status[(resolution > limit) & by_point(parted, status) & ~(of_rounding > limit)] = Status.UNDECIDABLE
    status[~decided] = Status.UNDECIDABLE
    status[~np.isfinite(subject.bound)] = Status.UNINFORMATIVE
    status[subject.overflows] = Status.OVERFLOW
    status[~asked] = Status.NOT_COMPARED
    # Where a deviation may be anything, a mean of nothing say, NaN is within it.
    explained = {
        w: against[w] & ((errors[w] <= subject.bound + wide) | np.isinf(wide))
        for w, wide in deviating.items()
        if w in against
    }
    odd = vote(status, witnesses, against, explained, deviating)
    parties = (subject, *witnesses)
    return TensorJudgement(
        name,
        status,
        resolution,
        errors,
        bounds,
        against,
        odd,
        values={p.name: p.values for p in parties},
        own_bounds={p.name: p.bound for p in parties},
    )


def by_point(mask: Bools, like: Array) -> Bools:
    """A mask of points (P,), to be broadcast against an array (P, …)."""
    return mask.reshape((-1,) + (1,) * (like.ndim - 1))


def too_coarse(dtype: str) -> float:
    """The resolution beyond which a comparison in this dtype says nothing."""
    return UNINFORMATIVE_IN_HALF if dtype in ("float16", "bfloat16") else UNINFORMATIVE


def difference(a: Array, b: Array) -> Floats:
    """|a - b| in float64; equal infinities differ by nothing, NaN stays NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = a.astype(np.float64), b.astype(np.float64)
        return np.where(a == b, 0.0, np.abs(a - b))


def resolved(bound: Floats, values: Array, point_scale: Floats) -> Floats:
    """Relative size of a bug that would certainly have been seen: 2 · bound / the entry.

    Where the entry is lost in its bound, against the tensor's largest one; where that is, against the
    point's, which is the largest gradient of any tensor or node: a unit that is dead blocks a signal of that
    size. Zero everywhere resolves nothing.
    """
    axes = tuple(range(1, values.ndim))
    trailing = (-1,) + (1,) * len(axes)
    entry = np.abs(values.astype(np.float64))
    # An infinite entry is no measure of the others.
    tensor = np.where(np.isfinite(entry), entry, 0.0).max(axis=axes, keepdims=True, initial=0.0)
    whole = point_scale.reshape(trailing)
    scale = np.where(entry > bound, entry, np.where(tensor > bound, tensor, whole))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(scale > 0, 2.0 * bound / scale, np.inf)


def vote(
    status: NDArray[np.int8],
    witnesses: tuple[Party, ...],
    against: Mapping[str, Bools],
    explained: Mapping[str, Bools],
    deviating: Mapping[str, Floats] = NO_DEVIATIONS,
) -> NDArray[np.int8]:
    """Settle, in `status`, the entries that differ; returns the index of the odd witness, NOBODY, or ALONE where
    several agreeing witnesses stand against the subject.

    A difference that a known deviation of the witness explains is not held against the subject, nor is one
    between two witnesses a quarrel.
    """
    odd = np.full(status.shape, NOBODY, np.int8)
    if not witnesses:
        return odd
    known = np.stack([explained.get(w.name, np.zeros(status.shape, np.bool_)) for w in witnesses])
    stacked = np.stack([against[w.name] for w in witnesses]) & ~known
    differs = stacked.any(axis=0)
    own_fault = known.any(axis=0) & ~differs
    status[own_fault] = Status.ORACLE_DISAGREES
    odd[own_fault] = known.argmax(axis=0)[own_fault]
    if not differs.any():
        return odd
    # A witness inside a known deviation of its own contradicts nobody by that deviation: it cannot absolve either.
    contradicts = _contradictions(
        tuple(replace(w, bound=np.maximum(w.bound, deviating.get(w.name, 0.0))) for w in witnesses)
    )
    supports = np.zeros(status.shape, np.int64)
    quarrel = np.zeros(status.shape, np.bool_)
    for i, w in enumerate(witnesses):
        agrees = w.answers & ~against[w.name]
        votes = np.zeros(status.shape, np.bool_)
        for k in range(len(witnesses)):
            votes |= agrees & stacked[k] & contradicts[i][k]
            quarrel |= stacked[i] & stacked[k] & contradicts[i][k]
        supports += votes
    opposed = stacked.sum(axis=0)
    oracle = differs & (opposed == 1) & (supports >= 1)
    status[differs] = Status.DISAGREE
    status[oracle] = Status.ORACLE_DISAGREES
    odd[oracle] = stacked.argmax(axis=0)[oracle]
    odd[differs & (opposed >= 2) & (supports == 0) & ~quarrel] = ALONE
    return odd


def _contradictions(witnesses: tuple[Party, ...]) -> list[list[Bools]]:
    """For each pair of witnesses, where they differ by more than both of their bounds."""
    result: list[list[Bools]] = []
    for a in witnesses:
        row = []
        for b in witnesses:
            bound = a.bound + b.bound
            row.append(np.isfinite(bound) & ~(difference(a.values, b.values) <= bound))
        result.append(row)
    return result
