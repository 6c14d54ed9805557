"""Which triples of values no planned network has held yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.factors import Grid
from crosscheck.spec.impossible import impossible


@dataclass
class Triples:
    """`open[a, b, c]` with a < b < c, the numbers of the values in the order of the factors."""

    open: NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid, ids: Mapping[tuple[str, str], int], pairs: NDArray[np.bool_]) -> Triples:
        """All that can be had; `pairs` are those of which any two can, on both sides of the diagonal."""
        order = np.arange(len(ids))
        found = pairs[:, :, np.newaxis] & pairs[:, np.newaxis, :] & pairs
        found &= (order[:, np.newaxis, np.newaxis] < order[:, np.newaxis]) & (order[:, np.newaxis] < order)
        for cell in grid.entangled():
            if impossible(cell) is not None:
                found[tuple(sorted(ids[part] for part in cell))] = False
        return cls(found)

    def hold(self, rows: Iterable[Sequence[int]]) -> None:
        for row in rows:
            ids = sorted(row)
            self.open[np.ix_(ids, ids, ids)] = False

    def left(self) -> NDArray[np.int_]:
        return np.argwhere(self.open)

    def open_at(self, ids: NDArray[np.int_]) -> bool:
        return bool(self.open[tuple(ids)])
