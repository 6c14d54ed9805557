"""What was compared, and what never was."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Combinations, Coverage, Edges, KinkMet


@dataclass(frozen=True)
class Cell:
    """How often a role of an op was compared; `kind` is count, or empty where it never was."""

    role: str
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
class CombinedRow:
    """Pairs, triples or edges: held, of those that can be had; `kind` is empty where one is missing."""

    name: str
    held: str
    feasible: str
    share: str
    kind: str


@dataclass(frozen=True)
class KinkRow:
    """A kink or knot of an op, and how many elements stood on it; `kind` as of a cell."""

    op: str
    at: str
    exactly: str
    near: str
    kind: str


@dataclass(frozen=True)
class Infeasible:
    """Pairs, triples or edges that cannot be had: how many for each reason, and which, where they are listed."""

    name: str
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Covered:
    roles: tuple[str, ...]
    ops: tuple[OpRow, ...]
    tallies: tuple[Tally, ...]
    never: tuple[str, ...]
    kinks: tuple[KinkRow, ...] = ()
    combined: tuple[CombinedRow, ...] = ()
    empty: tuple[tuple[str, tuple[str, ...]], ...] = ()
    infeasible: tuple[Infeasible, ...] = ()


def covered(coverage: Coverage) -> Covered:
    roles = tuple(sorted({role for counts in coverage.roles.values() for role in counts}))
    ops = tuple(
        OpRow(op, tuple(_cell(counts, role) for role in roles if role in counts))
        for op, counts in sorted(coverage.roles.items())
    )
    tallies = (
        Tally("Loss", _rows(coverage.losses)),
        Tally("Value family", _rows(coverage.families)),
        Tally("Dtype", _rows(coverage.dtypes)),
        Tally("Depth", _depths(coverage.depths)),
    )
    kinks = tuple(_kink(item) for item in coverage.kinks)
    return Covered(roles, ops, tallies, coverage.never_compared, kinks, *_combined(coverage))


STRENGTHS = {2: "Pairs of factors", 3: "Triples of factors"}
EDGES = "Edges, operation to operation"


def combined(coverage: Coverage) -> str:
    """Pairs, triples and edges in one line; empty for a fixed network, which has none."""
    return " · ".join(f"{row.held} of {row.feasible} {_short(row.name)}" for row in _combined(coverage)[0])


def _short(name: str) -> str:
    return name.split(",")[0].split(" ")[0].lower()


def _combined(
    coverage: Coverage,
) -> tuple[tuple[CombinedRow, ...], tuple[tuple[str, tuple[str, ...]], ...], tuple[Infeasible, ...]]:
    """Rows, what is empty of each, and why the others cannot be had."""
    rows = [_held(STRENGTHS[c.strength], c.covered, c.feasible) for c in coverage.combinations]
    empty = [(STRENGTHS[c.strength], c.empty) for c in coverage.combinations if c.empty]
    if coverage.edges is not None:
        rows.append(_held(EDGES, coverage.edges.covered, coverage.edges.legal))
        empty += [(EDGES, coverage.edges.empty)] if coverage.edges.empty else []
    parts: list[tuple[str, Combinations | Edges]] = [(STRENGTHS[c.strength], c) for c in coverage.combinations]
    parts += [(EDGES, coverage.edges)] if coverage.edges is not None else []
    infeasible = (
        Infeasible(
            name, tuple((why, number, tuple(part.listed.get(why, ()))) for why, number in _rows(part.infeasible))
        )
        for name, part in parts
        if part.infeasible
    )
    return tuple(rows), tuple(empty), tuple(infeasible)


def _held(name: str, held: int, feasible: int) -> CombinedRow:
    share = f"{100.0 * held / feasible:.1f} %" if feasible else "none"
    return CombinedRow(name, f"{held:,}", f"{feasible:,}", share, "count" if held == feasible else "empty")


def kinks(coverage: Coverage) -> str:
    """How often each kink was met, in one line."""
    return " · ".join(
        f"{item.op} at {_place(item)}: {item.exactly:,} exactly{_and_near(item)}" for item in coverage.kinks
    )


def kinks_never_met(coverage: Coverage) -> str:
    """The kinks on which no element ever stood exactly, by op; empty where there are none."""
    unmet: dict[str, list[str]] = {}
    for item in coverage.kinks:
        if not item.exactly:
            unmet.setdefault(item.op, []).append(f"{_place(item)}{_and_near(item, ' ({} near)')}")
    return "; ".join(f"{op} at {words.joined(places)}" for op, places in unmet.items())


def _place(item: KinkMet) -> str:
    return "a tie" if item.at is None else words.number(item.at)


def _and_near(item: KinkMet, text: str = ", {} near") -> str:
    return text.format(f"{item.near:,}") if item.near else ""


def _kink(item: KinkMet) -> KinkRow:
    exactly = f"{item.exactly:,}" if item.exactly else "never"
    return KinkRow(item.op, _place(item), exactly, f"{item.near:,}", "count" if item.exactly else "empty")


def _cell(counts: dict[str, int], role: str) -> Cell:
    return Cell(role, "count", f"{counts[role]:,}") if counts[role] else Cell(role, "empty", "never")


def _rows(counts: dict[str, int]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{n:,}") for name, n in words.by_count(counts))


def _depths(counts: dict[str, int]) -> tuple[tuple[str, str], ...]:
    """Depths in their own order, whatever else stands there after them."""
    order = sorted(counts, key=lambda k: (not k.isdecimal(), int(k) if k.isdecimal() else 0, k))
    return tuple((name, f"{counts[name]:,}") for name in order)
