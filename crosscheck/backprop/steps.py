"""Steps of time: where they lie in memory.

One step of (leading…, N, T, width) is as many short pieces, far from each other, as there are samples; of
(leading…, T, N, width) it is one piece.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.rows import Array


def by_step(a: Array) -> Array:
    """(leading…, N, T, width) → (leading…, T, N, width), and back."""
    return a.swapaxes(-2, -3)


def rows_by_step(a: Array) -> Array:
    """(leading…, N, T, width) → (leading…, T·N, width)."""
    return as_rows(by_step(a), 3)


def of_all(states: list[Array]) -> Array:
    """What is (leading…, N, width) at each step, of all of them: (leading…, T, N, width).

    The first, which may be given, may have leading axes of size 1 where the others have them of full size.
    """
    return np.stack([np.broadcast_to(states[0], states[-1].shape), *states[1:]], axis=-3)


class Places:
    """What so many steps leave, each (leading…, N, width), side by side: (leading…, T, N, width).

    Plain arrays are put where they stay: memory for all steps is there from the first one on, and nothing is stacked
    in the end.
    """

    def __init__(self, count: int) -> None:
        self._left: list[Array] = [None] * count
        self._memory: Array = None

    def __getitem__(self, step: int) -> Array:
        return self._left[step]

    def put(self, step: int, *parts: Array) -> None:
        """These, side by side on the last axis, are what the step leaves."""
        self._left[step] = np.concatenate(parts, axis=-1, out=self._place(step, parts))

    def _place(self, step: int, parts: tuple[Array, ...]) -> Array:
        if type(parts[0]) is not np.ndarray:
            return None
        if self._memory is None:
            *lead, samples, _ = parts[0].shape
            width = sum(part.shape[-1] for part in parts)
            self._memory = np.empty((*lead, len(self._left), samples, width), parts[0].dtype)
        return self._memory[..., step, :, :]

    def whole(self) -> Array:
        return np.stack(self._left, axis=-3) if self._memory is None else self._memory
