"""The verdict in a sentence, and the warnings that can void it."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.gate import FAILING, by_verdict
from crosscheck.report.sections import words
from crosscheck.spec.record import Finding, OracleRecord, Run
from crosscheck.spec.result import Verdict

# Exit code: the word for it, a mark, and the tone in which the page shows both. interface.md, "Exit codes".
LABELS = {
    0: ("PASSED", "✓", "good"),
    1: ("FAILED", "✗", "bad"),
    2: ("INTERRUPTED", "!", "unsure"),
    3: ("CRASHED", "✗", "bad"),
    4: ("NOT RUN", "!", "unsure"),
    5: ("NOTHING VERIFIED", "!", "unsure"),
    6: ("GATE NOT MET", "✗", "bad"),
}
# A warning is a line; all gaps stand in the report's table of oracles.
GAPS_NAMED = 2


@dataclass(frozen=True)
class Headline:
    label: str
    mark: str
    tone: str
    sentence: str
    code: int
    reason: str


@dataclass(frozen=True)
class VerdictCount:
    name: str
    cases: int
    tone: str


def headline(run: Run) -> Headline:
    label, mark, tone = LABELS.get(run.exit.code, ("FAILED", "✗", "bad"))
    return Headline(label, mark, tone, _sentence(run), run.exit.code, run.exit.reason)


def _sentence(run: Run) -> str:
    if run.exit.code == 0:
        return _agreement(run)
    if run.exit.code == 1:
        return _disagreement(run)
    checked = words.count(run.cases, "architecture")
    if run.exit.code == 5:
        return f"Nothing was verified about {run.subject}: this is no pass ({checked} drawn)."
    if run.exit.code == 6:
        return f"{run.subject} shows no wrong gradient, but the run verified less than it must ({checked} checked)."
    return f"The run did not come to its end, so it says nothing about {run.subject} ({checked} checked)."


def _agreement(run: Run) -> str:
    differing = {b if a == words.SUBJECT else a for a, b in _differing(run)}
    names = words.joined([o.name for o in run.oracles if o.answered and o.name not in differing]) or "no oracle"
    but = f" (not everywhere with {words.joined(words.in_order(differing))})" if differing else ""
    compared = words.count(run.entries.compared, "gradient entry", "gradient entries")
    return (
        f"{run.subject} agrees with {names}{but}: {compared} compared over {words.count(run.cases, 'architecture')}, "
        f"{words.percent(run.entries.resolved, run.entries.compared)} of them informative{_certified(run)}."
    )


def _certified(run: Run) -> str:
    entries = run.entries
    return f", {words.percent(entries.certified, entries.compared)} certified" if entries.certified else ""


def _differing(run: Run) -> list[tuple[str, str]]:
    """The subject's pairs that differ somewhere."""
    return [(p.a, p.b) for p in run.agreement if words.SUBJECT in (p.a, p.b) and p.disagreements]


def _disagreement(run: Run) -> str:
    wrong = failing_cases(run)
    if not wrong:
        return f"{run.subject} shows no wrong gradient, but the run was asked to fail on what it met."
    causes = distinct(run)
    found = f": {words.count(len(causes), 'distinct cause')}" if causes else ""
    return f"{run.subject} fails in {wrong:,} of {words.count(run.cases, 'architecture')}{found}."


def failing_cases(run: Run) -> int:
    """The cases that fail the run, each once: one case may belong to two findings."""
    counts = by_verdict(run.verdicts)
    return sum(counts[verdict] for verdict in FAILING)


def distinct(run: Run) -> tuple[Finding, ...]:
    """The findings that fail the run."""
    failing = {verdict.name for verdict in FAILING}
    return tuple(f for f in run.findings if verdict_name(f.verdict) in failing)


def verdict_name(text: str) -> str:
    """`disagrees` and `DISAGREES` are one verdict."""
    return text.upper().replace(" ", "_")


def verdict_counts(run: Run) -> tuple[VerdictCount, ...]:
    """Cases by verdict, in order of precedence, those that occurred."""
    tones = dict.fromkeys(Verdict, "unsure") | dict.fromkeys(FAILING, "bad") | {Verdict.AGREES: "good"}
    counts = by_verdict(run.verdicts)
    return tuple(VerdictCount(v.name, counts[v], tones[v]) for v in Verdict if counts[v])


def warnings(run: Run) -> tuple[str, ...]:
    """What can void a pass; the run's own warnings first, none twice."""
    found = [*run.warnings, *_oracles(run), *_odd_oracles(run), *_few_informative(run), *_kinks(run)]
    return tuple(dict.fromkeys(found))


def _oracles(run: Run) -> list[str]:
    if not run.oracles:
        return ["No oracle was asked."]
    found = []
    # Where the subject broke the contract the oracles may not have been asked at all, and the finding says so.
    asked = run.cases - by_verdict(run.verdicts)[Verdict.BROKE_CONTRACT]
    for oracle in run.oracles:
        cases = words.count(run.cases, "architecture")
        if not oracle.answered and asked:
            found.append(f"The oracle {oracle.name} is missing: it answered for none of {cases}{_why(oracle)}.")
        elif oracle.answered < asked:
            found.append(f"The oracle {oracle.name} answered for {oracle.answered:,} of {cases} only{_why(oracle)}.")
    return found


def _why(oracle: OracleRecord) -> str:
    """Its gaps, those that cost the most cases first."""
    gaps = sorted(oracle.gaps, key=lambda gap: (-gap[2], gap[:2]))
    named = [f"{op}: {reason}" for op, reason, _ in gaps[:GAPS_NAMED]]
    more = [f"{len(gaps) - GAPS_NAMED} more"] if len(gaps) > GAPS_NAMED else []
    return f" ({'; '.join([*named, *more])})" if gaps else ""


def _odd_oracles(run: Run) -> list[str]:
    cases = by_verdict(run.verdicts)[Verdict.ORACLE_DISAGREES]
    if not cases:
        return []
    odd = [f for f in run.findings if verdict_name(f.verdict) == Verdict.ORACLE_DISAGREES.name]
    void = [f for f in odd if f.odd_one_out == words.TOLERANCE]
    rest = max(0, cases - sum(f.count for f in void))
    named = [_odd_one(f) for f in odd if f not in void]
    names = "; ".join(dict.fromkeys(named)) or "; ".join(
        f"{d.witness} on {d.op}: known deviation ({d.region})" for d in run.deviations
    )
    where = f": {names}" if names else ""
    off = "is off the certified truth" if run.entries.certified else "disagrees with the others"
    said = [f"An oracle {off} in {words.count(rest, 'architecture')}{where}."] if rest else []
    return [*said, *_void(void)]


def _odd_one(finding: Finding) -> str:
    who = finding.odd_one_out or "attribution open"
    if finding.deviation:  # it names the operation that deviates, which need not be the one whose gradient shows it
        known = finding.deviation.removeprefix(f"{who} ")
        return f"{who}, known deviation: {known}"
    return f"{who}{f' on {finding.op}' if finding.op else ''}, no known deviation"


def _void(findings: list[Finding]) -> list[str]:
    """The yardstick is what failed there: not the subject's fault, and no agreement."""
    if not findings:
        return []
    cases = words.count(sum(f.count for f in findings), "architecture")
    return [
        f"The derived bound is itself off the certified truth in {cases}: it is void there, and counts as no agreement."
    ]


def _few_informative(run: Run) -> list[str]:
    """Fewer than half: then the run says less than it leaves open."""
    entries = run.entries
    if not entries.compared or 2 * entries.resolved >= entries.compared:
        return []
    share = words.percent(entries.resolved, entries.compared)
    compared = words.count(entries.compared, "entry is", "entries are")
    return [f"Only {share} of {compared} informative: less was seen than was left open."]


def _kinks(run: Run) -> list[str]:
    entries = run.entries
    stray = entries.undecidable - entries.overflowed - entries.undecidable_by_design
    said = []
    if stray:
        number = words.count(stray, "entry is", "entries are")
        said.append(f"{number} undecidable (a kink or a tie) in cases that do not aim at kinks.")
    if entries.overflowed:
        number = words.count(entries.overflowed, "entry overflows", "entries overflow")
        said.append(f"{number}: the value, or one on its way, is beyond the dtype.")
    return said
