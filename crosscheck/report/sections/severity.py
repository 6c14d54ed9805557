"""How bad a finding is: what is off by NaN or infinity is off by more than any number."""

from __future__ import annotations

import math

from crosscheck.report.sections import words
from crosscheck.report.sections.verdict import verdict_name
from crosscheck.spec.record import EntryRecord, Finding, Run
from crosscheck.spec.result import Verdict


def worst_first(run: Run) -> tuple[Finding, ...]:
    """By the verdict's precedence, what is not finitely wrong first, then by cases, then by the first of them."""
    rank = {verdict.name: place for place, verdict in enumerate(Verdict)}
    return tuple(
        sorted(
            run.findings,
            key=lambda f: (rank.get(verdict_name(f.verdict), 0), finitely_wrong(f), -f.count, f.first_index, f.id),
        )
    )


def finitely_wrong(finding: Finding) -> bool:
    return all(words.finite(entry.error) for entry in finding.entries)


def worst_entries(finding: Finding) -> tuple[EntryRecord, ...]:
    """The entries in the record's order, which is worst first, but for those without a finite error: these lead."""
    return tuple(sorted(finding.entries, key=lambda entry: words.finite(entry.error)))


def in_bounds(entry: EntryRecord) -> float:
    """The error in units of its bound. NaN where either is NaN or both are infinite: no such entry is harmless."""
    error, bound = words.as_float(entry.error), words.as_float(entry.bound)
    if bound == 0:
        return error * math.inf if error else 0.0
    return error / bound
