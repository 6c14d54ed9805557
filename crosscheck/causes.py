"""From the failures of a hunt to their distinct causes: each with its smallest case and the failures that it explains.

The lowest index of each cause is shrunk; the failures that its minimum explains (they contain its operations, and none
is located in another) are counted with it. An operation that is wrong beside it, in a network without it too, is a
cause of its own, although no failure may be without the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis.locate import CLEAR, Located, Step, locate
from crosscheck.search import WAVERS, Failure, Kind, drawn
from crosscheck.shrinking import needed, on_operation, shrunk
from crosscheck.spec.case import Case
from crosscheck.spec.protocols import Subject
from crosscheck.spec.result import Verdict
from crosscheck.strategies import probes
from crosscheck.strategies.by_index import NotAgain, Source, size

# Carry no bug of their own to speak of: a minimum needs them to connect the rest.
PLUMBING = ("dense", "identity")
# Failures with other operations than the first, of which it is asked whether they have the same cause.
REPRESENTATIVES = 8


@dataclass(frozen=True)
class Cause:
    """One distinct cause: its smallest case, and the failures that it explains.

    `op` is the operation whose factor is the first wrong one there. It is None where none is, where nobody can tell,
    and where what is right in a network is wrong by itself too: then something is done to all gradients.
    """

    kind: Kind
    signature: frozenset[str]
    smallest: Case
    failures: list[Failure]
    minimal: bool = True
    op: str | None = None


def causes_of(
    failures: list[Failure], source: Source, subject: Subject, witnesses: Witnesses, most: int, *, shrink: bool = True
) -> tuple[list[Cause], int]:
    """At most so many distinct causes, the smallest first, and how many failures were left unexplained beyond them.

    Without `shrink`, for which time may be lacking, the first failure of each kind stands for the others.
    """
    left = sorted(failures, key=lambda f: (list(Verdict).index(f.kind.verdict), f.index))
    causes: list[Cause] = []
    while left and len(causes) < most:
        found = _causes(left, source, subject, witnesses) if shrink else [_unshrunk(left, left[0].kind, source)]
        causes += found[: most - len(causes)]
        left = [f for f in left if not any(f in cause.failures for cause in causes)]
    return _merged(causes), len(left)


def signature(case: Case) -> frozenset[str]:
    """The operations that a failure must contain to be explained by this minimum."""
    nodes = {n.op for n in case.architecture.nodes} - set(PLUMBING)
    loss = case.architecture.loss.op
    # sse and cotangent are what shrinking falls back to: they accuse nobody.
    plain = loss in ("sse", "cotangent")
    return frozenset(nodes if plain else nodes | {loss})


def _causes(left: list[Failure], source: Source, subject: Subject, witnesses: Witnesses) -> list[Cause]:
    """What explains the first of these failures, and whichever of the others that explains too; what is beside it."""
    first = left[0]
    try:
        smallest = shrunk(source, first, subject, witnesses).case
    except NotAgain:
        # What has its kind may waver like it: no operation is to blame.
        return [_unshrunk(left, WAVERS, source)]
    own = signature(smallest)
    same = [f for f in left if f is first or (f.kind == first.kind and own <= f.ops)]
    located = _located(smallest, subject, witnesses, source) if _can_tell(first, source, witnesses) else None
    if located is None:
        return [Cause(first.kind, own, smallest, same)]
    groups = _asked(same, subject, witnesses, source)
    op = located.fault.op
    others = [group for group in groups if group.located.fault.op != op and first not in group.failures]
    elsewhere = [f for group in others for f in group.failures]
    whole = Cause(first.kind, own, smallest, [f for f in same if f not in elsewhere])
    if not any(_sound_alone(group, whole, source, subject, witnesses) for group in groups):
        return [whole]
    # What comes first elsewhere has its turn by itself.
    known, whole = {op, *(group.located.fault.op for group in others)}, replace(whole, op=op)
    return [whole, *_beside(whole, [g for g in groups if g not in others], known, source, subject, witnesses)]


def _can_tell(first: Failure, source: Source, witnesses: Witnesses) -> bool:
    """Whether a first wrong factor is to be had: of a wrong backward, where the truth is known."""
    return first.kind.verdict is Verdict.DISAGREES and witnesses.arbiter is not None and source.ops is not None


@dataclass(frozen=True)
class _Group:
    """Failures with the same operations, and where the first of them is wrong."""

    failures: list[Failure]
    located: Located


def _asked(same: list[Failure], subject: Subject, witnesses: Witnesses, source: Source) -> list[_Group]:
    """Of the failures with the same operations one is asked where it is wrong."""
    groups: dict[frozenset[str], list[Failure]] = {}
    for failure in same:
        groups.setdefault(failure.ops, []).append(failure)
    found = []
    for failures in list(groups.values())[: REPRESENTATIVES + 1]:
        located = _located(drawn(source, failures[0].index), subject, witnesses, source)
        if located is not None:
            found.append(_Group(failures, located))
    return found


def _located(case: Case, subject: Subject, witnesses: Witnesses, source: Source) -> Located | None:
    arbiter = witnesses.arbiter
    if arbiter is None or arbiter.gaps(case.architecture):
        return None
    judgement = check(case, subject, Witnesses((arbiter,), differences=False))
    return locate(case, judgement, subject, arbiter, source.ops)


def _beside(
    first: Cause, groups: list[_Group], known: set[str | None], source: Source, subject: Subject, witnesses: Witnesses
) -> Iterator[Cause]:
    """Operations that are wrong by themselves where the first cause was met, each in a network without that one's.

    Such a network is the proof that the cause is another. A failure is counted once: the new cause has those that it
    was met in, where the first keeps others.
    """
    for group in groups if first.op is not None else ():
        for step in (
            s for s in group.located.steps if s.state == "wrong" and s.worst >= CLEAR and s.fault.op is not None
        ):
            if step.fault.op in known:
                continue
            known.add(step.fault.op)
            smallest = on_operation(source, group.failures[0], _only(group.located, step), subject, witnesses)
            if smallest is None or first.op in smallest.architecture.ops:
                continue
            moved = [f for f in group.failures if f in first.failures[1:]]
            for failure in moved:
                first.failures.remove(failure)
            yield Cause(first.kind, signature(smallest), smallest, moved or group.failures[:1], op=step.fault.op)


def _sound_alone(group: _Group, cause: Cause, source: Source, subject: Subject, witnesses: Witnesses) -> bool:
    """Whether an operation that is right where the group fails is right in the smallest network of its own too."""
    steps, ops = group.located.steps, source.ops
    wrong = {step.fault.op for step in steps if step.state == "wrong"}
    for op in sorted({s.fault.op for s in steps if s.state == "right" and s.fault.op is not None} - wrong)[:1]:
        for architecture in (found for found in probes.probes(op, {}) if ops is not None and ops.allows(found)):
            case = probes.of_all_families(architecture, cause.smallest.dtype)
            return cause.kind not in Kind.of(check(case, subject, needed(case, cause.kind, witnesses)))
    return False


def _only(located: Located, step: Step) -> Located:
    return Located(step.node, step.fault, located.how, located.steps)


def _unshrunk(left: list[Failure], kind: Kind, source: Source) -> Cause:
    first = left[0]
    same = [f for f in left if f.kind == first.kind]
    return Cause(kind, first.ops, drawn(source, first.index), same, minimal=False)


def _merged(causes: list[Cause]) -> list[Cause]:
    """A cause whose minimum contains another's operations got stuck on the way to it: one bug, one finding.

    Not where each is located, and in another operation.
    """
    kept: list[Cause] = []
    for cause in sorted(causes, key=lambda c: (len(c.signature), size(c.smallest))):
        home = next((k for k in kept if _explains(k, cause)), None)
        if home is None:
            kept.append(cause)
        else:
            home.failures.extend(cause.failures)
    return kept


def _explains(home: Cause, cause: Cause) -> bool:
    apart = home.op is not None and cause.op is not None and home.op != cause.op
    return home.kind == cause.kind and home.signature <= set(cause.smallest.architecture.ops) and not apart
