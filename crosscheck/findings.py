"""From the failures of a hunt to its findings: one for each distinct cause, shrunk, diagnosed and described."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from crosscheck.causes import Cause, causes_of, signature
from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import describe, forward, ratio, region, slope
from crosscheck.diagnosis.diagnose import Diagnosis, diagnose
from crosscheck.diagnosis.walked import LOSS
from crosscheck.judge import forward as losses
from crosscheck.judge.verdict import Judgement, broke
from crosscheck.search import WAVERS, Failure, Hunt, Kind, drawn
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken, OracleCrashed
from crosscheck.spec.fault import Symptom
from crosscheck.spec.protocols import Subject
from crosscheck.spec.record import Finding, Place
from crosscheck.spec.result import DeviationMet, Verdict
from crosscheck.strategies.by_index import Source

# Distinct causes that are shrunk and shown; a subject that is wrong everywhere has no more to say.
MOST_FINDINGS = 10
# Enough to say from where to where a framework is off.
CASES_FOR_REGION = 8
# Beside the smallest case so many that fail are looked at for a diagnosis.
CASES_FOR_DIAGNOSIS = 3
# And of one network, which has no variations, so many that do not: when it is wrong is seen beside when it is not.
CASES_THAT_PASS = 2


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
    causes, left = causes_of(result.failures, source, subject, witnesses, most, shrink=shrink)
    return tuple(_shown(cause, source, subject, witnesses) for cause in causes), left


def _shown(cause: Cause, source: Source, subject: Subject, witnesses: Witnesses) -> Shown:
    same, smallest = cause.failures, cause.smallest
    judgement = check(smallest, subject, witnesses)
    if same[0].kind not in Kind.of(judgement):
        same, judgement = _wavers(same)
    worst = max(same, key=lambda f: (f.severity, -f.index))
    worst_case = drawn(source, worst.index)
    finding = describe_finding(smallest, judgement, subject, witnesses, failures=same)
    found = _diagnosed(cause, same, source, judgement, subject, witnesses)
    whole = msgspec.structs.replace(
        finding,
        minimal=cause.minimal,
        message=_of_its_forward(smallest, finding, subject, witnesses, source) or finding.message,
        worst_architecture=str(worst_case.architecture),
        diagnosis=(
            *_joined(finding.diagnosis, found),
            *(() if found is not None else _region(cause, source, judgement, subject, witnesses)),
        ),
        terms=found.terms if found is not None else (),
        located=_located(found),
        symptoms=tuple(symptom.name for symptom in found.symptoms) if found is not None else (),
        bugs=found.bugs if found is not None else (),
    )
    return Shown(whole, smallest, worst_case)


def _diagnosed(
    cause: Cause, same: list[Failure], source: Source, judgement: Judgement, subject: Subject, witnesses: Witnesses
) -> Diagnosis | None:
    """Of a subject's wrong backward, where its truth is known."""
    arbiter, kind = witnesses.arbiter, same[0].kind
    wrong = kind.verdict is Verdict.DISAGREES or (kind.verdict is Verdict.BROKE_CONTRACT and kind.rule == "nan")
    apart = judgement.forward is not None and judgement.forward.disagrees
    if not wrong or apart or judgement.contradictions or arbiter is None or subject.error_model is not None:
        return None
    if arbiter.gaps(cause.smallest.architecture):
        return None
    others = [drawn(source, f.index) for f in same[:CASES_FOR_DIAGNOSIS]]
    if source.ops is None:
        met = {f.index for f in same}
        spared = [index for index in range(max(met) + CASES_THAT_PASS) if index not in met]
        others += [drawn(source, index) for index in spared[:CASES_THAT_PASS]]
    return diagnose(cause.smallest, judgement, others, subject, arbiter, source.ops)


def _joined(said: tuple[str, ...], found: Diagnosis | None) -> tuple[str, ...]:
    """One diagnosis of both: where all failing cases have a factor in common, it stands for what some of them show."""
    if found is None:
        return said
    if {Symptom.MISSING, Symptom.NEGATED} & set(found.symptoms[:1]):  # 0 or -1 times the true one, in a better word
        said = tuple(text for text in said if not text.startswith(ratio.SENTENCES))
    if any(text.startswith(ratio.SENTENCES) for text in said):
        found = found.without(Symptom.FACTOR)
    known = tuple(found.lines())
    common = tuple(text for text in said if text.startswith(ratio.SENTENCES))
    return (*common, *known, *(text for text in said if text not in common))


def _located(found: Diagnosis | None) -> Place | None:
    if found is None or found.located is None:
        return None
    at = found.located
    return Place(node=at.node, op=at.fault.op, factor=at.fault.factor.value, part=at.fault.part, how=at.how)


def _region(
    cause: Cause, source: Source, judgement: Judgement, subject: Subject, witnesses: Witnesses
) -> Iterable[str]:
    """Where a framework is off, over the smallest case and the first few others; NaN is off too."""
    witness = judgement.odd_one_out if judgement.verdict is Verdict.ORACLE_DISAGREES else None
    if witness is None and subject.error_model is None:
        return  # a subject that is no framework has a diagnosis, or breaks its contract when it is asked for more
    if cause.kind.verdict is Verdict.BROKE_CONTRACT and cause.kind.rule != "nan":
        return
    others = (drawn(source, f.index) for f in cause.failures[:CASES_FOR_REGION])
    said = region.sentence((cause.smallest, *others), witness, subject, witnesses, sorted(signature(cause.smallest)))
    if said:
        yield said


def _wavers(same: list[Failure]) -> tuple[list[Failure], Judgement]:
    """Failures that are none when they are asked again: the subject is not deterministic, and that is the finding."""
    first = same[0]
    what = f"case {first.index} was {first.kind.verdict.name}, and is not when it is asked again"
    if first.kind.verdict is Verdict.ORACLE_DISAGREES:
        raise OracleCrashed(f"oracle {first.kind.odd_one_out} answers differently when asked twice: {what}")
    contract = ContractBroken(
        f"{what}: what the subject answers depends on chance, or on what it was asked before; the same question "
        "has the same answer",
        rule=str(WAVERS.rule),
    )
    return [dataclasses.replace(f, kind=WAVERS) for f in same], broke(contract)


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
        diagnosis=(*_diagnosis(case, judgement, failures), *describe.extent(judgement)) if backward else (),
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


def _of_its_forward(case: Case, finding: Finding, subject: Subject, witnesses: Witnesses, source: Source) -> str | None:
    """Which operation's forward makes another loss, where it is not the loss itself and no constant factor tells all.

    None of an operation with parameters: what a subject adds to its loss for them would look like it.
    """
    arbiter, architecture = witnesses.arbiter, case.architecture
    if finding.message != losses.message(architecture, None) or arbiter is None or arbiter.gaps(architecture):
        return None
    found = forward.locate(case, subject, arbiter, source.ops)
    if found is None or found.node is None or found.node == LOSS or architecture.nodes[found.node].params:
        return None
    return f"the forward of {found.fault.op}, node {found.node}, is another by itself; so is the loss therefore"


def _loss_message(case: Case, failures: list[Failure]) -> str | None:
    """What the constant factors of the loss have in common over all cases, where one case cannot say it."""
    found = [f for f in failures if f.forward is not None]
    if failures[0].kind.verdict is not Verdict.FORWARD_DISAGREES or len(found) < len(failures):
        return None
    loss = case.architecture.loss
    shared = frozenset.intersection(*(f.forward_equals for f in found))
    ratios = [f.forward for f in found if f.forward is not None]
    return ratio.loss_sentence(loss.op, ratios, shared, loss.attributes["reduction"])


def _diagnosis(case: Case, judgement: Judgement, failures: list[Failure]) -> Iterable[str]:
    if judgement.contradictions:
        yield describe.contradiction(judgement.contradictions[0])
        return
    factor = describe.of_the_asked_loss(judgement)
    if factor is not None:
        yield describe.of_another_loss(case, factor)
        return
    with_ratio = [f for f in failures if f.ratio is not None]
    if len(with_ratio) < len(failures):
        return  # of a single number everything is a multiple: it is a factor where it is one in every case
    shared = frozenset.intersection(*(f.equals for f in with_ratio))
    differ = ratio.differ(f.ratio for f in with_ratio if f.ratio is not None)
    here = ratio.constant_ratio(judgement)
    if here is not None and not differ:  # what the networks had before they were shrunk is not "here"
        shared &= ratio.named(here, case.architecture)
    said = ratio.sentence(here, shared, len(with_ratio), differ)
    if said:
        yield said


def _deviation(judgement: Judgement, subject: Subject) -> str | None:
    """What is known of who is wrong: the witness that stands alone, or the subject where it is a framework."""
    witness = judgement.verdict is Verdict.ORACLE_DISAGREES
    accused = judgement.odd_one_out if witness else subject.error_model
    known: list[DeviationMet] = [d for d in judgement.deviations if d.witness == accused]
    return "; ".join(f"{d.witness} {d.op}, {d.where}: {d.size}" for d in known) or None
