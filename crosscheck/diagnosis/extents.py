"""Which rows, columns, channels or steps of a gradient are wrong, where some of them are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crosscheck.diagnosis.seen import Seen, Tensor

MOST = 2


def extents(seen: Sequence[Seen]) -> list[str]:
    """`0.weight: wrong at 2 of 3 along axis 0, right elsewhere`, in the largest answer that fails; at most two."""
    failing = [s for s in seen if s.failed]
    if not failing:
        return []
    largest = max(failing, key=lambda s: sum(t.claimed.size for t in s.tensors.values()))
    found = []
    for tensor in largest.tensors.values():
        if tensor.wrong.any():
            alike = [s.tensors[tensor.name] for s in failing if tensor.name in s.tensors]
            found += _along_axes([t for t in alike if t.wrong.shape[1:] == tensor.wrong.shape[1:]])
    return found[:MOST]


def _along_axes(alike: Sequence[Tensor]) -> list[str]:
    """Of one gradient in all answers in which it has this shape: what is wrong in one of them is not right."""
    found, tensor = [], alike[0]
    every, decided = (np.concatenate(masks) for masks in ([t.wrong for t in alike], [t.decided for t in alike]))
    for axis in range(1, every.ndim):
        rest = tuple(k for k in range(every.ndim) if k != axis)
        wrong = np.flatnonzero(every.any(axis=rest))
        spared = np.flatnonzero(decided.any(axis=rest) & ~every.any(axis=rest))
        size = every.shape[axis]
        if len(spared) and len(wrong) + len(spared) == size:
            places = ", ".join(map(str, wrong.tolist()))
            found.append(f"{tensor.name}: wrong at index {places} of axis {axis - 1} (of {size}), right elsewhere")
    return found
