"""Which triples of values the planned networks have held, how often, and which are wanted still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray


@dataclass
class Triples:
    """In how many of the `networks` so far each triple was; `possible[a, b, c]` for a < b < c."""

    possible: NDArray[np.bool_]
    networks: int = 0

    def __post_init__(self) -> None:
        self._counts = np.zeros(self.possible.shape, np.uint16)
        self._times = 0
        # [a, b, c] in any order.
        self.wanted = np.zeros(self.possible.shape, np.bool_)

    def want(self, times: int) -> None:
        """From now on those are wanted that fewer networks have held."""
        self._times = times
        left = self.possible & (self._counts < times)
        self.wanted = np.logical_or.reduce([left.transpose(order) for order in permutations(range(3))])

    def hold(self, rows: Iterable[Sequence[int]]) -> None:
        """Count a network of these rows: once for each triple, in however many of its rows that is."""
        self.networks += 1
        cells = [list(combinations(sorted(row), 3)) for row in rows]
        if not cells:
            return
        held = np.unique(np.ravel_multi_index(tuple(np.concatenate(cells).T), self._counts.shape))
        counts = self._counts.reshape(-1)
        counts[held] += 1
        enough = np.unravel_index(held[counts[held] >= self._times], self._counts.shape)
        for order in permutations(enough):
            self.wanted[order] = False

    def left(self, times: int) -> NDArray[np.int_]:
        """Those that can be had and were held less often."""
        return np.argwhere(self.possible & (self._counts < times))

    def often(self, ids: NDArray[np.int_]) -> int:
        return int(self._counts[tuple(ids)])
