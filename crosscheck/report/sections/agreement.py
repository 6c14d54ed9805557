"""Who agrees with whom: every pair of parties, and the one that stands alone."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Agreement, Run


@dataclass(frozen=True)
class Cell:
    """What a row's party and a column's party found about each other."""

    tone: str
    mark: str
    headline: str
    detail: str
    ulps: str = ""


@dataclass(frozen=True)
class Row:
    party: str
    odd: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    parties: tuple[str, ...]
    rows: tuple[Row, ...]
    odd_one_out: str | None
    sentence: str


SELF = Cell("self", "", "itself", "")
NEVER = Cell("never", words.MISSING, "not compared", "")


def matrix(run: Run) -> Matrix:
    parties = words.in_order({name for pair in run.agreement for name in (pair.a, pair.b)})
    cells = {frozenset((pair.a, pair.b)): cell(pair) for pair in run.agreement}
    odd = odd_one_out(run)
    rows = tuple(
        Row(a, a == odd, tuple(SELF if a == b else cells.get(frozenset((a, b)), NEVER) for b in parties))
        for a in parties
    )
    return Matrix(parties, rows, odd, _sentence(run, odd))


def cell(pair: Agreement) -> Cell:
    if not pair.comparisons:
        return NEVER
    detail = f"{pair.comparisons:,} compared; worst {words.times(pair.worst_bounds)} × its bound"
    ulps = f"{words.times(pair.worst_ulps)} ulp"
    if pair.disagreements:
        return Cell("bad", "✗", words.count(pair.disagreements, "differs", "differ"), detail, ulps)
    return Cell("good", "✓", "agree", detail, ulps)


def odd_one_out(run: Run) -> str | None:
    """The one party that is in every pair that differs; None where no single one is, or where it takes two."""
    differing = [{pair.a, pair.b} for pair in run.agreement if pair.disagreements]
    common = set.intersection(*differing) if differing else set()
    return common.pop() if len(common) == 1 else None


def _sentence(run: Run, odd: str | None) -> str:
    if not any(pair.comparisons for pair in run.agreement):
        return "No two parties were compared."
    if not any(pair.disagreements for pair in run.agreement):
        return "All parties agree wherever they were compared."
    if odd is None:
        return "Parties differ, and the pairs alone do not tell which of them is wrong: see the findings."
    among = [pair for pair in run.agreement if odd not in (pair.a, pair.b) and pair.comparisons]
    others = words.joined(words.in_order({name for pair in among for name in (pair.a, pair.b)}))
    rest = f"{others} agree with each other" if among else "the others were not compared with each other"
    return f"{odd} is the odd one out: every difference is with it; {rest}."
