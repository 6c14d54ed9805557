"""A run from its settings to its record: what `crosscheck run` and `crosscheck.check` have in common."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from crosscheck import __version__, gate
from crosscheck.calling import Called, call_witnesses
from crosscheck.checking import DIFFERENCED_ENTRIES, Certify, check
from crosscheck.diagnosis import conventions
from crosscheck.findings import Shown, findings
from crosscheck.judge.compare import Status, by_point
from crosscheck.machine import environment, versions
from crosscheck.report import pytest_file
from crosscheck.search import Hunt, Limits, hunt
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import UsageError
from crosscheck.spec.notation import template
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS
from crosscheck.spec.protocols import Subject
from crosscheck.spec.record import SCHEMA, Certification, Convention, Coverage, Exit, Finding, Measured, Run, RunFile
from crosscheck.spec.result import Verdict
from crosscheck.store import runs
from crosscheck.store.combinations import Held
from crosscheck.store.tally import Tally
from crosscheck.strategies import covering, edges
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.by_index import Given, Source
from crosscheck.strategies.cases import POINTS, cases, cases_of
from crosscheck.strategies.planning import Planner
from crosscheck.strategies.space import PALETTE, Space
from crosscheck.strategies.values import FAMILIES
from crosscheck.tolerance import memory

PROFILES = {"quick": 100, "ci": 400, "nightly": 20_000}
INTERRUPTED = Exit(code=2, reason="interrupted; what was found until then stands above")

OpChoice = str | tuple[str, Mapping[str, Value]]


@dataclass(frozen=True)
class Settings:
    """What was asked. `oracles` None asks for every one that is installed, and says which are not."""

    subject: Subject
    seed: int = 0
    profile: str = "quick"
    oracles: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] = ("float64",)
    ops: tuple[OpChoice, ...] | None = None
    architecture: str | None = None
    examples: int | None = None
    points: int = POINTS
    time_budget: float | None = None
    fail_on: tuple[str, ...] = ()
    first_failure: bool = False
    # Measured: proving every point takes 4 % of the time of a run with all witnesses (400 networks of the built-in),
    # 11 % where nobody else is asked (250 of PyTorch): leaving points out saves little.
    certify: Certify = "every"

    @property
    def limits(self) -> Limits:
        examples = PROFILES[self.profile] if self.examples is None else self.examples
        return Limits(examples, self.time_budget, self.first_failure)

    def shown(self) -> dict[str, Any]:
        """The settings as the record shows them."""
        return {
            "max_examples": self.limits.examples,
            "points": self.points,
            "dtype": list(self.dtypes),
            "ops": None if self.ops is None else [o if isinstance(o, str) else [o[0], dict(o[1])] for o in self.ops],
            "architecture": self.architecture,
            "oracles": None if self.oracles is None else list(self.oracles),
            "time_budget": self.time_budget,
            "fail_on": list(self.fail_on),
            "stop_at_first": self.first_failure,
            "certify": self.certify,
        }


@dataclass(frozen=True)
class Outcome:
    """A finished run: its record, and the cases that belong beside it."""

    run_file: RunFile
    shown: tuple[Shown, ...] = field(default=())

    @property
    def exit(self) -> Exit:
        return self.run_file.run.exit


def strategy(settings: Settings) -> tuple[st.SearchStrategy[Case], tuple[str, ...]]:
    """What is drawn, and the ops that it is drawn from."""
    if settings.points < 1:
        raise UsageError(f"--points is {settings.points}, must be at least 1")
    if settings.architecture is not None:
        if settings.ops is not None:
            raise UsageError("--architecture and --ops exclude each other: a fixed network has fixed operations")
        largest = _largest(settings.architecture)
        _check_supported(settings.subject, largest.ops)
        memory.refuse_what_does_not_fit(largest)
        points = memory.points_of_a_case(largest, settings.points)
        return cases_of(template(settings.architecture), dtypes=settings.dtypes, points=points), largest.ops
    if settings.subject.name == "sklearn-mlp":
        return _sklearn_cases(settings)
    space = _space(settings)
    _check_supported(settings.subject, space.ops)
    return cases(space, dtypes=settings.dtypes, points=settings.points), space.ops


def _space(settings: Settings) -> Space:
    """What networks are drawn from; weights of samples and penalties where the subject says that it knows them."""
    wanted = [op for op in OPS if op in settings.subject.supports] if settings.ops is None else settings.ops
    return Space.of(wanted, weighs=getattr(settings.subject, "weighs", False))


def _fixed(settings: Settings) -> Mapping[str, Mapping[str, Value]]:
    """By operation the attributes that are not drawn."""
    return {} if settings.ops is None else _space(settings).fixed


def _largest(text: str) -> Architecture:
    """The one network, its drawn sizes as large as they may be."""
    fixed = template(text)
    return fixed.fill([max(PALETTE)] * fixed.stars)


def _sklearn_cases(settings: Settings) -> tuple[st.SearchStrategy[Case], tuple[str, ...]]:
    from crosscheck.subjects import sklearn_draws
    from crosscheck.subjects.sklearn_mlp import RECIPES

    if settings.ops is not None:
        raise UsageError("--ops: sklearn-mlp draws the networks that its estimators compute; leave --ops out")
    drawn = sklearn_draws.cases(RECIPES, dtypes=settings.dtypes, points=settings.points)
    return drawn, tuple(op for op in OPS if op in settings.subject.supports)


def _check_supported(subject: Subject, ops: Sequence[str]) -> None:
    missing = [op for op in ops if op not in subject.supports]
    if missing:
        raise UsageError(f"subject {subject.name} does not support {', '.join(missing)}")


def verify(settings: Settings, progress: Callable[[int, Hunt], None] | None = None) -> Outcome:
    """Run what was asked. Raises SpecError or UsageError before anything is run, OracleCrashed during it."""
    started = datetime.now(UTC)
    drawn, ops = strategy(settings)
    planned = _planned(settings)
    allowed = None if planned is None else Allowed(frozenset(ops), _fixed(settings))
    source = Source(drawn, settings.seed, planned, ops=allowed)
    return _verified(settings, source, ops, planned, started, progress)


def verify_case(case: Case, subject: Subject) -> Outcome:
    """Check this one case with every witness that is installed. Raises UsageError for a subject that cannot answer."""
    settings = Settings(
        subject=subject,
        architecture=str(case.architecture),
        dtypes=(case.dtype,),
        examples=1,
        points=case.n_points,
    )
    ops = case.architecture.ops
    _check_supported(subject, ops)
    return _verified(settings, Given(case), ops, None, datetime.now(UTC), None)


def is_right(case: Case, subject: Subject, tensor: str) -> bool:
    """Whether this gradient is proved right as far as anything can be: at a kink, within the one-sided derivatives.

    At a kink, or where the true gradient is 0, nothing in it says something of the subject by itself; but a bug that
    showed in it does so no more.
    """
    called = call_witnesses(None, subject.error_model)
    with np.errstate(all="ignore"):
        judgement = check(case, subject, called.witnesses)
    found, proof = judgement.tensors.get(tensor), judgement.certified
    if judgement.verdict not in (Verdict.AGREES, Verdict.UNDECIDABLE) or found is None or proof is None:
        return False
    at_kink = np.broadcast_to(by_point(proof.hull, found.status), found.status.shape)
    seen = np.isin(found.status, (Status.AGREE, Status.UNINFORMATIVE)) | (
        at_kink & (found.status == Status.UNDECIDABLE)
    )
    return found.truth is not None and bool(seen.all())


def _verified(
    settings: Settings,
    source: Source,
    ops: tuple[str, ...],
    planned: covering.Array | None,
    started: datetime,
    progress: Callable[[int, Hunt], None] | None,
) -> Outcome:
    """Hunt over the source, explain what failed, and put it on record."""
    clock = time.perf_counter()
    called = call_witnesses(settings.oracles, settings.subject.error_model, settings.certify)
    held = None if planned is None else Held(planned.grid)
    # Whatever floating-point policy the subject's module has set, overflow here is a matter for the judge.
    with np.errstate(all="ignore"):
        result = hunt(
            source, settings.subject, called.witnesses, settings.limits, progress or (lambda _n, _h: None), held
        )
        shown, unexplained = _explained(result, source, settings, called)
    coverage = (
        result.tally.coverage(ops)
        if planned is None
        else result.tally.coverage(ops, edges.legal(planned.menu), edges.illegal(planned.menu))
    )
    run = _run(settings, called, result, coverage, [s.finding for s in shown], unexplained)
    measured = Measured(
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        seconds_by_part=dict(sorted(result.clock.seconds.items())),
        versions=versions(),
        environment=environment(),
    )
    return Outcome(RunFile(run=run, measured=measured), shown)


def _planned(settings: Settings) -> covering.Array | None:
    """The systematic phase of a run that draws its networks; None for a fixed one, and for scikit-learn's own."""
    if settings.architecture is not None or settings.subject.name == "sklearn-mlp":
        return None
    return covering.Array(Planner(Menu(_space(settings)), settings.dtypes, tuple(FAMILIES), settings.points))


def _explained(result: Hunt, source: Source, settings: Settings, called: Called) -> tuple[tuple[Shown, ...], int]:
    """The findings; as they were met, where an interrupt leaves no time to shrink them."""
    ask = (result, source, settings.subject, called.witnesses)
    with result.clock.part("shrinking"):
        if not result.interrupted:
            try:
                return findings(*ask)
            except KeyboardInterrupt:
                result.ended, result.interrupted = "interrupted while failures were shrunk", True
        return findings(*ask, shrink=False)


def _run(
    settings: Settings, called: Called, result: Hunt, coverage: Coverage, found: list[Finding], unexplained: int
) -> Run:
    tally = result.tally
    entries = tally.entries()
    verdicts = dict(sorted(tally.verdicts.items()))
    arbiter = called.witnesses.arbiter
    ending = gate.exit_for(
        verdicts, entries, fail_on=settings.fail_on, only_differences_left=called.only_differences_left
    )
    return Run(
        schema=SCHEMA,
        version=__version__,
        subject=settings.subject.name,
        seed=settings.seed,
        profile=settings.profile,
        settings=settings.shown(),
        oracles=tally.oracles(called.witnesses.names),
        cases=tally.cases,
        points=tally.points,
        entries=entries,
        resolution=tally.resolutions(),
        verdicts=verdicts,
        agreement=tally.agreement(),
        findings=tuple(found),
        deviations=tally.known_deviations(),
        coverage=coverage,
        warnings=tuple(_warnings(settings, called, result, unexplained)),
        exit=gate.first_of(ending, INTERRUPTED) if result.interrupted else ending,
        certification=tally.certification(arbiter.name, settings.certify) if arbiter is not None else None,
        conventions=_conventions(settings, called, tally.kinks),
    )


def _conventions(settings: Settings, called: Called, kinks: Iterable[str]) -> tuple[Convention, ...]:
    """Who takes what at the kinks that were met; the subject too, unless it was given one network to answer for."""
    subject = settings.subject if settings.architecture is None else None
    return conventions.at_kinks(sorted(kinks), called.witnesses, subject)


def _warnings(settings: Settings, called: Called, result: Hunt, unexplained: int) -> list[str]:
    said = list(called.warnings)
    if result.interrupted or settings.limits.examples != result.tally.cases:
        said.append(f"{result.ended}: {result.tally.cases} of {settings.limits.examples} architectures were checked")
    if unexplained:
        said.append(
            f"{unexplained} more failing cases belong to none of the causes shown; run again once these are mended"
        )
    if settings.architecture is not None:
        said += memory.told(_largest(settings.architecture), settings.points, DIFFERENCED_ENTRIES)
        said += _of_directions(result.tally)
    arbiter = called.witnesses.arbiter
    if arbiter is not None:
        for op, reason, n in result.tally.oracles([arbiter.name])[0].gaps:
            said.append(f"{arbiter.name} left out in {n} network{'s' * (n != 1)}: {op}: {reason}")
        said += _of_the_proof(result.tally.certification(arbiter.name, settings.certify))
    for kind, n in sorted(result.tally.unclaimed_names.items()):
        said.append(f"the subject returned no gradient of {kind} in {n} case{'s' * (n != 1)}: it was not compared")
    broken = {f.kind.rule for f in result.failures}
    if settings.architecture is None and settings.ops is None and broken & {"raised", "keys", "shape"}:
        said.append(
            "the subject was asked for random networks of all operations that it supports: "
            "for one network name an architecture, for some operations name them (ops)"
        )
    return said


def _of_directions(tally: Tally) -> list[str]:
    """What was tested without being compared entry by entry."""
    if not tally.directed:
        return []
    plural = "s" * (tally.directed != 1)
    seen = f"an error of {tally.seen_along:.0e} of a typical entry of its tensor in one of them would have been seen"
    if tally.seen_along == math.inf:
        seen = "in some of them no direction could have seen an error"
    said = [
        f"in {tally.directed} network{plural} entries that nobody was asked about were moved along random directions: "
        f"{seen}"
    ]
    if tally.untraced:
        said.append(f"in {tally.untraced} of them an error was seen along a direction and not traced to an entry")
    return said


def _of_the_proof(proof: Certification) -> list[str]:
    """Where truth was not to be had, and what stands in for it."""
    said = []
    if proof.left_out:
        said.append(
            f"{proof.arbiter} was not asked about, or has a gap for, {proof.left_out} of "
            f"{proof.left_out + proof.points} points: there the witnesses are judged pairwise"
        )
    if proof.at_limit:
        said.append(
            f"{proof.arbiter} reached its limit of {proof.most_bits} bits at {proof.at_limit} points: what it says "
            "there is wider than was asked for, and is counted so"
        )
    return said


def save(outcome: Outcome, folder: Path) -> Outcome:
    """Write run.json, the cases of the findings and a test of each into `folder`; the outcome with the files' names."""
    kept = []
    for shown in outcome.shown:
        failures = folder / "failures"
        failures.mkdir(parents=True, exist_ok=True)
        name = f"failures/{shown.finding.id}.npz"
        shown.smallest.save(folder / name)
        worst = f"failures/{shown.finding.id}-worst.npz"
        shown.worst.save(folder / worst)
        test = None
        if shown.finding.odd_one_out != "tolerance":  # the derived bound is nobody's gradient
            test = f"failures/{pytest_file.name_of(shown.finding)}"
            source = pytest_file.text(shown.finding, outcome.run_file.run, shown.smallest)
            (folder / test).write_text(source, encoding="utf-8")
        kept.append(msgspec.structs.replace(shown.finding, case_file=name, worst_case_file=worst, test_file=test))
    run = msgspec.structs.replace(outcome.run_file.run, findings=tuple(kept))
    run_file = msgspec.structs.replace(outcome.run_file, run=run)
    runs.write(run_file, folder)
    return Outcome(run_file, outcome.shown)
