"""What was compared, and what never was."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Coverage


@dataclass(frozen=True)
class Cell:
    """`kind` is count, empty (the role exists and was never compared) or none (the op has no such role)."""

    kind: str
    text: str


@dataclass(frozen=True)
class OpRow:
    op: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Tally:
    """Cases by one property, largest first."""

    name: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Covered:
    roles: tuple[str, ...]
    ops: tuple[OpRow, ...]
    tallies: tuple[Tally, ...]
    never: tuple[str, ...]


def covered(coverage: Coverage) -> Covered:
    roles = tuple(sorted({role for counts in coverage.roles.values() for role in counts}))
    ops = tuple(
        OpRow(op, tuple(_cell(counts, role) for role in roles)) for op, counts in sorted(coverage.roles.items())
    )
    tallies = (
        Tally("Loss", _rows(coverage.losses)),
        Tally("Value family", _rows(coverage.families)),
        Tally("Dtype", _rows(coverage.dtypes)),
        Tally("Depth", _depths(coverage.depths)),
    )
    return Covered(roles, ops, tallies, coverage.never_compared)


def _cell(counts: dict[str, int], role: str) -> Cell:
    if role not in counts:
        return Cell("none", "has none")
    return Cell("count", f"{counts[role]:,}") if counts[role] else Cell("empty", "never")


def _rows(counts: dict[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{n:,}") for name, n in words.by_count(counts))


def _depths(counts: dict[str, int]) -> tuple[tuple[str, str], ...]:
    """Depths in their own order, whatever else stands there after them."""
    order = sorted(counts, key=lambda k: (not k.isdecimal(), int(k) if k.isdecimal() else 0, k))
    return tuple((name, f"{counts[name]:,}") for name in order)
