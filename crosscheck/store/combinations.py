"""Which pairs and triples of values, and which edges from operation to operation, the cases of a run have held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec import factors
from crosscheck.spec.architecture import Edge as Edge
from crosscheck.spec.case import Case
from crosscheck.spec.factors import FACTORS, Grid
from crosscheck.spec.record import Combinations, Edges

Bools = NDArray[np.bool_]
# So many empty cells are named; all are counted.
NAMED = 200


@dataclass
class Held:
    """What was held so far: of pairs and triples of the grid, and of edges."""

    grid: Grid
    edges: set[Edge] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._names = [(factor, value) for factor in FACTORS for value in self.grid.values[factor]]
        self._ids = {name: number for number, name in enumerate(self._names)}
        size = len(self._names)
        self._pairs, self._triples = np.zeros((size,) * 2, np.bool_), np.zeros((size,) * 3, np.bool_)

    def add(self, case: Case) -> None:
        """Count a case of which something was compared."""
        for row in factors.rows(case.architecture, case.dtype, case.family, case.order):
            found = (self._ids.get(name) for name in zip(FACTORS, row, strict=True))
            ids = np.array(sorted(i for i in found if i is not None))
            for held, strength in ((self._pairs, 2), (self._triples, 3)):
                held[tuple(np.array(list(combinations(ids, strength)), np.intp).reshape(-1, strength).T)] = True
        self.edges |= set(case.architecture.edges)

    def combinations(self) -> tuple[Combinations, ...]:
        possible, reasons = self._possible()
        order = np.arange(len(self._names))
        ascending = (order[:, np.newaxis, np.newaxis] < order[:, np.newaxis]) & (order[:, np.newaxis] < order)
        three = possible[:, :, np.newaxis] & possible[:, np.newaxis, :] & possible & ascending
        for cell in self.grid.entangled():
            if factors.impossible(cell) is not None:
                three[tuple(sorted(self._ids[part] for part in cell))] = False
        impossible = self.grid.size(3) - int(np.count_nonzero(three))
        together = {"two or three of its values cannot be had together": impossible} if impossible else {}
        return (
            self._counted(2, possible & (order[:, np.newaxis] < order), self._pairs, dict(reasons)),
            self._counted(3, three, self._triples, together),
        )

    def _possible(self) -> tuple[Bools, Counter[str]]:
        """The pairs that can be had, on both sides of the diagonal, and why the others cannot."""
        found = np.zeros((len(self._names),) * 2, np.bool_)
        reasons: Counter[str] = Counter()
        for cell in self.grid.cells(2):
            reason = self.grid.impossible(cell)
            if reason is not None:
                reasons[reason] += 1
                continue
            a, b = (self._ids[part] for part in cell)
            found[a, b] = found[b, a] = True
        return found, reasons

    def _counted(self, strength: int, possible: Bools, held: Bools, reasons: Mapping[str, int]) -> Combinations:
        empty = np.argwhere(possible & ~held)
        return Combinations(
            strength=strength,
            covered=int(np.count_nonzero(possible & held)),
            feasible=int(np.count_nonzero(possible)),
            infeasible=dict(sorted(reasons.items())),
            empty=tuple(self._words(cell) for cell in empty[:NAMED]),
        )

    def _words(self, cell: NDArray[Any]) -> str:
        return ", ".join(f"{factor} {value}" for factor, value in (self._names[i] for i in cell))

    def edges_of(self, legal: frozenset[Edge]) -> Edges:
        """Of the legal edges; what was met is legal, whether it was known to be or not."""
        empty = sorted(legal - self.edges)
        return Edges(
            covered=len(self.edges),
            legal=len(legal | self.edges),
            empty=tuple(f"{a} -> {b}" for a, b in empty[:NAMED]),
        )
