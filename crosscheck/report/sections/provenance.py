"""Who was asked, under which settings, where and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosscheck.report.sections import words
from crosscheck.spec.record import Measured, Run

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gap:
    op: str
    reason: str
    cases: str


@dataclass(frozen=True)
class OracleRow:
    name: str
    answered: str
    share: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Provenance:
    oracles: tuple[OracleRow, ...]
    settings: Pairs
    started: str
    took: str
    parts: tuple[tuple[str, str, str, float], ...]
    versions: Pairs
    environment: Pairs


def provenance(run: Run, measured: Measured) -> Provenance:
    return Provenance(
        oracles=tuple(
            OracleRow(
                name=oracle.name,
                answered=f"{oracle.answered:,} of {run.cases:,}",
                share=words.percent(oracle.answered, run.cases),
                gaps=tuple(Gap(op, reason, words.count(cases, "case")) for op, reason, cases in oracle.gaps),
            )
            for oracle in run.oracles
        ),
        settings=_settings(run),
        started=measured.started,
        took=words.duration(measured.seconds),
        parts=_parts(measured),
        versions=_pairs(measured.versions),
        environment=_pairs(measured.environment),
    )


def _settings(run: Run) -> Pairs:
    first: Mapping[str, Any] = {"subject": run.subject, "seed": run.seed, "profile": run.profile}
    return (*((k, _text(v)) for k, v in first.items()), *((k, _text(v)) for k, v in sorted(run.settings.items())))


def _text(value: Any) -> str:
    """A string as it is, anything else as JSON, so that a record reads alike before and after storing."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _pairs(items: Mapping[str, str]) -> Pairs:
    return tuple(sorted(items.items()))


def _parts(measured: Measured) -> tuple[tuple[str, str, str, float], ...]:
    whole = sum(measured.seconds_by_part.values())
    parts = sorted(measured.seconds_by_part.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((name, words.duration(s), _share(s, whole), s) for name, s in parts)


def _share(seconds: float, whole: float) -> str:
    return f"{100 * seconds / whole:.0f} %" if whole else words.MISSING
