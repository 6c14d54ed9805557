"""What a run prints: the same text with and without colour, so that no verdict hangs on colour."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence

from crosscheck.report.sections import agreement, chain, findings, verdict, words
from crosscheck.spec.record import EntryRecord, Finding, Run, RunFile

LABEL = 8  # the width of the column of labels
LEAST_WIDTH = 40
# Pattern and style; a style repeats what the text says.
STYLES = (
    (r"(?m)^✗ .*$", "bold red"),
    (r"(?m)^  ! .*$", "yellow"),
    (r"(?m)^(PASSED)\b", "bold green"),
    (r"(?m)^(FAILED|CRASHED|GATE NOT MET)\b", "bold red"),
    (r"(?m)^(NOTHING VERIFIED|INTERRUPTED|NOT RUN)\b", "bold yellow"),
    (r"(?m)^  (net|entry|term|likely|known|taylor|replay|said|sides)\b", "cyan"),
)


def render(run_file: RunFile, *, width: int, color: bool, report: str | None = None) -> str:
    """The text of a run, lines of at most `width` letters where words allow, ending with a newline.

    `report` is the path of the report to name at the end, where one was written.
    """
    cleaned = words.cleaned(run_file)
    text = "\n".join(_wrapped(_lines(cleaned, report), max(width, LEAST_WIDTH))) + "\n"
    return _colored(text) if color else text


def _lines(run_file: RunFile, report: str | None) -> Iterator[str]:
    run = run_file.run
    yield from _header(run)
    yield from (f"  ! {warning}" for warning in verdict.warnings(run))
    yield ""
    for finding in findings.worst_first(run):
        yield from _finding(finding)
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
    found = [f"{words.percent(run.entries.informative, run.entries.compared)} informative"]
    known = [item for item in sorted(run.resolution, key=lambda r: r.dtype, reverse=True) if item.median is not None]
    medians = [f"{words.magnitude(r.median)}{f' in {r.dtype}' if len(known) > 1 else ''}" for r in known]
    return [*found, f"median resolution {words.joined(medians)}"] if medians else found


def _finding(finding: Finding) -> Iterator[str]:
    shrunk = ", shrunk" if finding.minimal else ""
    name = verdict.verdict_name(finding.verdict)
    yield f"✗ {finding.id}  {findings.title(finding)}: {name}  ×{finding.count:,}{shrunk}"
    yield from (_row(label, text) for label, text in _rows(finding) if text)


def _rows(finding: Finding) -> Iterator[tuple[str, str]]:
    likely, ruled_out = findings.diagnosis(finding)
    yield "net", finding.architecture + ("   (minimal)" if finding.minimal else "")
    if finding.entries:
        yield "entry", entry(finding.entries[0], finding)
    else:
        yield "said", finding.message
    yield "term", "   ".join(_term(term) for term in chain.terms(finding))
    out = f"ruled out: {', '.join(ruled_out)}" if ruled_out else ""
    yield "likely", "       ".join(part for part in ("; ".join(likely), out) if part)
    yield "known", finding.deviation or ""
    yield "taylor", findings.slopes(finding.taylor) if finding.taylor else ""
    yield "replay", finding.replay + (f"        case  {finding.case_file}" if finding.case_file else "")


def _row(label: str, text: str) -> str:
    return f"  {label:<{LABEL}}{text}"


def _term(term: chain.Term) -> str:
    if term.tone == "good":
        return f"{term.symbol} {term.mark}"
    said = ": ".join(part for part in (term.state, term.detail) if part)
    return " ".join(part for part in (term.symbol, term.mark, said) if part)


def entry(item: EntryRecord, finding: Finding) -> str:
    """`0.weight[0,0] = 0.8412; ball 1.0833, torch and jax agree with ball; off by 2.4e-01, bound 1.1e-15`."""
    digits = words.digits_apart(item.values.values())
    name = words.entry_name(item.tensor, item.index)
    own = words.SUBJECT in item.values
    claimed = f"{name} = {words.number(item.values[words.SUBJECT], digits)}" if own else name
    off = f"off by {words.size(item.error)}, bound {words.size(item.bound)}"
    return "; ".join(part for part in (claimed, _witnesses(item, finding, digits), off) if part)


def _witnesses(item: EntryRecord, finding: Finding, digits: int) -> str:
    asked = [n for n in words.in_order(item.values) if n != words.SUBJECT and item.values[n] is not None]
    reference = findings.reference(item, finding)
    side = findings.side_of(reference, finding)
    together = [n for n in asked if n != reference and n in side]
    alone = [n for n in asked if n not in together]
    said = [f"{n} {words.number(item.values[n], digits)}" for n in alone]
    if not together:
        return ", ".join(said)
    agree = f"{words.joined(together)} {'agrees' if len(together) == 1 else 'agree'} with {reference}"
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
    parts = []
    if run.entries.not_compared:
        parts.append(words.count(run.entries.not_compared, "entry", "entries"))
    if run.coverage.never_compared:
        parts.append(f"never: {', '.join(run.coverage.never_compared)}")
    if parts:
        yield f"  not compared  {'; '.join(parts)}"
        yield ""


def _last(run_file: RunFile) -> Iterator[str]:
    run = run_file.run
    head = verdict.headline(run)
    yield f"{head.label}  {' · '.join(_tally(run_file))} · exit {head.code}: {head.reason}"


def _tally(run_file: RunFile) -> list[str]:
    run = run_file.run
    wrong = verdict.distinct(run)
    found = [f"{words.count(len(wrong), 'distinct disagreement')}"]
    if wrong:
        found[0] += f" ({words.count(sum(f.count for f in wrong), 'case')})"
    return [*found, f"{run.entries.undecidable:,} undecidable", words.duration(run_file.measured.seconds)]


def _wrapped(lines: Iterator[str], width: int) -> Iterator[str]:
    """Long lines go on under their own text; words are never broken, so that paths can be copied."""
    for line in lines:
        if len(line) <= width:
            yield line.rstrip()
            continue
        yield from _broken(line, width)


def _broken(line: str, width: int) -> Sequence[str]:
    indent = " " * (2 + LABEL) if line.startswith("  ") else "  "
    return [
        part.rstrip()
        for part in textwrap.wrap(
            line,
            width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
    ]


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
