"""The proof that it can fail: every known bug is planted, hunted, located, named and shrunk; every control must pass.

A bug is hunted as a subject is, over random networks of the operations that it touches, and held against certified
truth. One mutant is one piece of work, a function of its name and the seed: any executor may do it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import numpy as np

from crosscheck import mutants
from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import diagnose, forward
from crosscheck.diagnosis.diagnose import Diagnosis
from crosscheck.diagnosis.locate import Located, locate
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.mutants.mutant import Control, Mutant
from crosscheck.search import FAILING, Failure, Kind, drawn
from crosscheck.shrinking import Shrunk, shrunk
from crosscheck.spec.case import Case
from crosscheck.spec.errors import SpecError
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.kills import Kill, Sound
from crosscheck.spec.protocols import Certifier, Subject
from crosscheck.spec.result import Verdict
from crosscheck.strategies.by_index import NotAgain, Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import FAMILIES
from crosscheck.subjects.planted import Mute, Planted

POINTS = 4
# A network alone cannot hold every control's operations; these stand around them as they do around a bug's.
AROUND = ("dense", "sse")
# A control passes all of its networks, where a bug is caught by one of the first.
SOUND_NETWORKS = 60
# Failing cases beside the smallest that a diagnosis looks at.
OTHERS = 2


@dataclass(frozen=True)
class Plan:
    """How each bug is hunted: over at most so many networks; `shrink` and diagnose it too."""

    networks: int
    seed: int = 0
    dtype: str = "float64"
    points: int = POINTS
    shrink: bool = True


@dataclass(frozen=True)
class Timed:
    """What became of one bug, and the seconds that its hunt and its shrinking took."""

    kill: Kill
    hunting: float
    shrinking: float


@cache
def _mutants() -> dict[str, Mutant]:
    return {mutant.name: mutant for mutant in mutants.mutants()}


@cache
def _controls() -> dict[str, Control]:
    return {control.name: control for control in mutants.controls()}


def space_of(mutant: Mutant | Control) -> Space:
    """The operations that it touches, what it needs beside them, and what a network is made of."""
    fixed = mutant.fixed if isinstance(mutant, Mutant) else {}
    names = dict.fromkeys((*mutant.rows, *mutant.beside, *AROUND))
    return Space.of([(name, fixed[name]) if name in fixed else name for name in names])


def source_of(mutant: Mutant | Control, plan: Plan) -> Source:
    space = space_of(mutant)
    families = mutant.families or tuple(FAMILIES)
    drawn_from = cases(space, dtypes=(plan.dtype,), points=plan.points, families=families)
    return Source(drawn_from, plan.seed, ops=space.ops)


def kill(name: str, plan: Plan) -> Timed:
    """Hunt one bug by its name. Raises OracleUnavailable without python-flint: what is right must be known."""
    from crosscheck.oracles.ball import Ball

    mutant, arbiter = _mutants()[name], Ball()
    with np.errstate(all="ignore"):
        return _killed(mutant, plan, arbiter)


def _killed(mutant: Mutant, plan: Plan, arbiter: Certifier) -> Timed:
    start = time.perf_counter()
    source, witnesses = source_of(mutant, plan), Witnesses((arbiter,), differences=False)
    subject = Planted(mutant)
    about = Kill(
        name=mutant.name,
        family=mutant.family,
        source=mutant.source,
        op=next(iter(mutant.ops), None),
        symptom=mutant.symptom.name,
        networks=None,
    )
    for index in range(plan.networks):
        case = drawn(source, index)
        judgement = check(case, subject, witnesses)
        if judgement.verdict in FAILING and judgement.odd_one_out != "tolerance":
            hunting = time.perf_counter() - start
            found = _described(mutant, about, index, case, judgement, source, subject, witnesses, plan)
            return Timed(found, hunting, time.perf_counter() - start - hunting)
    return Timed(about, time.perf_counter() - start, 0.0)


def _described(
    mutant: Mutant,
    about: Kill,
    index: int,
    case: Case,
    judgement: Judgement,
    source: Source,
    subject: Planted,
    witnesses: Witnesses,
    plan: Plan,
) -> Kill:
    import msgspec

    changes: dict[str, object] = {"networks": index + 1, "verdict": judgement.verdict.name}
    if plan.shrink:
        smallest = _shrunk(index, case, judgement, source, subject, witnesses)
        changes |= {
            "smallest": str(smallest.case.architecture),
            "layers": len(smallest.case.architecture.nodes),
            "evaluations": smallest.evaluations,
        }
        changes |= _said(mutant, smallest.case, case, source, subject, witnesses)
    return msgspec.structs.replace(about, **changes)


def _shrunk(
    index: int, case: Case, judgement: Judgement, source: Source, subject: Subject, witnesses: Witnesses
) -> Shrunk:
    kind = Kind.of(judgement)[0]
    ratio = judgement.forward.ratio if judgement.forward is not None else None
    failure = Failure(index, kind, frozenset(case.architecture.ops), 1.0, None, frozenset(), forward=ratio)
    try:
        return shrunk(source, failure, subject, witnesses)
    except NotAgain:  # a bug that remembers: the case stands for itself
        return Shrunk(case, 1)


def _said(
    mutant: Mutant, smallest: Case, met: Case, source: Source, subject: Planted, witnesses: Witnesses
) -> dict[str, object]:
    """Where it was located, with intermediates and without, and what it was called."""
    arbiter = witnesses.arbiter
    if arbiter is None or source.ops is None:
        raise SpecError("a self-test has an arbiter, and draws its networks")
    judgement = check(smallest, subject, witnesses)
    told = _told(smallest, judgement, met, subject, arbiter, source)
    mute = Mute(mutant)
    elsewhere = _located(smallest, check(smallest, mute, witnesses), mute, arbiter, source)
    return {
        "place": _in_words(told.located),
        "located": _is_at(mutant, told.located, smallest),
        "mute_place": _in_words(elsewhere),
        "mute_located": _is_at(mutant, elsewhere, smallest),
        "likely": next(iter(told.likely), None),
        "named": is_named(mutant, told),
        "condition": told.condition,
    }


def _told(
    smallest: Case, judgement: Judgement, met: Case, subject: Subject, arbiter: Certifier, source: Source
) -> Diagnosis:
    """The diagnosis; of a broken contract or a wrong forward, what the verdict itself says."""
    if _by_verdict(judgement) is None:
        return diagnose.diagnose(smallest, judgement, (met,), subject, arbiter, source.ops)
    located = _located(smallest, judgement, subject, arbiter, source)
    contract = judgement.contract
    message = judgement.forward.message if judgement.forward is not None else None
    symptom = Symptom.FORWARD if judgement.verdict is Verdict.FORWARD_DISAGREES else Symptom.STATE
    return Diagnosis(located, (str(contract) if contract is not None else message or "",), (symptom,))


def _by_verdict(judgement: Judgement) -> Fault | None:
    """What the verdict alone says: a wrong forward, or something that is remembered or changed."""
    if judgement.verdict is Verdict.FORWARD_DISAGREES:
        return Fault(None, Factor.FORWARD)
    if judgement.verdict is Verdict.BROKE_CONTRACT and judgement.contract is not None:
        return Fault(None, Factor.STATE) if judgement.contract.rule != "nan" else None
    return None


def _located(case: Case, judgement: Judgement, subject: Subject, arbiter: Certifier, source: Source) -> Located | None:
    fault = _by_verdict(judgement)
    if fault is None:
        return locate(case, judgement, subject, arbiter, source.ops)
    if fault.factor is Factor.FORWARD:
        return forward.locate(case, subject, arbiter, source.ops)
    return Located(None, fault, "what the subject did to its arguments, or answered when asked again")


def _in_words(located: Located | None) -> str | None:
    if located is None:
        return None
    fault = located.fault
    part = f" [{fault.part}]" if fault.part else ""
    return f"{fault.op or 'walk'} {fault.factor.value}{part}"


def _is_at(mutant: Mutant, located: Located | None, case: Case) -> bool:
    """Whether the located factor is one that the bug changes, at a node of its operation."""
    if located is None or not any(fault.covers(located.fault) for fault in mutant.faults):
        return False
    if located.fault.op is None or located.node is None:
        return True
    operation = case.architecture.nodes[located.node] if located.node >= 0 else case.architecture.loss
    return operation.op == located.fault.op


def is_named(mutant: Mutant, told: Diagnosis) -> bool:
    """Whether the first thing that the diagnosis says is this bug, or what it looks like."""
    return mutant.name in told.first or told.symptoms[:1] == (mutant.symptom,)


def sound(name: str, plan: Plan) -> Sound:
    """A control over its networks; the first accusation is told."""
    from crosscheck.oracles.ball import Ball

    control = _controls()[name]
    source, subject = source_of(control, plan), Planted(control)
    witnesses = Witnesses((Ball(),), differences=False)
    entries, accused, done = 0, None, 0
    with np.errstate(all="ignore"):
        for index in range(min(plan.networks, SOUND_NETWORKS)):
            case = drawn(source, index)
            judgement = check(case, subject, witnesses)
            entries += judgement.count(Status.AGREE)
            done = index + 1
            if judgement.verdict in FAILING:
                accused = f"{judgement.verdict.name} on {case.architecture}"
                break
    return Sound(
        name=control.name, why=control.why, source=control.source, networks=done, entries=entries, accused=accused
    )


def chosen(only: str | None) -> tuple[list[str], list[str]]:
    """The names of the bugs and of the controls that hold `only`, in upper or lower case. Raises SpecError for none."""
    names = [n for n in _mutants() if _holds(n, only)], [n for n in _controls() if _holds(n, only)]
    if not any(names):
        raise SpecError(f"--only: no planted bug and no control has {only!r} in its name")
    return names


def _holds(name: str, only: str | None) -> bool:
    return only is None or only.lower() in name.lower()
