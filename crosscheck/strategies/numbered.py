"""The values of all factors as numbers, so that tables can say which of them go together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.factors import FACTORS, Grid
from crosscheck.spec.impossible import ENTANGLED, impossible

Bools = NDArray[np.bool_]


class Numbered:
    """A grid's values, numbered factor by factor; `pairs` and `triples` that can be had.

    `pairs[a, b]` says it in any order of the two, `triples[a, b, c]` for a < b < c.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.names = [(factor, value) for factor in FACTORS for value in grid.values[factor]]
        self.ids = {name: number for number, name in enumerate(self.names)}
        self.pairs = self._pairs()
        self.triples = self._triples()

    def row(self, values: Mapping[str, str]) -> list[int]:
        """The numbers of these values, by factor: they ascend."""
        return [self.ids[factor, values[factor]] for factor in FACTORS if factor in values]

    def can_be(self, table: NDArray[np.int_]) -> Bools:
        """Which rows of the table hold nothing impossible: no two values, and no three."""
        pairs = self.pairs[table[:, :, np.newaxis], table[:, np.newaxis, :]]
        can_be = (pairs | np.eye(table.shape[1], dtype=np.bool_)).all(axis=(1, 2))
        factor = [FACTORS.index(self.names[i][0]) for i in table[0]]
        for chosen in ENTANGLED:
            columns = [factor.index(FACTORS.index(name)) for name in chosen if FACTORS.index(name) in factor]
            if len(columns) == len(chosen):
                can_be &= self.triples[tuple(table[:, column] for column in sorted(columns))]
        return np.asarray(can_be)

    def _pairs(self) -> Bools:
        possible = np.zeros((len(self.ids),) * 2, np.bool_)
        for cell in self.grid.cells(2):
            a, b = (self.ids[part] for part in cell)
            possible[a, b] = possible[b, a] = self.grid.impossible(cell) is None
        return possible

    def _triples(self) -> Bools:
        order = np.arange(len(self.ids))
        found = self.pairs[:, :, np.newaxis] & self.pairs[:, np.newaxis, :] & self.pairs
        found &= (order[:, np.newaxis, np.newaxis] < order[:, np.newaxis]) & (order[:, np.newaxis] < order)
        for cell in self.grid.entangled():
            if impossible(cell) is not None:
                found[tuple(sorted(self.ids[part] for part in cell))] = False
        return found
