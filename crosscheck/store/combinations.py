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
from crosscheck.spec.impossible import impossible
from crosscheck.spec.record import Combinations, Edges

Bools = NDArray[np.bool_]
# By reason the pairs that cannot be had, [a, b] with a before b.
Reasons = Mapping[str, Bools]
NOTHING: Reasons = {}
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
        # Values of one factor stand side by side in no cell: those are no combinations at all.
        asked = self._of_several_factors(ascending)
        three = possible[:, :, np.newaxis] & possible[:, np.newaxis, :] & possible & ascending
        together = _of_triples(reasons, asked & ~three)
        for cell in self.grid.entangled():
            reason, place = impossible(cell), tuple(sorted(self._ids[part] for part in cell))
            if reason is not None and three[place]:
                three[place] = False
                together[reason] += 1
        return (
            self._counted(2, possible & (order[:, np.newaxis] < order), self._pairs, _counts(reasons), reasons),
            self._counted(3, three, self._triples, together),
        )

    def _of_several_factors(self, ascending: Bools) -> Bools:
        factor = np.array([FACTORS.index(name) for name, _ in self._names])
        differ = factor[:, np.newaxis] != factor
        return np.asarray(ascending & differ[:, :, np.newaxis] & differ[:, np.newaxis, :] & differ)

    def _possible(self) -> tuple[Bools, Reasons]:
        """The pairs that can be had, on both sides of the diagonal, and by reason those that cannot."""
        found = np.zeros((len(self._names),) * 2, np.bool_)
        reasons: dict[str, Bools] = {}
        for cell in self.grid.cells(2):
            reason = self.grid.impossible(cell)
            a, b = sorted(self._ids[part] for part in cell)
            if reason is None:
                found[a, b] = found[b, a] = True
            else:
                reasons.setdefault(reason, np.zeros_like(found))[a, b] = True
        return found, reasons

    def _counted(
        self,
        strength: int,
        possible: Bools,
        held: Bools,
        infeasible: Mapping[str, int],
        reasons: Mapping[str, Bools] = NOTHING,
    ) -> Combinations:
        empty = np.argwhere(possible & ~held)
        return Combinations(
            strength=strength,
            covered=int(np.count_nonzero(possible & held)),
            feasible=int(np.count_nonzero(possible)),
            infeasible=dict(sorted(infeasible.items())),
            empty=tuple(self._words(cell) for cell in empty[:NAMED]),
            listed={why: tuple(map(self._words, np.argwhere(cells))) for why, cells in sorted(reasons.items())},
        )

    def _words(self, cell: NDArray[Any]) -> str:
        return ", ".join(f"{factor} {value}" for factor, value in (self._names[i] for i in cell))

    def edges_of(self, legal: frozenset[Edge], illegal: Mapping[str, frozenset[Edge]]) -> Edges:
        """Of the legal edges; what was met is legal, whether it was known to be or not."""
        infeasible = {why: edges - self.edges for why, edges in sorted(illegal.items())}
        return Edges(
            covered=len(self.edges),
            legal=len(legal | self.edges),
            empty=_arrows(legal - self.edges)[:NAMED],
            infeasible={why: len(edges) for why, edges in infeasible.items() if edges},
            listed={why: _arrows(edges) for why, edges in infeasible.items() if edges},
        )


def _arrows(edges: frozenset[Edge]) -> tuple[str, ...]:
    return tuple(f"{a} -> {b}" for a, b in sorted(edges))


def _counts(reasons: Reasons) -> dict[str, int]:
    return {why: int(np.count_nonzero(cells)) for why, cells in reasons.items()}


def _of_triples(reasons: Reasons, impossible: Bools) -> Counter[str]:
    """How many of these triples hold a pair that cannot be had, by the reason of the pair; the first of several."""
    left, found = impossible.copy(), Counter[str]()
    for why, cells in sorted(reasons.items()):
        hit = left & (cells[:, :, np.newaxis] | cells[:, np.newaxis, :] | cells)
        found[why] += int(np.count_nonzero(hit))
        left &= ~hit
    return found
