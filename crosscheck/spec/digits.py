"""How many digits it takes to tell numbers apart."""

from __future__ import annotations

from collections.abc import Iterable

# With seventeen any two float64 differ.
FEWEST, ALL = 5, 17


def apart(values: Iterable[float]) -> int:
    """The fewest digits at which finite numbers that differ are also printed differently."""
    distinct = set(values)
    for count in range(FEWEST, ALL):
        if len({f"{value:.{count}g}" for value in distinct}) == len(distinct):
            return count
    return ALL
