"""What becomes of gradients as a whole, behind the walk back: rescaled, clipped, put under another's key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from crosscheck.diagnosis import ratio
from crosscheck.diagnosis.seen import Seen, Tensor
from crosscheck.judge.forward import in_words
from crosscheck.spec.result import Floats

# Fewer numbers may have something in common by chance.
SEVERAL = 3


def of_another(seen: Sequence[Seen]) -> str | None:
    """Each wrong gradient is the true one of another tensor, the same in every answer."""
    found: dict[str, set[str]] = {}
    for s in seen:
        for t in s.tensors.values():
            if t.wrong.any():
                others = {u.name for u in s.tensors.values() if u is not t and _is(t, u)}
                found[t.name] = found.get(t.name, others) & others
    if not found or not all(found.values()):
        return None
    return "each is the gradient of another: " + ", ".join(
        f"what is given as {name} is that of {min(others)}" for name, others in found.items()
    )


def _is(t: Tensor, other: Tensor) -> bool:
    """Whether the claimed gradient is the other's true one: of several numbers, none of them 0 by chance."""
    if t.claimed.shape != other.true.shape or t.claimed[0].size < SEVERAL or not other.true.any():
        return False
    decided = t.decided & other.decided
    return bool((np.abs(t.claimed - other.true) <= t.bound + other.bound)[decided].all()) and bool(decided.any())


def scaled(seen: Sequence[Seen]) -> str | None:
    """At every point that is wrong one factor for all gradients, another at each."""
    factors, _ = _factors(seen)
    return _said(factors) if factors else None


def clipped_by_norm(seen: Sequence[Seen]) -> str | None:
    """The same, and the gradients have one norm wherever they are wrong."""
    factors, norms = _factors(seen)
    for norm in zip(*norms, strict=True):
        if norm[0] > 0 and not ratio.differ(norm):  # 0 where nothing of the kind is there
            return f"{_said(factors)}: clipped, their norm is {in_words(ratio.short(norm[0]))} wherever they are wrong"
    return None


def _said(factors: Sequence[float]) -> str:
    return f"at every point one factor for all gradients, from {min(factors):.3g} to {max(factors):.3g}"


def _factors(seen: Sequence[Seen]) -> tuple[list[float], list[tuple[float, float]]]:
    """The factor at every point that is wrong and the norms there; none where it is no factor, or one everywhere."""
    factors: list[float] = []
    norms, differ = [], False
    # Who clips seldom clips the gradient of an input: where that is right throughout, it is not asked.
    params = {name for s in seen for name in s.case.params}
    alone = not any(t.wrong.any() for s in seen for t in s.tensors.values() if t.name not in params)
    for s in seen:
        before = len(factors)
        for point in np.flatnonzero(s.wrong_points):
            parts = [(t.claimed[point], t.true[point], t.bound[point]) for t in _decided(s, int(point), alone)]
            factor = ratio.common(parts)
            if factor is None:
                return [], []
            if sum(int((np.abs(p[1]) > p[2]).sum()) for p in parts) < SEVERAL:
                continue  # of one number everything is a multiple
            factors.append(factor)
            norms.append(_norms(s, int(point)))
        differ |= len(factors) > before and ratio.differ(factors[before:])
    # One for each network is another thing.
    return (factors, norms) if len(factors) >= SEVERAL and differ else ([], [])


def _decided(s: Seen, point: int, of_params: bool) -> Iterable[Tensor]:
    """The gradients, or those of the parameters, of which all entries can be read at a point."""
    for t in s.tensors.values():
        if t.decided[point].all() and (t.name in s.case.params or not of_params):
            yield t


def _norms(s: Seen, point: int) -> tuple[float, float]:
    """Of the gradients of the parameters, and of all, at one point."""
    params = [t.claimed[point] for t in s.tensors.values() if t.name in s.case.params]
    every = [t.claimed[point] for t in s.tensors.values()]
    return _norm(params), _norm(every)


def _norm(arrays: Sequence[Floats]) -> float:
    return float(np.sqrt(sum(float((a * a).sum()) for a in arrays)))


def clipped(seen: Sequence[Seen]) -> str | None:
    """All that is wrong is larger in truth and given as one size with the right sign; nothing else is larger."""
    tensors = [t for s in seen for t in s.tensors.values() if t.wrong.any()]
    claimed, true = (
        np.concatenate([np.zeros(0), *(v[t.wrong] for t, v in pairs)])
        for pairs in ([(t, t.claimed) for t in tensors], [(t, t.true) for t in tensors])
    )
    if len(claimed) < SEVERAL:
        return None
    size = float(np.abs(claimed[0]))
    cut = (np.abs(claimed) == size) & (np.sign(claimed) == np.sign(true)) & (np.abs(true) > size)
    within = all((np.abs(t.claimed) <= size)[t.decided].all() for t in tensors)
    return f"clipped: whatever is larger than {in_words(size)} is given as that" if cut.all() and within else None
