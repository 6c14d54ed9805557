"""A hunt: index → case → check → tally. Its body never raises on a failure: it folds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from crosscheck.checking import Clock, Witnesses, check
from crosscheck.diagnosis import describe, ratio
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.case import Case
from crosscheck.spec.protocols import Subject
from crosscheck.spec.result import Verdict
from crosscheck.store.combinations import Held
from crosscheck.store.tally import Tally
from crosscheck.strategies.by_index import Source

FAILING = (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES, Verdict.DISAGREES, Verdict.ORACLE_DISAGREES)


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
        case = drawn(source, index)
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
    named = ratio.of_a_loss(forward, case.architecture) if forward is not None else frozenset()
    result.failures += [
        Failure(index, kind, ops, severity, factor, equals, forward, named) for kind in Kind.of(judgement)
    ]
    return judgement.verdict is not Verdict.ORACLE_DISAGREES


def drawn(source: Source, index: int) -> Case:
    case = source.case(index)
    if case is None:
        raise ValueError(f"index {index} drew no case: the strategy refused its bytes")
    return case
