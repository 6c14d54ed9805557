"""The self-test as a page of its own and as text. In a run's page it is a section, `_selftest.html.j2`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from crosscheck.report import html
from crosscheck.report.layout import colored, wrapped
from crosscheck.report.sections import selftest, words
from crosscheck.report.sections.selftest import Row
from crosscheck.spec.errors import UsageError
from crosscheck.spec.kills import FILE, Selftest, SelftestFile
from crosscheck.store.runs import replace

PAGE = "selftest.html"
NAME, CELL, PEER = 28, 10, 18  # widths of the columns of the text
MARKS = {"bad": "✗", "unsure": "!"}


@dataclass(frozen=True)
class Page:
    """All that the templates read."""

    title: str
    selftest: selftest.Section
    record: str
    policy: str
    style: Markup
    script: Markup


def render(file: SelftestFile) -> str:
    """The page for a record; the same record gives the same page."""
    style, script = html._static("report.css"), html._static("report.js")
    found = selftest.section(file, every_bug=True)
    page = Page(
        title=f"{found.headline.label} · self-test · crosscheck",
        selftest=found,
        record=FILE,
        policy=html.policy(style, script),
        style=Markup(style),
        script=Markup(script),
    )
    return html._environment().get_template("selftest.html.j2").render(page=page)


def write(file: SelftestFile, path: Path) -> Path:
    """Write the page. Raises UsageError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, render(file).encode())
    except OSError as error:
        raise UsageError(f"report {path}: cannot be written: {error.strerror}") from None
    return path


def text(file: SelftestFile, *, width: int, color: bool) -> str:
    """The kill table and what went wrong, lines of at most `width` letters where words allow, ending with a newline."""
    found = "\n".join(wrapped(_lines(words.cleaned_record(file)), width)) + "\n"
    return colored(found) if color else found


def summary(file: SelftestFile) -> str:
    """The last line of that text alone, however long, ending with a newline."""
    return f"{_last(words.cleaned_record(file))}\n"


def _lines(file: SelftestFile) -> Iterator[str]:
    found = file.selftest
    yield f"crosscheck {found.version} · self-test · seed {found.seed} · profile {found.profile} · {found.dtype}"
    yield f"  {' · '.join(_size(found))}"
    yield ""
    rows = selftest.rows(found)
    if rows:
        yield from _table(rows)
        yield ""
    if found.peers:
        yield from _peers(found, rows)
        yield ""
    yield from (f"  {text}" for text in selftest.totals(found))
    yield from (f"  Left out: {name} · {why}" for name, why in found.left_out)
    yield ""
    for group in selftest.groups(found):
        yield f"{MARKS[group.tone]} {group.title}  ×{len(group.items):,}"
        yield from (f"  {name} · {said}" for name, said in group.items)
        yield ""
    yield _last(file)


def _size(found: Selftest) -> Iterator[str]:
    yield f"bugs {len(found.kills):,}"
    yield f"controls {len(found.controls):,}"
    yield f"at most {words.count(found.most_networks, 'network')} each"
    yield f"{words.count(found.points, 'point')} a network"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    heads = ("planted", "caught", "networks", "located", "alone", "named", f"<= {selftest.SMALL}")
    yield _row("family", heads)
    for row in rows:
        cells = (row.planted, row.caught, row.networks, row.located, row.alone, row.named, row.small)
        yield _row(row.family, cells)
    yield (
        f"  networks: median until caught; alone: located without the subject's intermediates; <= {selftest.SMALL}: "
        "layers that it was shrunk to"
    )


def _peers(found: Selftest, rows: Sequence[Row]) -> Iterator[str]:
    """What other checkers found of the same bugs on the same networks."""
    yield _row("caught, of those asked", [peer.name for peer in found.peers], PEER)
    for row in rows:
        yield _row(row.family, row.peers, PEER)
    alarms = [f"{peer.alarms:,} of {peer.sound:,}" for peer in found.peers]
    yield _row("sound gradients accused", alarms, PEER)


def _row(name: str, cells: Sequence[str], wide: int = CELL) -> str:
    return f"{name:{NAME}}{''.join(f'{cell:>{wide}}' for cell in cells)}"


def _last(file: SelftestFile) -> str:
    head = selftest.headline(file.selftest)
    said = (*selftest.score(file.selftest), words.duration(file.measured.seconds))
    return f"{head.label}  {' · '.join(said)} · exit {head.code}: {head.reason}"
