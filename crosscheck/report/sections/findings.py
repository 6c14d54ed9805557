"""A card for each finding, worst first."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import chain, network, words
from crosscheck.report.sections.verdict import verdict_name
from crosscheck.spec.record import EntryRecord, Finding, Run, Taylor
from crosscheck.spec.result import Verdict

RULED_OUT = "ruled out"


@dataclass(frozen=True)
class Value:
    """What a party says; `stands_out` where it is not on the reference's side."""

    text: str
    stands_out: bool


@dataclass(frozen=True)
class EntryRow:
    name: str
    point: int
    values: tuple[Value, ...]
    error: str
    bound: str
    in_bounds: str
    resolution: str


@dataclass(frozen=True)
class TaylorView:
    sentence: str
    reference: str
    steps: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Card:
    """Everything that the page shows of one finding; texts are plain, never markup."""

    id: str
    verdict: str
    tone: str
    title: str
    times: str
    facts: tuple[tuple[str, str], ...]
    message: str
    architecture: str
    minimal: bool
    diagram: network.Diagram | None
    formula: chain.Chain | None
    terms: tuple[chain.Term, ...]
    parties: tuple[str, ...]
    entries: tuple[EntryRow, ...]
    entries_left_out: int
    likely: tuple[str, ...]
    ruled_out: tuple[str, ...]
    deviation: str | None
    taylor: TaylorView | None
    replay: str


def worst_first(run: Run) -> tuple[Finding, ...]:
    """By the verdict's precedence, then by how many cases show it, then by the first of them."""
    rank = {verdict.name: place for place, verdict in enumerate(Verdict)}
    return tuple(
        sorted(run.findings, key=lambda f: (rank.get(verdict_name(f.verdict), 0), -f.count, f.first_index, f.id))
    )


def card(finding: Finding, *, most_entries: int | None = None) -> Card:
    shown = finding.entries[:most_entries]
    parties = words.in_order({name for entry in shown for name in entry.values})
    likely, ruled_out = diagnosis(finding)
    oracle = verdict_name(finding.verdict) == Verdict.ORACLE_DISAGREES.name
    return Card(
        id=finding.id,
        verdict=verdict_name(finding.verdict),
        tone="unsure" if oracle else "bad",
        title=title(finding),
        times=words.count(finding.count, "case"),
        facts=_facts(finding),
        message=finding.message,
        architecture=finding.architecture,
        minimal=finding.minimal,
        diagram=network.diagram(finding.architecture, finding.node),
        formula=chain.chain(finding),
        terms=chain.terms(finding),
        parties=parties,
        entries=tuple(_row(entry, finding, parties) for entry in shown),
        entries_left_out=len(finding.entries) - len(shown),
        likely=likely,
        ruled_out=ruled_out,
        deviation=finding.deviation,
        taylor=taylor(finding.taylor) if finding.taylor else None,
        replay=finding.replay,
    )


def title(finding: Finding) -> str:
    op = f" ({finding.op})" if finding.op else ""
    if finding.tensor is None:
        return f"{finding.op or 'the whole case'}"
    return f"gradient of {finding.tensor}{op}"


def diagnosis(finding: Finding) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it looks like, and what was ruled out: the lines that begin with those words."""
    likely = tuple(d for d in finding.diagnosis if not d.lower().startswith(RULED_OUT))
    out = tuple(d[len(RULED_OUT) :].lstrip(" :") for d in finding.diagnosis if d.lower().startswith(RULED_OUT))
    return likely, out


def _facts(finding: Finding) -> tuple[tuple[str, str], ...]:
    sides = "; ".join(f"{name}: {words.joined(parties)}" for name, parties in sorted(finding.sides.items()) if parties)
    found = (
        ("Dtype", finding.dtype),
        ("Odd one out", finding.odd_one_out or "open: the witnesses do not settle it"),
        ("Sides", sides),
        ("First case", f"index {finding.first_index:,}"),
        ("Smallest case", finding.case_file),
        ("Worst case", finding.worst_case_file),
        ("Worst network", finding.worst_architecture),
    )
    return tuple((name, value) for name, value in found if value)


def reference(entry: EntryRecord, finding: Finding) -> str | None:
    """The party whose value the others are held against: the most rigorous that is not the odd one out."""
    asked = [name for name, value in entry.values.items() if value is not None]
    order = [name for name in words.in_order(asked) if name not in (words.SUBJECT, finding.odd_one_out)]
    return order[0] if order else None


def side_of(party: str | None, finding: Finding) -> frozenset[str]:
    """The parties that agree with this one, as the judgement recorded them; itself alone where it did not."""
    return next((frozenset(s) for s in finding.sides.values() if party in s), frozenset((party,) if party else ()))


def _row(entry: EntryRecord, finding: Finding, parties: tuple[str, ...]) -> EntryRow:
    digits = words.digits_apart(entry.values.values())
    with_reference = side_of(reference(entry, finding), finding)
    known = len(with_reference) > 1 or finding.odd_one_out is not None
    values = []
    for party in parties:
        value = entry.values.get(party)
        apart = party == finding.odd_one_out or (finding.odd_one_out is None and party not in with_reference)
        values.append(Value(words.number(value, digits), known and value is not None and apart))
    return EntryRow(
        name=words.entry_name(entry.tensor, entry.index),
        point=entry.point,
        values=tuple(values),
        error=words.size(entry.error),
        bound=words.size(entry.bound),
        in_bounds=f"{words.times(entry.error / entry.bound)} ×" if entry.bound > 0 else words.MISSING,
        resolution=words.magnitude(entry.resolution),
    )


def taylor(item: Taylor) -> TaylorView:
    rows = zip(item.steps, item.claimed_remainders, item.reference_remainders, strict=False)
    steps = tuple((words.size(h), words.size(a), words.size(b)) for h, a, b in rows)
    return TaylorView(slopes(item), item.reference_name, steps)


def slopes(item: Taylor) -> str:
    """The slopes in a sentence. 2 is right and 1 is wrong, so each counts as the nearer of the two."""
    parts = []
    if item.claimed is not None:
        parts.append(f"{item.claimed:.2f} with this gradient")
    if item.reference is not None:
        parts.append(f"{item.reference:.2f} with that of {item.reference_name}")
    if item.claimed is None or item.reference is None:
        return f"slope {', '.join(parts)}" if parts else "no slope could be measured"
    return f"slope {', '.join(parts)}: {_meaning(item.claimed, item.reference)}"


def _meaning(claimed: float, reference_slope: float) -> str:
    midway = (1 + 2) / 2
    if reference_slope < midway:
        return "the remainder does not settle it"
    if claimed < midway:
        return "no rounding noise"
    return "both look right at these steps"
