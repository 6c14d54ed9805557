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
    found = [said for tensor in largest.tensors.values() if tensor.wrong.any() for said in _along_axes(tensor)]
    return found[:MOST]


def _along_axes(tensor: Tensor) -> list[str]:
    found = []
    for axis in range(1, tensor.wrong.ndim):
        rest = tuple(k for k in range(tensor.wrong.ndim) if k != axis)
        wrong = np.flatnonzero(tensor.wrong.any(axis=rest))
        spared = np.flatnonzero(tensor.decided.any(axis=rest) & ~tensor.wrong.any(axis=rest))
        size = tensor.wrong.shape[axis]
        if len(spared) and len(wrong) + len(spared) == size:
            places = ", ".join(map(str, wrong.tolist()))
            found.append(f"{tensor.name}: wrong at index {places} of axis {axis - 1} (of {size}), right elsewhere")
    return found
