"""A card for each finding, worst first."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import chain, network, severity, taylor, words
from crosscheck.report.sections.verdict import verdict_name
from crosscheck.spec.record import EntryRecord, Finding
from crosscheck.spec.result import Verdict

RULED_OUT = "ruled out"
# What the recorder calls the loss where it stands among the gradients.
LOSS = "loss"
# Whose gradient it is that is off where the bound is void.
VOID = "the bound's own run"
OPEN = "open: the witnesses do not settle it"


@dataclass(frozen=True)
class Value:
    """What a party says, the proof with its radius; `stands_out` where it is not on the reference's side."""

    text: str
    stands_out: bool
    radius: str = ""


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
class Card:
    """Everything that the page shows of one finding; texts are plain, never markup."""

    id: str
    verdict: str
    tone: str
    mark: str
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
    unrecognised: str
    ruled_out: tuple[str, ...]
    deviation: str | None
    slope: str
    slope_taken: bool
    taylor: tuple[taylor.View, ...]
    replay: str


def card(finding: Finding, *, most_entries: int | None = None, folder: str = "") -> Card:
    """`folder` is the run's, from where the page stands."""
    shown = severity.worst_entries(finding)[:most_entries]
    parties = words.in_order({name for entry in shown for name in entry.values})
    likely, ruled_out = diagnosis(finding)
    return Card(
        id=finding.id,
        verdict=verdict_name(finding.verdict),
        tone="unsure" if is_oracles(finding) else "bad",
        mark="!" if is_oracles(finding) else "✗",
        title=title(finding),
        times=words.count(finding.count, "case"),
        facts=_facts(finding, folder),
        message=finding.message,
        architecture=finding.architecture,
        minimal=finding.minimal,
        diagram=network.diagram(finding.architecture, _first_wrong(finding)),
        formula=chain.chain(finding),
        terms=chain.terms(finding),
        parties=parties,
        entries=tuple(_row(entry, finding, parties) for entry in shown),
        entries_left_out=len(finding.entries) - len(shown),
        likely=likely,
        unrecognised=_unrecognised(finding),
        ruled_out=ruled_out,
        deviation=finding.deviation,
        slope=taylor.sentence(finding.taylor, finding.own_taylor, finding.no_taylor, in_question(finding)),
        slope_taken=finding.taylor is not None,
        taylor=taylor.views(finding, in_question(finding)),
        replay=finding.replay,
    )


def _first_wrong(finding: Finding) -> int | None:
    """The node of the first wrong factor, the loss as -1; where that is not known, that of the wrong tensor."""
    return finding.node if finding.located is None else finding.located.node


def title(finding: Finding) -> str:
    """What is wrong, in a few words: gradient of 0.weight (dense), the loss (sse), the whole case."""
    op = f" ({finding.op})" if finding.op else ""
    if _is(finding, Verdict.FORWARD_DISAGREES) or finding.tensor == LOSS:
        return f"the loss{op}"
    if finding.tensor is None:
        return finding.op or "the whole case"
    return f"gradient of {finding.tensor}{op}"


def _is(finding: Finding, *verdicts: Verdict) -> bool:
    return verdict_name(finding.verdict) in {verdict.name for verdict in verdicts}


def is_oracles(finding: Finding) -> bool:
    """An oracle's finding, which does not fail the run."""
    return _is(finding, Verdict.ORACLE_DISAGREES)


def is_void(finding: Finding) -> bool:
    """The derived bound is off the truth: it is the tolerance that is wrong, and no witness."""
    return is_oracles(finding) and finding.odd_one_out == words.TOLERANCE


def accused(finding: Finding) -> str | None:
    """The witness whose gradient is in question; None where it is the subject's, or nobody's."""
    return finding.odd_one_out if is_oracles(finding) and not is_void(finding) else None


def in_question(finding: Finding) -> str | None:
    """Whose gradient the slope is taken with, where it is not the subject's; a void bound has a run of its own."""
    return VOID if is_void(finding) else accused(finding)


def is_open(finding: Finding) -> bool:
    """Gradients differ, and the witnesses do not settle whose is wrong."""
    return _is(finding, Verdict.DISAGREES, Verdict.ORACLE_DISAGREES) and finding.odd_one_out is None


def says_more(finding: Finding) -> bool:
    """Whether the message says what no entry shows: the rule that was broken, the factor of the loss, a void bound."""
    told = _is(finding, Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES) or is_void(finding)
    return told or not finding.entries


def _unrecognised(finding: Finding) -> str:
    """What stands where nothing was recognised."""
    if is_void(finding):
        return "No gradient is accused: the bound is void, and what hangs on it is never counted as agreement."
    witness = accused(finding)
    return f"No known deviation of {witness} looks like this." if witness else "No known bug looks like this."


def diagnosis(finding: Finding) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it looks like, and what was ruled out: the lines that begin with those words."""
    likely = tuple(d for d in finding.diagnosis if not d.lower().startswith(RULED_OUT))
    out = tuple(d[len(RULED_OUT) :].lstrip(" :") for d in finding.diagnosis if d.lower().startswith(RULED_OUT))
    return likely, out


def _facts(finding: Finding, folder: str) -> tuple[tuple[str, str], ...]:
    sides = "; ".join(f"{name}: {words.joined(parties)}" for name, parties in sorted(finding.sides.items()) if parties)
    found = (
        ("Dtype", finding.dtype),
        ("Odd one out", finding.odd_one_out or (OPEN if is_open(finding) else None)),
        ("Sides", sides),
        ("First case", f"index {finding.first_index:,}"),
        ("Smallest case", words.in_folder(folder, finding.case_file)),
        ("Test", words.in_folder(folder, finding.test_file)),
        ("Worst case", words.in_folder(folder, finding.worst_case_file)),
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


def together(entry: EntryRecord, finding: Finding) -> tuple[str, ...]:
    """The witnesses that agree with the reference."""
    held_to = reference(entry, finding)
    side = side_of(held_to, finding) - {held_to, words.SUBJECT}
    return tuple(name for name in words.in_order(entry.values) if name in side and entry.values[name] is not None)


def digits(entry: EntryRecord, finding: Finding) -> int:
    """Enough to tell the subject from those against it; those on one side may differ by noise in all digits."""
    beside = side_of(words.SUBJECT, finding) - {words.SUBJECT}
    left_out = {*beside, *together(entry, finding)}
    return words.digits_apart(value for name, value in entry.values.items() if name not in left_out)


def _row(entry: EntryRecord, finding: Finding, parties: tuple[str, ...]) -> EntryRow:
    shown = digits(entry, finding)
    apart = _apart(entry, finding)
    values = tuple(
        Value(words.number(entry.values.get(party), shown), party in apart, radius(entry, party)) for party in parties
    )
    return EntryRow(
        name=words.entry_name(entry.tensor, entry.index),
        point=entry.point,
        values=values,
        error=words.size(entry.error),
        bound=words.size(entry.bound),
        in_bounds=f"{words.times(severity.in_bounds(entry))} ×",
        resolution=words.magnitude(entry.resolution),
    )


def radius(entry: EntryRecord, party: str) -> str:
    """`± 3e-17` behind the value that is proved."""
    proved = party == words.CERTIFIED and entry.radius is not None and entry.values.get(party) is not None
    return f"± {words.magnitude(entry.radius)}" if proved else ""


def _apart(entry: EntryRecord, finding: Finding) -> set[str]:
    """The parties whose value stands apart: by the judgement's sides, and where it is not finite but should be."""
    asked = {name: value for name, value in entry.values.items() if value is not None}
    held_to = reference(entry, finding)
    side = side_of(held_to, finding)
    apart = {name for name in asked if held_to and words.finite(asked[held_to]) and not words.finite(asked[name])}
    if finding.odd_one_out is not None:
        return apart | ({finding.odd_one_out} & asked.keys())
    return apart | (asked.keys() - side if len(side) > 1 else set())
