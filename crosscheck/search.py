"""A hunt: index → case → check → tally; then every distinct cause is shrunk, diagnosed and made a finding.

The body of the hunt never raises on a failure: it folds. Afterwards the lowest index of each cause is shrunk
with Hypothesis, and the failures that its minimum explains (they contain its operations) are counted with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import msgspec

from crosscheck.checking import DIFFERENCES, Clock, Witnesses, check
from crosscheck.diagnosis import describe, ratio, region, slope
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement, broke
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken, OracleCrashed
from crosscheck.spec.protocols import Subject
from crosscheck.spec.record import Finding
from crosscheck.spec.result import DeviationMet, Verdict
from crosscheck.store.combinations import Held
from crosscheck.store.tally import Tally
from crosscheck.strategies.by_index import NotAgain, Source, size
from crosscheck.tolerance import memory

FAILING = (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES, Verdict.DISAGREES, Verdict.ORACLE_DISAGREES)
# Distinct causes that are shrunk and shown; a subject that is wrong everywhere has no more to say.
MOST_FINDINGS = 10
SHRINK_EVALUATIONS = 150
# Enough to say from where to where a framework is off.
CASES_FOR_REGION = 8
# Carry no bug of their own to speak of: a minimum needs them to connect the rest.
PLUMBING = ("dense", "identity")


@dataclass(frozen=True)
class Kind:
    """What makes two failures the same failure, before their networks are looked at."""

    verdict: Verdict
    odd_one_out: str | None
    rule: str | None

    @classmethod
    def of(cls, judgement: Judgement) -> tuple[Kind, ...]:
        """The failures that a judgement holds; none where the verdict is no failure.

        A wrong forward and a backward that does not match it are two.
        """
        if judgement.verdict not in FAILING:
            return ()
        rule = judgement.contract.rule if judgement.contract is not None else None
        rule = ONE_SLOPE if judgement.contradictions else rule
        odd = judgement.odd_one_out if judgement.verdict is Verdict.ORACLE_DISAGREES else None
        kinds = [cls(judgement.verdict, odd, rule)]
        if judgement.verdict is Verdict.FORWARD_DISAGREES and _backward_is_wrong_too(judgement):
            kinds.append(cls(Verdict.DISAGREES, None, None))
        return tuple(kinds)


# The rule that entries break which no one slope at a kink explains.
ONE_SLOPE = "one slope"
# A failure that is none when it is asked again.
WAVERS = Kind(Verdict.BROKE_CONTRACT, None, "nondeterministic")


def _backward_is_wrong_too(judgement: Judgement) -> bool:
    """Beside a wrong forward: its own loss's differences say so, or the gradients rescaled by a constant."""
    own = any(t.count(Status.DISAGREE) for t in judgement.own.values())
    rescaled = judgement.forward is not None and judgement.forward.ratio is not None
    return own or (rescaled and any(t.count(Status.DISAGREE) for t in judgement.tensors.values()))


@dataclass(frozen=True)
class Failure:
    """A failing case as the fold keeps it: its index, not its numbers."""

    index: int
    kind: Kind
    ops: frozenset[str]
    severity: float
    ratio: float | None
    equals: frozenset[str]
    forward: float | None = None
    forward_equals: frozenset[str] = frozenset()


@dataclass
class Hunt:
    """What a hunt leaves: the counts, the failures, and why it ended."""

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    ended: str = "all examples checked"
    interrupted: bool = False


@dataclass(frozen=True)
class Limits:
    """When a hunt ends: after so many examples, so many seconds, or at the first failure."""

    examples: int
    seconds: float | None = None
    first_failure: bool = False


def hunt(
    source: Source,
    subject: Subject,
    witnesses: Witnesses,
    limits: Limits,
    progress: Callable[[int, Hunt], None] = lambda _done, _hunt: None,
    held: Held | None = None,
) -> Hunt:
    """Check the cases 0, 1, 2 … of the source. An interrupt ends the hunt and keeps what was found.

    `held` counts which combinations the cases hold.
    """
    result = Hunt(Tally(held=held))
    start = time.monotonic()
    try:
        for index in range(limits.examples):
            if limits.seconds is not None and time.monotonic() - start > limits.seconds:
                result.ended = (
                    f"time budget of {limits.seconds:g} s used up after {index} of {limits.examples} examples"
                )
                break
            failed = _one(source, index, subject, witnesses, result)
            progress(index + 1, result)
            if failed and limits.first_failure:
                result.ended = "stopped at the first failure"
                break
    except KeyboardInterrupt:
        result.ended, result.interrupted = "interrupted", True
    return result


def _one(source: Source, index: int, subject: Subject, witnesses: Witnesses, result: Hunt) -> bool:
    """Check case `index` and fold it in; True where the subject failed."""
    with result.clock.part("drawing"):
        case = _drawn(source, index)
    for name, gaps in witnesses.gaps(case).items():
        for gap in gaps:
            result.tally.add_gap(name, gap.op, gap.reason)
    judgement = check(case, subject, witnesses, result.clock)
    with result.clock.part("counting"):
        result.tally.add(case, judgement)
    if judgement.verdict not in FAILING:
        return False
    factor = ratio.constant_ratio(judgement)
    equals = ratio.named(factor, case.architecture) if factor is not None else frozenset()
    ops, severity = frozenset(case.architecture.ops), describe.severity(judgement)
    forward = judgement.forward.ratio if judgement.forward is not None else None
    named = ratio.named(forward, case.architecture) if forward is not None else frozenset()
    result.failures += [
        Failure(index, kind, ops, severity, factor, equals, forward, named) for kind in Kind.of(judgement)
    ]
    return judgement.verdict is not Verdict.ORACLE_DISAGREES


def _drawn(source: Source, index: int) -> Case:
    case = source.case(index)
    if case is None:
        raise ValueError(f"index {index} drew no case: the strategy refused its bytes")
    return case


@dataclass(frozen=True)
class Shown:
    """A finding with the cases that go beside the record."""

    finding: Finding
    smallest: Case
    worst: Case


def findings(
    result: Hunt,
    source: Source,
    subject: Subject,
    witnesses: Witnesses,
    most: int = MOST_FINDINGS,
    *,
    shrink: bool = True,
) -> tuple[tuple[Shown, ...], int]:
    """Shrink and describe each distinct cause; also how many failures were left unexplained beyond `most`.

    Without `shrink`, for which time may be lacking, the first failure of each kind stands for the others.
    """
    left = sorted(result.failures, key=lambda f: (list(Verdict).index(f.kind.verdict), f.index))
    causes: list[Cause] = []
    while left and len(causes) < most:
        cause = _cause(left, source, subject, witnesses) if shrink else _unshrunk(left, left[0].kind, source)
        causes.append(cause)
        left = [f for f in left if f not in cause.failures]
    return tuple(_shown(cause, source, subject, witnesses) for cause in _merged(causes)), len(left)


@dataclass(frozen=True)
class Cause:
    """One distinct cause: its smallest case, and the failures that it explains."""

    kind: Kind
    signature: frozenset[str]
    smallest: Case
    failures: list[Failure]
    minimal: bool = True


def _cause(left: list[Failure], source: Source, subject: Subject, witnesses: Witnesses) -> Cause:
    """What explains the first of these failures, and whichever of the others that explains too."""
    first = left[0]
    try:
        smallest = shrunk(source, first, subject, witnesses)
    except NotAgain:
        # What has its kind may waver like it: no operation is to blame.
        return _unshrunk(left, WAVERS, source)
    signature = _signature(smallest)
    same = [f for f in left if f is first or (f.kind == first.kind and signature <= f.ops)]
    return Cause(first.kind, signature, smallest, same)


def _unshrunk(left: list[Failure], kind: Kind, source: Source) -> Cause:
    first = left[0]
    same = [f for f in left if f.kind == first.kind]
    return Cause(kind, first.ops, _drawn(source, first.index), same, minimal=False)


def _merged(causes: list[Cause]) -> list[Cause]:
    """A cause whose minimum contains another's operations got stuck on the way to it: one bug, one finding."""
    kept: list[Cause] = []
    for cause in sorted(causes, key=lambda c: (len(c.signature), size(c.smallest))):
        home = next(
            (k for k in kept if k.kind == cause.kind and k.signature <= set(cause.smallest.architecture.ops)), None
        )
        if home is None:
            kept.append(cause)
        else:
            home.failures.extend(cause.failures)
    return kept


def _signature(case: Case) -> frozenset[str]:
    """The operations that a failure must contain to be explained by this minimum."""
    nodes = {n.op for n in case.architecture.nodes} - set(PLUMBING)
    loss = case.architecture.loss.op
    # sse and cotangent are what shrinking falls back to: they accuse nobody.
    plain = loss in ("sse", "cotangent")
    return frozenset(nodes if plain else nodes | {loss})


def shrunk(source: Source, failure: Failure, subject: Subject, witnesses: Witnesses) -> Case:
    """The smallest case of the same kind, with the one point that shows it where one suffices.

    A point away from kinks is preferred: at one neither the hull nor a Taylor slope says much. What was no multiple
    of the loss stays none: of a single number every loss is one.
    """

    def judged(case: Case) -> Judgement | None:
        found = check(case, subject, _needed(case, failure.kind, witnesses))
        multiple = found.forward is not None and found.forward.ratio is not None
        return found if failure.kind in Kind.of(found) and (failure.forward is not None or not multiple) else None

    first = _drawn(source, failure.index)
    most = memory.evaluations(first.architecture, first.n_points, SHRINK_EVALUATIONS)
    case = source.shrink(failure.index, lambda case: judged(case) is not None, most)
    at_a_kink = None
    for point in range(case.n_points if case.n_points > 1 else 0):
        alone = case.take([point])
        found = judged(alone)
        if found is None:
            continue
        if found.certified is None or not found.certified.hull.any():
            return alone
        at_a_kink = at_a_kink or alone
    return at_a_kink or case


def _needed(case: Case, kind: Kind, witnesses: Witnesses) -> Witnesses:
    """Who must be asked whether a smaller case fails alike: where the truth is known, only it and who is accused."""
    arbiter = witnesses.arbiter
    if arbiter is None or arbiter.gaps(case.architecture) or kind.odd_one_out == DIFFERENCES:
        return witnesses
    accused = tuple(o for o in witnesses.oracles if o is arbiter or o.name == kind.odd_one_out)
    return replace(witnesses, oracles=accused, differences=False, certify="every")


def _shown(cause: Cause, source: Source, subject: Subject, witnesses: Witnesses) -> Shown:
    same, smallest = cause.failures, cause.smallest
    judgement = check(smallest, subject, witnesses)
    if same[0].kind not in Kind.of(judgement):
        same, judgement = _wavers(same)
    worst = max(same, key=lambda f: (f.severity, -f.index))
    worst_case = _drawn(source, worst.index)
    finding = describe_finding(smallest, judgement, subject, witnesses, failures=same)
    whole = msgspec.structs.replace(
        finding,
        minimal=cause.minimal,
        worst_architecture=str(worst_case.architecture),
        diagnosis=(*finding.diagnosis, *_region(cause, source, judgement, subject, witnesses)),
    )
    return Shown(whole, smallest, worst_case)


def _region(
    cause: Cause, source: Source, judgement: Judgement, subject: Subject, witnesses: Witnesses
) -> Iterable[str]:
    """Where a framework is off, over the smallest case and the first few others; NaN is off too."""
    witness = judgement.odd_one_out if judgement.verdict is Verdict.ORACLE_DISAGREES else None
    if cause.kind.verdict is Verdict.BROKE_CONTRACT and cause.kind.rule != "nan":
        return
    others = (_drawn(source, f.index) for f in cause.failures[:CASES_FOR_REGION])
    said = region.sentence((cause.smallest, *others), witness, subject, witnesses, sorted(_signature(cause.smallest)))
    if said:
        yield said


def _wavers(same: list[Failure]) -> tuple[list[Failure], Judgement]:
    """Failures that are none when they are asked again: the subject is not deterministic, and that is the finding."""
    first = same[0]
    what = f"case {first.index} was {first.kind.verdict.name}, and is not when it is asked again"
    if first.kind.verdict is Verdict.ORACLE_DISAGREES:
        raise OracleCrashed(f"oracle {first.kind.odd_one_out} answers differently when asked twice: {what}")
    contract = ContractBroken(
        f"{what}: what the subject answers depends on what it was asked before; the same question has the same answer",
        rule=str(WAVERS.rule),
    )
    return [replace(f, kind=WAVERS) for f in same], broke(contract)


def describe_finding(
    case: Case, judgement: Judgement, subject: Subject, witnesses: Witnesses, failures: list[Failure]
) -> Finding:
    """The finding that a judgement makes, without file names."""
    kind = failures[0].kind
    backward = kind.verdict is Verdict.DISAGREES
    if backward:
        judgement = describe.of_the_backward(judgement)
    where = describe.culprit(case.architecture, judgement)
    if kind.verdict is Verdict.FORWARD_DISAGREES:
        where = describe.Culprit(None, None, case.architecture.loss.op)
    # A wrong forward and a wrong backward may have one smallest case: two findings, two names.
    identity = case.key[:6] + ("b" if backward and judgement.verdict is not kind.verdict else "")
    slopes = slope.of_failure(case, judgement, subject, witnesses, where.tensor, kind.verdict)
    return Finding(
        id=identity,
        verdict=kind.verdict.name,
        count=len(failures),
        first_index=min(f.index for f in failures),
        architecture=str(case.architecture),
        minimal=True,
        dtype=case.dtype,
        tensor=where.tensor,
        node=where.node,
        op=where.op,
        odd_one_out=judgement.odd_one_out,
        sides=describe.sides(judgement, where.tensor),
        message=_loss_message(case, failures) or describe.message(judgement, where, backward=backward),
        entries=describe.entries(judgement, where.tensor, backward=backward),
        diagnosis=(*_diagnosis(judgement, failures), *describe.extent(judgement)) if backward else (),
        terms=(),
        deviation=_deviation(judgement, subject),
        taylor=slopes.taylor,
        own_taylor=slopes.own,
        no_taylor=slopes.missing,
        case_file=None,
        worst_case_file=None,
        worst_architecture=None,
        replay=f"crosscheck replay {identity}",
    )


def _loss_message(case: Case, failures: list[Failure]) -> str | None:
    """What the constant factors of the loss have in common over all cases, where one case cannot say it."""
    found = [f for f in failures if f.forward is not None]
    if failures[0].kind.verdict is not Verdict.FORWARD_DISAGREES or len(found) < len(failures):
        return None
    loss = case.architecture.loss
    shared = frozenset.intersection(*(f.forward_equals for f in found))
    ratios = [f.forward for f in found if f.forward is not None]
    return ratio.loss_sentence(loss.op, ratios, shared, loss.attributes["reduction"])


def _diagnosis(judgement: Judgement, failures: list[Failure]) -> Iterable[str]:
    if judgement.contradictions:
        yield describe.contradiction(judgement.contradictions[0])
        return
    with_ratio = [f for f in failures if f.ratio is not None]
    if not with_ratio:
        return
    shared = frozenset.intersection(*(f.equals for f in with_ratio))
    differ = len({f.ratio for f in with_ratio}) > 1
    said = ratio.sentence(ratio.constant_ratio(judgement), shared, len(with_ratio), differ)
    if said:
        yield said


def _deviation(judgement: Judgement, subject: Subject) -> str | None:
    """What is known of who is wrong: the witness that stands alone, or the subject where it is a framework."""
    witness = judgement.verdict is Verdict.ORACLE_DISAGREES
    accused = judgement.odd_one_out if witness else subject.error_model
    known: list[DeviationMet] = [d for d in judgement.deviations if d.witness == accused]
    return "; ".join(f"{d.witness} {d.op}, {d.where}: {d.size}" for d in known) or None
