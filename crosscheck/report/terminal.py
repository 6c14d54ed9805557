"""What a run prints: the same text with and without colour, so that no verdict hangs on colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crosscheck.report.layout import GAP, LABEL, colored, wrapped
from crosscheck.report.sections import (
    agreement,
    chain,
    coverage,
    findings,
    resolution,
    severity,
    taylor,
    truth,
    verdict,
    words,
)
from crosscheck.spec.record import EntryRecord, Finding, Run, RunFile

DETAIL = 10  # the width of the titles of what is asked for besides


def render(
    run_file: RunFile,
    *,
    width: int,
    color: bool,
    report: str | None = None,
    folder: str = "",
    beside: Sequence[str] = (),
) -> str:
    """The text of a run, lines of at most `width` letters where words allow, ending with a newline.

    `report` is the path of the report to name at the end, where one was written; `folder` is the run's, as seen
    from the working directory, so that the names of its files can be copied. `beside` is what a reader of the report
    must be warned of that is no part of the run.
    """
    cleaned = words.cleaned(run_file)
    lines = _lines(cleaned, report, words.printable(folder), beside)
    text = "\n".join(wrapped(lines, width)) + "\n"
    return colored(text) if color else text


def summary(run_file: RunFile) -> str:
    """The last line of that text alone, however long, ending with a newline."""
    return "".join(_last(words.cleaned(run_file))) + "\n"


def details(run_file: RunFile, *, width: int) -> str:
    """What a reader may ask for besides: settings, proof, every party's resolution, verdicts, time and versions."""
    cleaned = words.cleaned(run_file)
    return "\n".join(wrapped(_details(cleaned), width)) + "\n"


def _lines(run_file: RunFile, report: str | None, folder: str, beside: Sequence[str]) -> Iterator[str]:
    run = run_file.run
    yield from _header(run)
    yield from (f"  ! {warning}" for warning in (*verdict.warnings(run), *map(words.printable, beside)))
    yield ""
    for finding in severity.worst_first(run):
        yield from _finding(finding, folder)
        yield ""
    if not run.findings and run.agreement:
        found = truth.distances(run) if run.entries.certified == run.entries.compared else ()
        yield from _distances(found) if found else _agreement(run)
        yield ""
    yield from _conventions(run)
    yield from _not_compared(run)
    yield from _last(run_file)
    if report:
        yield f"report  {words.printable(report)}"


def _header(run: Run) -> Iterator[str]:
    oracles = " ".join(o.name for o in run.oracles) or "none"
    dtypes = " ".join(sorted(run.coverage.dtypes, reverse=True))
    parts = (f"crosscheck {run.version}", f"seed {run.seed}", f"subject {run.subject}", f"oracles {oracles}", dtypes)
    yield " · ".join(part for part in parts if part)
    yield (
        f"  architectures {run.cases:,} · points {run.points:,} · entries {run.entries.compared:,}"
        f" ({', '.join(_quality(run))})"
    )


def _quality(run: Run) -> list[str]:
    if not run.entries.compared:
        return ["none compared"]
    found = [f"{words.percent(run.entries.resolved, run.entries.compared)} informative"]
    if run.entries.certified:
        found.append(f"{words.percent(run.entries.certified, run.entries.compared)} certified")
    known = [
        item
        for item in sorted(resolution.of_subject(run), key=lambda r: r.dtype, reverse=True)
        if item.median is not None
    ]
    medians = [f"{words.magnitude(r.median)}{f' in {r.dtype}' if len(known) > 1 else ''}" for r in known]
    return [*found, f"median resolution {words.joined(medians)}"] if medians else found


def _finding(finding: Finding, folder: str) -> Iterator[str]:
    mark = "!" if findings.is_oracles(finding) else "✗"
    shrunk = ", shrunk" if finding.minimal else ""
    yield f"{mark} {finding.id}  {findings.title(finding)}: {_verdict(finding)}  ×{finding.count:,}{shrunk}"
    yield from (_row(label, text) for label, text in _rows(finding, folder) if text)


def _verdict(finding: Finding) -> str:
    name = verdict.verdict_name(finding.verdict)
    if findings.is_open(finding):
        return f"{name}, attribution open"
    return f"{name} ({finding.odd_one_out})" if findings.is_oracles(finding) else name


def _rows(finding: Finding, folder: str) -> Iterator[tuple[str, str]]:
    yield "net", finding.architecture + ("   (minimal)" if finding.minimal else "")
    yield "said", finding.message if findings.says_more(finding) else ""
    yield from (("entry", entry(worst, finding)) for worst in severity.worst_entries(finding)[:1])
    yield "sides", _sides(finding)
    yield "term", "   ".join(_term(term) for term in chain.terms(finding))
    yield "likely", _likely(finding)
    yield "known", finding.deviation or ""
    yield "taylor", _slopes(finding)
    case = words.in_folder(folder, finding.case_file)
    yield "replay", finding.replay + (f"{GAP} case  {case}" if case else "")
    yield "test", words.in_folder(folder, finding.test_file) or ""


def _slopes(finding: Finding) -> str:
    said = taylor.sentence(finding.taylor, finding.own_taylor, finding.no_taylor, findings.in_question(finding))
    return said if finding.taylor is None else f"{said} (2 is right, 1 is wrong)"


def _sides(finding: Finding) -> str:
    """Who stands against whom, where the witnesses do not settle it; the subject's side first."""
    sides = sorted(finding.sides.values(), key=lambda side: (words.SUBJECT not in side, side))
    if len(sides) < 2 or not findings.is_open(finding):
        return ""
    return f"{' against '.join(words.joined(words.in_order(side)) for side in sides)}; which of them is right is open"


def _likely(finding: Finding) -> str:
    found, ruled_out = findings.diagnosis(finding)
    likely = [line for line in found if not (findings.says_more(finding) and line == finding.message)]
    out = f"ruled out: {', '.join(ruled_out)}" if ruled_out else ""
    unnamed = "known deviation" if finding.deviation else "no known bug looks like this"
    unnamed = "as said above" if found else unnamed
    named = "; ".join(likely) or (unnamed if out else "")
    return GAP.join(part for part in (named, out) if part)


def _row(label: str, text: str) -> str:
    return f"  {label:<{LABEL}}{text}"


def _term(term: chain.Term) -> str:
    if term.tone == "good":
        return f"{term.symbol} {term.mark}"
    goes_on = term.detail.startswith(("or ", "and ", "at "))
    said = (" " if goes_on else ": ").join(part for part in (term.state, term.detail) if part)
    return " ".join(part for part in (term.symbol, term.mark, said) if part)


def entry(item: EntryRecord, finding: Finding) -> str:
    """`0.weight[0,0] = 0.8412; ball 1.0833, torch and jax agree with ball; off by 2.4e-01, bound 1.1e-15`."""
    digits = findings.digits(item, finding)
    name = words.entry_name(item.tensor, item.index)
    own = item.values.get(words.SUBJECT)
    claimed = f"{name} not claimed" if own is None else f"{name} = {words.number(own, digits)}"
    off = f"off by {words.size(item.error)}, bound {words.size(item.bound)}"
    return "; ".join(part for part in (claimed, _witnesses(item, finding, digits), off) if part)


def _witnesses(item: EntryRecord, finding: Finding, digits: int) -> str:
    asked = [n for n in words.in_order(item.values) if n != words.SUBJECT and item.values[n] is not None]
    reference = findings.reference(item, finding)
    together = findings.together(item, finding)
    alone = sorted((n for n in asked if n not in together), key=lambda n: n != reference)
    said = [f"{n} {words.number(item.values[n], digits)}{_spaced(findings.radius(item, n))}" for n in alone]
    if not together:
        return ", ".join(said)
    one = len(together) == 1 and together[0] not in words.PLURAL
    agree = f"{words.joined(together)} {'agrees' if one else 'agree'} with {reference}"
    return ", ".join([said[0], agree, *said[1:]])


def _spaced(text: str) -> str:
    return f" {text}" if text else ""


def _distances(found: Sequence[truth.Distance]) -> Iterator[str]:
    """Where all is certified, who agrees with whom follows from how far each is from the truth."""
    wide = max(len(item.party) for item in found)
    yield "  each party against the certified truth, in units of its own bound"
    for item in found:
        off = f"{item.off} of {item.compared} off" if item.tone == "bad" else f"{item.compared} compared"
        yield f"  {item.mark} {item.party:<{wide}}  {off}; worst {item.in_bounds} its bound, {item.ulps} ulp"


def _agreement(run: Run) -> Iterator[str]:
    matrix = agreement.matrix(run)
    order = {name: place for place, name in enumerate(matrix.parties)}
    wide = max(len(name) for name in matrix.parties)
    lines = {}
    for pair in run.agreement:
        a, b = sorted((pair.a, pair.b), key=lambda name: order[name])
        cell = agreement.cell(pair)
        said = "; ".join(text for text in (cell.headline, cell.detail) if text)
        lines[order[a], order[b]] = f"  {cell.mark or words.MISSING} {a:<{wide}}  {b:<{wide}}  {said}"
    yield f"  {matrix.sentence}"
    yield from (lines[place] for place in sorted(lines))


def _conventions(run: Run) -> Iterator[str]:
    """Who takes what exactly at a kink, where not all take the same or one is outside the hull."""
    told = [item for item in run.conventions if not truth.alike(item) or truth.stray(item)]
    if told:
        yield "  at a kink any value between the one-sided derivatives is right; taken there:"
        for item in told:
            said = ", ".join(f"{name} {truth.taken(item, name)}" for name in words.in_order(item.values))
            stray = truth.stray(item)
            wrong = f"; outside: {words.joined(stray)}" if stray else ""
            ends = f"{words.number(item.low)} and {words.number(item.high)}"
            yield f"    {item.op} at {words.number(item.at)}, between {ends}: {said}{wrong}"
        yield ""


def _not_compared(run: Run) -> Iterator[str]:
    entries, never = run.entries.not_compared, run.coverage.never_compared
    unmet = coverage.kinks_never_met(run.coverage)
    if entries:
        yield f"  not compared: {words.count(entries, 'entry', 'entries')}: {resolution.MEANINGS['not_compared']}"
    if never:
        yield f"  never compared in this run: {', '.join(never)}"
    if unmet:
        yield f"  kinks that no value stood on exactly: {unmet}"
    if entries or never or unmet:
        yield ""


def _last(run_file: RunFile) -> Iterator[str]:
    run = run_file.run
    head = verdict.headline(run)
    yield f"{head.label}  {' · '.join(_tally(run_file))} · exit {head.code}: {head.reason}"


def _tally(run_file: RunFile) -> list[str]:
    run = run_file.run
    wrong = verdict.failing_cases(run)
    found = [words.count(len(verdict.distinct(run)), "distinct disagreement")]
    if wrong:
        found[0] += f" ({words.count(wrong, 'case')})"
    over = f" ({words.count(run.entries.overflowed, 'overflows', 'overflow')})" if run.entries.overflowed else ""
    return [
        *found,
        f"{words.count(run.entries.undecidable, 'entry', 'entries')} undecidable{over}",
        words.duration(run_file.measured.seconds),
    ]


def _details(run_file: RunFile) -> Iterator[str]:
    run, measured = run_file.run, run_file.measured
    seconds = {part: round(taken, 3) for part, taken in measured.seconds_by_part.items()}
    rows = (
        ("settings", _pairs(run.settings)),
        *truth.text(run),
        ("verdicts", _pairs(run.verdicts)),
        ("kinks", coverage.kinks(run.coverage)),
        ("combined", coverage.combined(run.coverage)),
        ("seconds", _pairs(seconds)),
        ("versions", _pairs(measured.versions)),
    )
    yield from (f"{title:<{DETAIL}}{text}" for title, text in rows if text)


def _pairs(items: Mapping[str, object]) -> str:
    return " · ".join(f"{name} {value}" for name, value in items.items())
