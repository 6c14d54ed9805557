"""The HTML report: one file that opens from disk, with nothing to load and nothing that can run but its own script.

The content security policy allows the page's one style and one script by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
from dataclasses import dataclass
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from crosscheck.report.sections import (
    accuracy,
    agreement,
    beside,
    coverage,
    findings,
    power,
    provenance,
    resolution,
    selftest,
    severity,
    truth,
    verdict,
    words,
)
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.kills import SelftestFile
from crosscheck.spec.power import PowerFile
from crosscheck.spec.record import Deviation, RunFile
from crosscheck.store.runs import FILE

# interface.md, "The HTML report".
MOST_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Level:
    """How much is shown. None is everything; `dropped` says what is missing, in words."""

    passing: bool = True
    entries: int | None = None
    findings: int | None = None
    text: int | None = None
    dropped: str = ""


# Tried in order until the page fits: what passed goes first, what failed last.
LEVELS = (
    Level(),
    Level(
        passing=False,
        dropped=(
            "coverage, gaps of oracles, conventions at kinks, accuracy, detection power, self-test, settings, "
            "environment"
        ),
    ),
    Level(False, 3, None, None, "the same, and all but the 3 worst entries of each finding"),
    Level(
        False, 1, 300, 2000, "the same, all but 1 entry of each finding, findings past 300, texts past 2,000 letters"
    ),
    Level(False, 1, 30, 500, "the same, findings past 30, texts past 500 letters"),
    Level(False, 0, 5, 100, "nearly everything: 5 findings are shown, without entries, texts cut at 100 letters"),
)


@dataclass(frozen=True)
class Page:
    """All that the templates read."""

    title: str
    about: tuple[tuple[str, str], ...]
    headline: verdict.Headline
    warnings: tuple[str, ...]
    verdicts: tuple[verdict.VerdictCount, ...]
    matrix: agreement.Matrix
    truth: truth.Truth
    cards: tuple[findings.Card, ...]
    cards_left_out: int
    compared: str
    kinds: tuple[resolution.Kind, ...]
    histograms: tuple[resolution.Histogram, ...]
    deviations: tuple[Deviation, ...]
    covered: coverage.Covered | None
    beside: beside.Beside | None
    accuracy: accuracy.Section | None
    power: power.Section | None
    selftest: selftest.Section | None
    provenance: provenance.Provenance | None
    dropped: str
    record: str
    others: tuple[str, ...]
    policy: str
    style: Markup
    script: Markup


def render(
    run_file: RunFile,
    *,
    folder: str = "",
    accuracy: AtlasFile | str | None = None,
    power: PowerFile | str | None = None,
    selftest: SelftestFile | str | None = None,
) -> str:
    """The page for a record; the same record gives the same page. At most MOST_BYTES, and it says what it dropped.

    `folder` is the run's folder as seen from the page's, where they are not the same: files are named from there.
    Beside the run stand `accuracy`, `power` and `selftest`: a record, None where there is none, or a text that says why
    it cannot be read.
    """
    others = beside.beside(beside.Records(accuracy, power, selftest))
    for level in LEVELS:
        page = _render(run_file, level, words.printable(folder), others)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _render(run_file: RunFile, level: Level, folder: str, others: beside.Beside) -> str:
    page = _page(words.cleaned(run_file, longest=level.text), level, folder, others)
    return _environment().get_template("page.html.j2").render(page=page)


def _page(run_file: RunFile, level: Level, folder: str, others: beside.Beside) -> Page:
    run = run_file.run
    worst = severity.worst_first(run)
    shown = worst[: level.findings]
    head = verdict.headline(run)
    style, script = _static("report.css"), _static("report.js")
    if others.accuracy is not None and level.passing:
        style += _static("accuracy.css")
    return Page(
        title=f"{head.label} · {run.subject} · crosscheck",
        about=_about(run_file),
        headline=head,
        warnings=verdict.warnings(run),
        verdicts=verdict.verdict_counts(run),
        matrix=agreement.matrix(run),
        truth=truth.truth(run, kinks=level.passing),
        cards=tuple(findings.card(f, most_entries=level.entries, folder=folder) for f in shown),
        cards_left_out=len(worst) - len(shown),
        compared=f"{run.entries.compared:,}",
        kinds=resolution.kinds(run.entries),
        histograms=resolution.histograms(run),
        deviations=run.deviations,
        covered=coverage.covered(run.coverage) if level.passing else None,
        beside=others if level.passing else None,
        accuracy=others.accuracy if level.passing else None,
        power=others.power if level.passing else None,
        selftest=others.selftest if level.passing else None,
        provenance=provenance.provenance(run, run_file.measured) if level.passing else None,
        dropped=level.dropped,
        record=posixpath.join(folder, FILE),
        others=tuple(_above(folder, name) for name in others.files) if level.passing else (),
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
    )


def _above(folder: str, name: str) -> str:
    """A file in the folder of all runs, as seen from the page."""
    return posixpath.normpath(posixpath.join(folder, "..", name))


def _about(run_file: RunFile) -> tuple[tuple[str, str], ...]:
    run, measured = run_file.run, run_file.measured
    return (
        ("Subject", run.subject),
        ("Oracles", ", ".join(o.name for o in run.oracles) or "none"),
        ("Dtype", ", ".join(sorted(run.coverage.dtypes, reverse=True)) or words.MISSING),
        ("Architectures", f"{run.cases:,}"),
        ("Points", f"{run.points:,}"),
        ("Entries compared", f"{run.entries.compared:,}"),
        ("Informative", words.percent(run.entries.resolved, run.entries.compared)),
        *truth.facts(run),
        ("Seed", str(run.seed)),
        ("Profile", run.profile),
        ("Took", words.duration(measured.seconds)),
    )


def policy(style: str, script: str) -> str:
    """The content security policy: everything is forbidden but this style and this script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _static(name: str) -> str:
    return resources.files("crosscheck.report").joinpath("static", name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crosscheck.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # MathML is made by sections/chain.py from numbers alone; nothing from a record gets this filter.
    environment.filters["mathml"] = Markup
    return environment
