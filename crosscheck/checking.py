"""One case: the subject claims, the witnesses testify, the bounds are derived, the judge decides.

Suspects are asked again with 256 samples before anything is said of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from crosscheck import directed
from crosscheck.backprop.branches import met
from crosscheck.differences import losses, ridders
from crosscheck.differences.references import spread_out, with_slope_error
from crosscheck.directed import Directed
from crosscheck.judge.compare import Status
from crosscheck.judge.one_slope import held_to_one_slope
from crosscheck.judge.verdict import TEXTBOOK, Judgement, broke, judge, with_own_forward
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.op import Gap
from crosscheck.spec.protocols import Certifier, HasLoss, Oracle, ProvesSides, Subject
from crosscheck.spec.result import Bound, Certified, Gradients, Reference, Verdict
from crosscheck.subjects.held import asked_twice, held_to_contract, linear_in_cotangent
from crosscheck.tolerance.bounds import SAMPLES, applicable, bound, deviating_bounds, deviations_met
from crosscheck.tolerance.memory import entries_differenced, samples_of_a_suspect
from crosscheck.tolerance.points import joined_proofs, of_points, patched_bound

DIFFERENCES = "differences"
Certify = Literal["every", "sample", "suspects"]
# 14 forwards an entry: beyond this many entries a network, a sample of them is asked, and the suspects.
DIFFERENCED_ENTRIES = 120
# A subject's own loss is a call of foreign code each: two points, a few entries.
OWN_POINTS = 2
OWN_ENTRIES = 10


@dataclass
class Clock:
    """Seconds spent on each part of a check."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Witnesses:
    """Who is asked: oracles, and finite differences of the sound forward where `differences`.

    `certify` says which points an oracle that proves what it says is asked: every one, a sample (the first of each
    case), or none at first; suspects always.
    """

    oracles: tuple[Oracle, ...]
    differences: bool = True
    certify: Certify = "every"

    @property
    def arbiter(self) -> Certifier | None:
        return next((o for o in self.oracles if isinstance(o, Certifier)), None)

    @property
    def names(self) -> tuple[str, ...]:
        return (*(o.name for o in self.oracles), *((DIFFERENCES,) if self.differences else ()))

    def gaps(self, case: Case) -> Mapping[str, tuple[Gap, ...]]:
        return {o.name: o.gaps(case.architecture) for o in self.oracles}


def check(case: Case, subject: Subject, witnesses: Witnesses, clock: Clock | None = None) -> Judgement:
    """Judge one case. Raises OracleCrashed; a subject's breach of contract is a judgement, not an error."""
    clock = clock or Clock()
    try:
        with clock.part("subject"):
            claimed = held_to_contract(subject, case)
            asked_twice(subject, case, claimed)
    except ContractBroken as contract:
        return broke(contract)
    with clock.part("tolerance"):
        bounds = derive_bounds(case, subject, witnesses)
    proof = certified(case, witnesses, bounds, clock, _first_asked(case, witnesses))
    references = testify(case, witnesses, bounds, clock, proof)
    entered = deviations_met(case, references, subject.error_model)
    judgement = judge(case, claimed, references, bounds)
    along = _along_directions(case, claimed, judgement, witnesses, bounds, clock)
    if along.accuses:
        with clock.part(DIFFERENCES):
            exact, suspects = case.astype("float64"), along.suspects(case.key)
            ask = directed.with_suspects(_sample(exact), suspects)
            references[DIFFERENCES] = differences(exact, bounds, ask)
        judgement = judge(case, claimed, references, bounds)
    judgement = _own_forward(judgement, case, subject, claimed, bounds, clock)
    if judgement.suspects:
        with clock.part("suspects"):
            bounds = _asked_again(case, subject, witnesses, bounds, judgement.suspects)
            if not _settled_by_proof(judgement, proof):
                references = _differences_of_suspects(case, witnesses, bounds, references, judgement)
            deviating = deviating_bounds(case, [known for known, _ in entered if known.witness in references])
        again = certified(case, witnesses, bounds, clock, judgement.suspects)
        if again is not None and witnesses.arbiter is not None:
            proof = again if proof is None else joined_proofs(proof, again, judgement.suspects)
            name = witnesses.arbiter.name
            references = {name: proof.reference} | {n: r for n, r in references.items() if n != name}
        judgement = judge(case, claimed, references, bounds, deviating)
        judgement = _own_forward(judgement, case, subject, claimed, bounds, clock)
    if judgement.verdict is Verdict.AGREES:
        try:
            with clock.part("subject"):
                linear_in_cotangent(subject, case, claimed, bounds["subject"].gradients)
        except ContractBroken as contract:
            return broke(contract)
    if judgement.verdict is Verdict.AGREES and along.untraced:
        judgement = replace(judgement, verdict=Verdict.UNDECIDABLE)
    near, arbiter = bounds["subject"].near, witnesses.arbiter
    if proof is not None and isinstance(arbiter, ProvesSides):
        with clock.part(arbiter.name):
            sides = partial(arbiter.one_sided, case, near)
            judgement = held_to_one_slope(judgement, bounds["subject"], proof, sides, arbiter.name)
    return replace(
        judgement,
        deviations=tuple(known.about for known, _ in entered),
        certified=proof,
        kinks=met(case, near),
        directed=along,
    )


def _settled_by_proof(judgement: Judgement, proof: Certified | None) -> bool:
    """Whether only witnesses are suspected, and the truth is known: a second opinion on them has no more to say."""
    quiet = judgement.verdict is Verdict.ORACLE_DISAGREES
    return quiet and proof is not None and bool((proof.bits[list(judgement.suspects)] > 0).all())


def _first_asked(case: Case, witnesses: Witnesses) -> tuple[int, ...]:
    """The points that are certified before anybody is suspected."""
    wanted = {"every": case.n_points, "sample": 1, "suspects": 0}[witnesses.certify]
    return tuple(range(wanted))


def certified(
    case: Case, witnesses: Witnesses, bounds: Mapping[str, Bound], clock: Clock, points: Sequence[int]
) -> Certified | None:
    """What the arbiter proves at these points; None without one, or where it has a gap.

    Its radius is to be lost in the tightest bound, that of a right formula in float64. How near a kink counts as on
    it is for the subject's dtype to say: that is who may have taken the other branch.
    """
    arbiter = witnesses.arbiter
    if arbiter is None or not points or arbiter.gaps(case.architecture):
        return None
    with clock.part(arbiter.name):
        return arbiter.certify(case, bounds[TEXTBOOK].held, points, bounds["subject"].near)


def derive_bounds(
    case: Case, subject: Subject, witnesses: Witnesses, *, samples: int = SAMPLES, key: str | None = None
) -> dict[str, Bound]:
    """The bound of each party: the subject in the case's dtype, the oracles in float64."""
    models: dict[str, tuple[str, str | None]] = {"subject": (case.dtype, subject.error_model)}
    models |= {o.name: ("float64", o.name) for o in witnesses.oracles if not isinstance(o, Certifier)}
    models[TEXTBOOK] = ("float64", None)
    made: dict[tuple[object, ...], Bound] = {}
    result: dict[str, Bound] = {}
    for party, (dtype, model) in models.items():
        kind = (dtype, applicable(case, model), model == "jax")
        if kind not in made:
            found = bound(case, dtype, model, samples=samples, key=key)
            more = samples < samples_of_a_suspect(case.architecture)
            made[kind] = _sharpened(case, found, dtype, model) if more else found
        result[party] = made[kind]
    return result


def _sharpened(case: Case, found: Bound, dtype: str, model: str | None) -> Bound:
    """The bound with as many samples at parted points as a suspect gets.

    A few samples take a few of the branches only: the bound that settles a suspect there would be wider than the one
    whose resolution was reported.
    """
    chosen = [int(p) for p in np.flatnonzero(found.parted)]
    if not chosen:
        return found
    samples = samples_of_a_suspect(case.architecture)
    more = bound(case.take(chosen), dtype, model, samples=samples, key=case.key)
    return patched_bound(found, more, chosen)


def testify(
    case: Case, witnesses: Witnesses, bounds: Mapping[str, Bound], clock: Clock, proof: Certified | None
) -> dict[str, Reference]:
    """What each witness says that has no gap for this architecture; of the arbiter, what it has proved."""
    references: dict[str, Reference] = {}
    for oracle in witnesses.oracles:
        if isinstance(oracle, Certifier):
            references |= {oracle.name: proof.reference} if proof is not None else {}
            continue
        if oracle.gaps(case.architecture):
            continue
        with clock.part(oracle.name):
            references[oracle.name] = oracle.references(case)
    if witnesses.differences and _tensors(case):
        with clock.part(DIFFERENCES):
            exact = case.astype("float64")
            references[DIFFERENCES] = differences(exact, bounds, _sample(exact))
    return references


def _sample(exact: Case) -> ridders.Ask:
    return ridders.a_sample(exact, _tensors(exact), _differenced(exact))


def _is_a_sample(case: Case) -> bool:
    """Whether differences leave entries out."""
    return ridders.everything(case, _tensors(case)).count > _differenced(case)


def _along_directions(
    case: Case,
    claimed: Gradients,
    judgement: Judgement,
    witnesses: Witnesses,
    bounds: Mapping[str, Bound],
    clock: Clock,
) -> Directed:
    """Where differences alone are asked, and only of a sample: every other entry is moved by a direction at least."""
    apart = judgement.forward is not None and judgement.forward.disagrees
    if not witnesses.differences or apart or not judgement.count(Status.NOT_COMPARED) or not _is_a_sample(case):
        return Directed()
    with clock.part("directions"):
        exact, points = case.astype("float64"), range(case.n_points)
        textbook, own = bounds[TEXTBOOK], bounds["subject"].gradients
        found = directed.pursue(exact, losses.sound, claimed, textbook.loss_spread, (own, textbook.held), points)
        if not found.accuses:
            return found
        # What rounds alike at the point need not do so a step away: only where somebody is accused.
        around = _neighbourhood(exact)
        spread = np.maximum(textbook.loss_spread, around.loss_spread)
        return directed.pursue(exact, losses.sound, claimed, spread, (own, textbook.held, around.held), points)


def _differenced(case: Case) -> int:
    return entries_differenced(case.architecture, case.n_points, DIFFERENCED_ENTRIES)


def _tensors(case: Case) -> tuple[str, ...]:
    return (*case.params, *case.architecture.float_inputs)


def differences(exact: Case, bounds: Mapping[str, Bound], ask: ridders.Ask, *, settle: bool = False) -> Reference:
    textbook, around = bounds.get(TEXTBOOK) or bound(exact, "float64"), _neighbourhood(exact)
    spread = np.maximum(textbook.loss_spread, around.loss_spread)
    found = ridders.differentiate(exact, sound_loss(exact), spread, ask, settle=settle)
    return with_slope_error(found, textbook.held, around.held)


def _neighbourhood(exact: Case) -> Bound:
    """What rounding does to loss and gradients a step away from where differences start."""
    return bound(exact, "float64", alike=False, samples=SAMPLES // 2)


def sound_loss(case: Case) -> ridders.Function:
    """The loss of the built-in forward, in float64, as a function of one tensor's perturbed values."""
    return losses.of_one(losses.sound(case))


def own_loss(case: Case, subject: HasLoss) -> ridders.Function:
    """The subject's own loss likewise; branch signatures are those of the sound forward."""
    return losses.of_one(losses.own(case, subject.loss))


def _own_forward(
    judgement: Judgement, case: Case, subject: Subject, claimed: Gradients, bounds: Mapping[str, Bound], clock: Clock
) -> Judgement:
    """Where the subject has a loss of its own: does its backward match it? Asked in float64 only."""
    if not isinstance(subject, HasLoss) or case.dtype != "float64" or not claimed.by_param:
        return judgement
    points = list(judgement.suspects[:OWN_POINTS]) or list(range(min(OWN_POINTS, case.n_points)))
    if _proved(judgement, points):
        return judgement
    part = case.take(points)
    own = bounds["subject"]
    names = tuple(name for name, _ in claimed.tensors())
    # A loss of the subject's own may lose as much as its bound allows, not only what the sound one loses.
    around = _neighbourhood(part)
    spread = np.maximum(own.gradients.loss[points] / ridders.NOISE, around.loss_spread)
    with clock.part("own loss"):
        try:
            ask = ridders.a_sample(part, names, OWN_ENTRIES)
            if _left_out(judgement, case):
                mine = of_points(claimed, points)
                held = (of_points(own.gradients, points), around.held)
                along = directed.pursue(
                    part, lambda one: losses.own(one, subject.loss), mine, spread, held, range(len(points))
                )
                ask = directed.with_suspects(ask, along.suspects(case.key))
            found = ridders.differentiate(part, own_loss(part, subject), spread, ask)
            found = with_slope_error(found, of_points(own.held, points), around.held)
        except ContractBroken as contract:
            return replace(broke(contract), claimed=claimed, references=judgement.references)
    whole = spread_out(found, points, case.n_points)
    return with_own_forward(judgement, claimed, whole, own)


def _proved(judgement: Judgement, points: Sequence[int]) -> bool:
    """Whether the loss is the one asked for and every gradient is known to be its own, or not: then nothing is left.

    Differences of a loss that is right say less of a gradient than its true value does.
    """
    if judgement.forward is None or judgement.forward.disagrees or not judgement.tensors:
        return False
    tensors = judgement.tensors.values()
    return all(t.truth is not None and bool(t.truth.answered[points].all()) for t in tensors)


def _left_out(judgement: Judgement, case: Case) -> bool:
    """Whether entries of a large network are held against nothing but differences of the subject's own loss."""
    apart = judgement.forward is not None and judgement.forward.disagrees
    return (
        _is_a_sample(case)
        and (apart or DIFFERENCES not in judgement.references)
        and bool(apart or judgement.count(Status.NOT_COMPARED))
    )


def _asked_again(
    case: Case, subject: Subject, witnesses: Witnesses, bounds: Mapping[str, Bound], points: Sequence[int]
) -> dict[str, Bound]:
    """The bounds with more samples at the suspect points: 256, or as many as fit."""
    chosen = list(points)
    part = case.take(chosen)
    samples = samples_of_a_suspect(case.architecture)
    more = derive_bounds(part, subject, witnesses, samples=samples, key=case.key)
    return {party: patched_bound(bounds[party], more[party], chosen) for party in bounds}


def _differences_of_suspects(
    case: Case,
    witnesses: Witnesses,
    bounds: Mapping[str, Bound],
    references: Mapping[str, Reference],
    judgement: Judgement,
) -> dict[str, Reference]:
    """Every suspect entry is differenced, also where only a sample of the entries was."""
    result = dict(references)
    if not witnesses.differences or not _tensors(case):
        return result
    exact = case.astype("float64")
    first = _sample(exact)
    entries = {}
    for name, indices in first.entries.items():
        found = judgement.tensors.get(name)
        if found is None:
            entries[name] = indices
            continue
        hit = np.logical_or.reduce(list(found.against.values())) if found.against else np.zeros(1, np.bool_)
        extra = np.flatnonzero(hit.reshape(len(hit), -1).any(axis=0))[: _differenced(case)]
        entries[name] = np.union1d(indices, extra)
    result[DIFFERENCES] = differences(exact, bounds, ridders.Ask(entries), settle=True)
    return result
