"""What a run prints: the same text with and without colour, so that no verdict hangs on colour."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator

from crosscheck.report.sections import agreement, chain, findings, resolution, severity, verdict, words
from crosscheck.spec.record import EntryRecord, Finding, Run, RunFile

LABEL = 8  # the width of the column of labels
LEAST_WIDTH = 40
GAP = " " * 7  # between two things in one row; wider than any padding behind a label
LABELLED = re.compile(r"  [a-z]+ {2,}")
# Pattern and style; a style repeats what the text says.
STYLES = (
    (r"(?m)^✗ .*$", "bold red"),
    (r"(?m)^! .*$", "bold yellow"),
    (r"(?m)^  ! .*$", "yellow"),
    (r"(?m)^(PASSED)\b", "bold green"),
    (r"(?m)^(FAILED|CRASHED|GATE NOT MET)\b", "bold red"),
    (r"(?m)^(NOTHING VERIFIED|INTERRUPTED|NOT RUN)\b", "bold yellow"),
    (r"(?m)^  (net|entry|term|likely|known|taylor|replay|said|sides)\b", "cyan"),
)


def render(run_file: RunFile, *, width: int, color: bool, report: str | None = None, folder: str = "") -> str:
    """The text of a run, lines of at most `width` letters where words allow, ending with a newline.

    `report` is the path of the report to name at the end, where one was written; `folder` is the run's, as seen
    from the working directory, so that the names of its files can be copied.
    """
    cleaned = words.cleaned(run_file)
    lines = _lines(cleaned, report, words.printable(folder))
    text = "\n".join(_wrapped(lines, max(width, LEAST_WIDTH))) + "\n"
    return _colored(text) if color else text


def summary(run_file: RunFile) -> str:
    """The last line of that text alone, however long, ending with a newline."""
    return "".join(_last(words.cleaned(run_file))) + "\n"


def _lines(run_file: RunFile, report: str | None, folder: str) -> Iterator[str]:
    run = run_file.run
    yield from _header(run)
    yield from (f"  ! {warning}" for warning in verdict.warnings(run))
    yield ""
    for finding in severity.worst_first(run):
        yield from _finding(finding, folder)
        yield ""
    if not run.findings and run.agreement:
        yield from _agreement(run)
        yield ""
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
    known = [item for item in sorted(run.resolution, key=lambda r: r.dtype, reverse=True) if item.median is not None]
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
    yield "taylor", f"{findings.slopes(finding.taylor)} (2 is right, 1 is wrong)" if finding.taylor else ""
    case = words.in_folder(folder, finding.case_file)
    yield "replay", finding.replay + (f"{GAP} case  {case}" if case else "")


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
    said = ": ".join(part for part in (term.state, term.detail) if part)
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
    said = [f"{n} {words.number(item.values[n], digits)}" for n in alone]
    if not together:
        return ", ".join(said)
    one = len(together) == 1 and together[0] not in words.PLURAL
    agree = f"{words.joined(together)} {'agrees' if one else 'agree'} with {reference}"
    return ", ".join([said[0], agree, *said[1:]])


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


def _not_compared(run: Run) -> Iterator[str]:
    entries, never = run.entries.not_compared, run.coverage.never_compared
    if entries:
        yield f"  not compared: {words.count(entries, 'entry', 'entries')}: {resolution.MEANINGS['not_compared']}"
    if never:
        yield f"  never compared in this run: {', '.join(never)}"
    if entries or never:
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
    return [
        *found,
        f"{words.count(run.entries.undecidable, 'entry', 'entries')} undecidable",
        words.duration(run_file.measured.seconds),
    ]


def _wrapped(lines: Iterator[str], width: int) -> Iterator[str]:
    """Long lines go on under their own text; words are never broken, so that paths can be copied."""
    for line in lines:
        if len(line) <= width:
            yield line.rstrip()
            continue
        yield from _broken(line, width)


def _broken(line: str, width: int) -> Iterator[str]:
    """A wide gap is the first place to break at: what stands after it is a label of its own."""
    indent = _indent(line)
    first, *others = line.split(GAP)
    for piece in (first, *(indent + other.lstrip() for other in others)):
        wrapped = textwrap.wrap(
            piece,
            width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        yield from (part.rstrip() for part in wrapped)


def _indent(line: str) -> str:
    if LABELLED.match(line):
        return " " * (2 + LABEL)
    return " " * 4 if line.startswith("  ") else "  "


def _colored(text: str) -> str:
    from rich.console import Console
    from rich.text import Text

    styled = Text(text, end="")
    for pattern, style in STYLES:
        styled.highlight_regex(pattern, style)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", no_color=False, legacy_windows=False)
    console.print(styled, soft_wrap=True, highlight=False, end="")
    return out.getvalue()
