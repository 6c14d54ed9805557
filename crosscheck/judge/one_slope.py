"""One slope for each element on a kink: whether all of a subject's entries there can be explained by one choice.

Any value between the one-sided derivatives is right, and entry by entry the hull accepts it; but 0 in ∂C/∂W and 1 in
∂C/∂b of one unit, at one sample, are the gradients of no choice. With s the share of the right-hand slope the true
entries are g(s) = g(0) + Σ_i s_i D_i, 0 ≤ s_i ≤ 1, exactly: every entry within b of that leaves each s_i an interval,
and where two intervals of one s_i do not meet, no choice explains both. Intervals are narrowed in turn, each given the
others', so what is found is certain; not all that is inconsistent is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.judge.compare import ALONE, Status, TensorJudgement
from crosscheck.judge.verdict import Contradiction, Judgement, Strand
from crosscheck.spec.result import Bools, Bound, Certified, Floats, Gradients, OneSided, Verdict


@dataclass(frozen=True, eq=False)
class _Entries:
    """All entries of a point laid end to end, (E,), without those that nothing is known of.

    `off` is claimed - g(0), `allowed` how far it may be from Σ s_i D_i, `moves` (m, E) the D_i; `where` the tensor and
    the index of each.
    """

    off: Floats
    allowed: Floats
    moves: Floats
    where: list[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What one entry leaves a slope's share: [middle - half, middle + half]."""

    entry: int
    middle: float
    half: float


def held_to_one_slope(
    judgement: Judgement,
    bound: Bound,
    proof: Certified,
    sides: Callable[[int, int], OneSided | None],
    arbiter: str,
) -> Judgement:
    """The judgement, where each entry was accepted, on all of a point's entries together.

    `sides` gives, for a point and a precision in bits, what either side of its kinks makes of the gradients.
    """
    wrong = judgement.verdict in (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES, Verdict.DISAGREES)
    if wrong or judgement.claimed is None or not judgement.tensors:  # of no gradient nothing is claimed
        return judgement
    found, beyond = [], []
    for point in np.flatnonzero(proof.hull & (proof.bits > 0)).tolist():
        either = sides(point, int(proof.bits[point]))
        if either is not None:
            entries = _laid(judgement.claimed, either, bound, judgement.tensors, point)
            beyond += [(point, strand) for strand in outside(entries)]
            found.append(_contradiction(entries, either, point))
    told = [item for item in found if item is not None]
    judgement = _with_wrong(judgement, beyond, arbiter) if beyond else judgement
    return with_contradictions(judgement, told, arbiter) if told else judgement


def outside(entries: _Entries) -> list[Strand]:
    """The entries that no choice of slopes gives: those beyond left + Σ min(0, D_i) or left + Σ max(0, D_i).

    The hull of a whole network's slopes is wider where they meet again further on, as both sides of a tie do.
    """
    low, high = np.minimum(entries.moves, 0.0).sum(axis=0), np.maximum(entries.moves, 0.0).sum(axis=0)
    error = np.maximum(low - entries.off, entries.off - high)
    # The slope is nobody's: there is none that would give this entry.
    return [
        Strand(*entries.where[i], slope=float("nan"), error=float(error[i]), bound=float(entries.allowed[i]))
        for i in np.flatnonzero(error > entries.allowed)
    ]


def contradiction(
    claimed: Gradients, sides: OneSided, bound: Bound, judged: Mapping[str, TensorJudgement], point: int
) -> Contradiction | None:
    """Two entries of a point that no slope at one of its kinks explains together; None where none are found."""
    return _contradiction(_laid(claimed, sides, bound, judged, point), sides, point)


def _contradiction(entries: _Entries, sides: OneSided, point: int) -> Contradiction | None:
    found = _narrowed(entries)
    if found is None:
        return None
    kink, low, high = found
    left, right = sides.slopes[kink]

    def strand(wanted: _Wanted) -> Strand:
        tensor, index = entries.where[wanted.entry]
        scale = abs(float(entries.moves[kink, wanted.entry]))
        return Strand(
            tensor,
            index,
            slope=left + wanted.middle * (right - left),
            error=scale * (low.middle - high.middle),
            bound=scale * (low.half + high.half),
        )

    return Contradiction(point, sides.op, sides.node, sides.elements[kink], sides.at[kink], (strand(high), strand(low)))


def _laid(
    claimed: Gradients, sides: OneSided, bound: Bound, judged: Mapping[str, TensorJudgement], point: int
) -> _Entries:
    off, allowed, moves, where, known = [], [], [], [], []
    radii = [r.radius for r in (sides.left, *sides.right) if r.radius is not None]
    with np.errstate(all="ignore"):
        for name, tensor in judged.items():
            left = sides.left.gradients[name][0]
            rights = [right.gradients[name][0] for right in sides.right]
            # D_i is off by what both of its ends may be off.
            wide = sum(r[name][0] for r in radii) + len(sides.right) * radii[0][name][0]
            off.append((claimed[name][point].astype(np.float64) - left).ravel())
            allowed.append((bound.held[name][point] + wide).ravel())
            moves.append(np.stack([(right - left).ravel() for right in rights]))
            known.append(_known(tensor, point).ravel())
            where += [(name, tuple(int(i) for i in index)) for index in np.ndindex(left.shape)]
    laid = _Entries(np.concatenate(off), np.concatenate(allowed), np.concatenate(moves, axis=1), where)
    usable = np.concatenate(known) & np.isfinite(laid.off) & np.isfinite(laid.allowed)
    usable &= np.isfinite(laid.moves).all(axis=0)
    return _Entries(
        laid.off[usable], laid.allowed[usable], laid.moves[:, usable], [where[i] for i in np.flatnonzero(usable)]
    )


def _known(tensor: TensorJudgement, point: int) -> Bools:
    if tensor.truth is None:
        return np.zeros(tensor.status.shape[1:], np.bool_)
    known: Bools = tensor.truth.answered[point] & (tensor.status[point] != Status.OVERFLOW)
    return known


def _narrowed(entries: _Entries) -> tuple[int, _Wanted, _Wanted] | None:
    """A kink, and the entries that want more and less of its right-hand slope than the other allows."""
    kinks = len(entries.moves)
    least, most = np.zeros(kinks), np.ones(kinks)
    lows: list[_Wanted | None] = [None] * kinks
    highs: list[_Wanted | None] = [None] * kinks
    for _ in range(kinks + 1):
        for i in range(kinks):
            for wanted in _wanted(entries, i, least, most):
                if wanted.middle - wanted.half > least[i]:
                    least[i], lows[i] = wanted.middle - wanted.half, wanted
                if wanted.middle + wanted.half < most[i]:
                    most[i], highs[i] = wanted.middle + wanted.half, wanted
            low, high = lows[i], highs[i]
            if least[i] > most[i]:
                # Against an end of [0, 1] alone an entry is outside its own hull, which is another finding.
                return (i, low, high) if low is not None and high is not None else None
    return None


def _wanted(entries: _Entries, i: int, least: Floats, most: Floats) -> list[_Wanted]:
    """What the entries leave s_i, given the intervals of the others: the one that asks for most, and for least."""
    reached = np.flatnonzero(entries.moves[i])
    if not len(reached):
        return []
    D = entries.moves[:, reached]
    others = np.arange(len(least)) != i
    ends = np.stack([D * least[:, np.newaxis], D * most[:, np.newaxis]])[:, others]
    low, high = ends.min(axis=0).sum(axis=0), ends.max(axis=0).sum(axis=0)
    with np.errstate(all="ignore"):
        middle = (entries.off[reached] - 0.5 * (low + high)) / D[i]
        free = 0.5 * (high - low) / np.abs(D[i])
        # What the others leave free beyond none and all of it is nobody's: where it ends there stays as it is.
        shift = np.clip(-middle, 0.0, free) - np.clip(middle - 1.0, 0.0, free)
        middle = middle + shift
        half = entries.allowed[reached] / np.abs(D[i]) + free - np.abs(shift)
    chosen = {int(np.argmax(middle - half)), int(np.argmin(middle + half))}
    return [_Wanted(int(reached[k]), float(middle[k]), float(half[k])) for k in sorted(chosen)]


def with_contradictions(judgement: Judgement, found: Sequence[Contradiction], arbiter: str) -> Judgement:
    """The judgement with the entries that contradict each other marked: the subject disagrees with any one choice."""
    strands = [(item.point, strand) for item in found for strand in item.strands]
    return replace(_with_wrong(judgement, strands, arbiter), contradictions=tuple(found))


def _with_wrong(judgement: Judgement, strands: Sequence[tuple[int, Strand]], arbiter: str) -> Judgement:
    """The judgement with these entries, by point, wrong after all."""
    tensors = dict(judgement.tensors)
    for point, strand in strands:
        tensors[strand.tensor] = _marked(tensors[strand.tensor], point, strand, arbiter)
    return replace(
        judgement,
        verdict=Verdict.DISAGREES,
        tensors=tensors,
        odd_one_out="subject",
        suspects=tuple(sorted({*judgement.suspects, *(point for point, _ in strands)})),
    )


def _marked(tensor: TensorJudgement, point: int, strand: Strand, arbiter: str) -> TensorJudgement:
    """The tensor with one entry wrong, by so much."""
    if tensor.truth is None:
        raise ValueError("only where there is a truth do entries contradict each other")
    place = (point, *strand.index)

    def put(array: NDArray[Any], value: float) -> NDArray[Any]:
        changed = np.array(array)
        changed[place] = value
        return changed

    truth = replace(
        tensor.truth,
        errors={**tensor.truth.errors, "subject": put(tensor.truth.errors["subject"], strand.error)},
        bounds={**tensor.truth.bounds, "subject": put(tensor.truth.bounds["subject"], strand.bound)},
        wrong={**tensor.truth.wrong, "subject": put(tensor.truth.wrong["subject"], True)},
    )
    return replace(
        tensor,
        status=put(tensor.status, Status.DISAGREE),
        odd_one_out=put(tensor.odd_one_out, ALONE),
        against={**tensor.against, arbiter: put(tensor.against[arbiter], True)},
        truth=truth,
    )
