"""Which triples of values the planned networks have held, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.factors import Grid
from crosscheck.spec.impossible import impossible


def possible(grid: Grid, ids: Mapping[tuple[str, str], int], pairs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[a, b, c] for a < b < c, the numbers of the values in the order of the factors: whether all three can be had.

    `pairs` says it of any two, on both sides of the diagonal.
    """
    order = np.arange(len(ids))
    found = pairs[:, :, np.newaxis] & pairs[:, np.newaxis, :] & pairs
    found &= (order[:, np.newaxis, np.newaxis] < order[:, np.newaxis]) & (order[:, np.newaxis] < order)
    for cell in grid.entangled():
        if impossible(cell) is not None:
            found[tuple(sorted(ids[part] for part in cell))] = False
    return found


@dataclass
class Triples:
    """In how many of the `networks` so far each triple was."""

    possible: NDArray[np.bool_]
    networks: int = 0

    def __post_init__(self) -> None:
        self._counts = np.zeros(self.possible.shape, np.uint16)

    def hold(self, rows: Iterable[Sequence[int]]) -> None:
        """Count a network of these rows: once for each triple, in however many of its rows that is."""
        self.networks += 1
        cells = [list(combinations(sorted(row), 3)) for row in rows]
        if cells:
            flat = np.unique(np.ravel_multi_index(tuple(np.concatenate(cells).T), self._counts.shape))
            self._counts.reshape(-1)[flat] += 1

    def left(self, times: int) -> NDArray[np.int_]:
        """Those that can be had and were held less often."""
        return np.argwhere(self.possible & (self._counts < times))

    def often(self, ids: NDArray[np.int_]) -> int:
        return int(self._counts[tuple(ids)])
