"""From the entries to the verdict of a case, by the precedence of `Verdict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from crosscheck.judge.compare import Party, Status, TensorJudgement, compare
from crosscheck.judge.forward import ForwardJudgement, constant_ratio, message, overflowed
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.result import Array, Bools, Bound, DeviationMet, Floats, Gradients, Reference, Verdict

NO_BOUNDS: Mapping[str, Bound] = {}


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict on a case and everything it rests on.

    `odd_one_out` names the witness of ORACLE_DISAGREES, "subject" where the witnesses agree against it, or
    is None where the attribution is open. `own` compares the subject with differences of its own loss.
    """

    verdict: Verdict
    tensors: Mapping[str, TensorJudgement]
    forward: ForwardJudgement | None
    contract: ContractBroken | None
    claimed: Gradients | None
    references: Mapping[str, Reference]
    odd_one_out: str | None = None
    own: Mapping[str, TensorJudgement] = field(default_factory=dict)
    not_claimed: tuple[str, ...] = ()
    suspects: tuple[int, ...] = ()
    deviations: tuple[DeviationMet, ...] = ()

    def count(self, status: Status) -> int:
        return sum(t.count(status) for t in self.tensors.values())


def broke(contract: ContractBroken) -> Judgement:
    """The judgement on a subject that broke the contract before anything could be compared."""
    return Judgement(Verdict.BROKE_CONTRACT, {}, None, contract, None, {})


def judge(
    case: Case,
    claimed: Gradients,
    references: Mapping[str, Reference],
    bounds: Mapping[str, Bound],
    deviating: Mapping[str, Bound] = NO_BOUNDS,
) -> Judgement:
    """Judge a case from the values and the bounds of all parties; `bounds["subject"]` is the subject's.

    `deviating` has the bounds of witnesses whose known deviations are allowed for. A witness without an entry
    in `bounds` carries its own radius. No references: UNCHECKED.
    """
    own = bounds["subject"]
    parted = own.parted
    forward, claimed = _forward(case, claimed, references, bounds, deviating)
    scale = np.maximum(_point_scale(references, case.n_points), own.signal)
    tensors: dict[str, TensorJudgement] = {}
    for name, values in claimed.tensors():
        subject = Party("subject", values, own.gradients[name])
        witnesses = tuple(
            Party(w, r.gradients[name], _witness_bound(w, r, bounds, name), always_asked=r.radius is None)
            for w, r in references.items()
        )
        wide = {w: b.gradients[name] for w, b in deviating.items()}
        tensors[name] = compare(name, subject, witnesses, parted=parted, point_scale=scale, deviating=wide)
    contract = _nan_breach(claimed, tensors, references)
    wanted = [*case.architecture.param_shapes, *case.architecture.float_inputs]
    judgement = Judgement(
        Verdict.UNCHECKED,
        tensors,
        forward,
        contract,
        claimed,
        references,
        not_claimed=tuple(name for name in wanted if name not in claimed),
    )
    return _with_verdict(judgement, tuple(references))


def with_own_forward(judgement: Judgement, claimed: Gradients, differences: Reference, bound: Bound) -> Judgement:
    """Also judge the subject against differences of its own loss, which are right whatever it computes."""
    own = {}
    parted = bound.parted
    scale = _point_scale({"own": differences}, len(parted))
    for name, values in differences.gradients.tensors():
        if name not in claimed or differences.radius is None:
            continue
        subject = Party("subject", claimed[name], bound.gradients[name])
        witness = Party("own loss", values, differences.radius[name])
        own[name] = compare(name, subject, (witness,), parted=parted, point_scale=scale)
    wrong = any(t.count(Status.DISAGREE) for t in own.values())
    quiet = judgement.verdict in (Verdict.ORACLE_DISAGREES, Verdict.AGREES, Verdict.UNDECIDABLE, Verdict.UNCHECKED)
    verdict = Verdict.DISAGREES if wrong and quiet else judgement.verdict
    suspects = judgement.suspects
    if wrong:
        suspects = tuple(sorted({*suspects, *_points_with(own, (Status.DISAGREE,))}))
    return replace(judgement, own=own, verdict=verdict, suspects=suspects)


def _forward(
    case: Case,
    claimed: Gradients,
    references: Mapping[str, Reference],
    bounds: Mapping[str, Bound],
    deviating: Mapping[str, Bound],
) -> tuple[ForwardJudgement, Gradients]:
    """Compare the losses; where they differ by a constant, divide the gradients by it so that they compare."""
    own = bounds["subject"]
    subject = Party("subject", claimed.loss, own.gradients.loss)
    witnesses = tuple(
        Party(w, r.gradients.loss, bounds[w].gradients.loss) for w, r in references.items() if w in bounds
    )
    if not witnesses:
        # Differences alone: the loss of the sound forward, which may round as the subject's may.
        witnesses = tuple(Party(w, r.gradients.loss, own.gradients.loss) for w, r in references.items())
    scale = np.abs(claimed.loss).astype(np.float64)
    wide = {w: b.gradients.loss for w, b in deviating.items()}
    losses = compare("loss", subject, witnesses, parted=own.parted, point_scale=scale, deviating=wide)
    if not losses.count(Status.DISAGREE):
        return ForwardJudgement(losses, None, None), claimed
    ratio = constant_ratio(subject, witnesses)
    wrong = losses.status == Status.DISAGREE
    lost = bool((wrong & ~np.isfinite(claimed.loss)).any() and not (wrong & np.isfinite(claimed.loss)).any())
    text = overflowed(case.architecture) if lost else message(case.architecture, ratio)
    if ratio is None:
        return ForwardJudgement(losses, None, text), claimed
    rescaled = replace(
        claimed,
        by_param={k: v / ratio for k, v in claimed.by_param.items()},
        by_input={k: v / ratio for k, v in claimed.by_input.items()},
    )
    return ForwardJudgement(losses, ratio, text), rescaled


def _witness_bound(name: str, reference: Reference, bounds: Mapping[str, Bound], tensor: str) -> Floats:
    values = reference.gradients[tensor]
    total = np.zeros(values.shape)
    if name in bounds:
        total = total + bounds[name].gradients[tensor]
    if reference.radius is not None:
        total = total + reference.radius[tensor]
    return total


def _point_scale(references: Mapping[str, Reference], points: int) -> Floats:
    """The largest finite gradient entry of each point, over all witnesses."""
    scale = np.zeros(points)
    for reference in references.values():
        for _, values in reference.gradients.tensors():
            flat = np.abs(values.reshape(points, -1)).astype(np.float64)
            scale = np.maximum(scale, np.where(np.isfinite(flat), flat, 0.0).max(axis=1, initial=0.0))
    return scale


def _nan_breach(
    claimed: Gradients, tensors: Mapping[str, TensorJudgement], references: Mapping[str, Reference]
) -> ContractBroken | None:
    """NaN where the truth is finite breaks the contract; where the truth may be anything it is undecidable."""
    for name, values in claimed.tensors():
        finite = _finite_somewhere(references, name, values)
        known = np.isin(tensors[name].status, [Status.DISAGREE, Status.ORACLE_DISAGREES])
        wrong = np.isnan(values) & finite & known
        if wrong.any():
            point, *index = (int(i) for i in np.argwhere(wrong)[0])
            return ContractBroken(
                f"subject returned NaN for {name}{index} at point {point}; the true gradient there is finite",
                rule="nan",
                point=point,
                tensor=name,
            )
    return None


def _finite_somewhere(references: Mapping[str, Reference], name: str, values: Array) -> Bools:
    result = np.zeros(values.shape, np.bool_)
    for reference in references.values():
        result |= np.isfinite(reference.gradients[name])
    return result


def _with_verdict(judgement: Judgement, names: tuple[str, ...]) -> Judgement:
    wrong = {n: t for n, t in judgement.tensors.items() if t.count(Status.DISAGREE)}
    odd = {n: t for n, t in judgement.tensors.items() if t.count(Status.ORACLE_DISAGREES)}
    forward = judgement.forward
    everything = dict(judgement.tensors) | ({"loss": forward.losses} if forward is not None else {})
    suspects = _points_with(everything, (Status.DISAGREE, Status.ORACLE_DISAGREES))
    if judgement.contract is not None:
        return replace(judgement, verdict=Verdict.BROKE_CONTRACT, suspects=suspects)
    if forward is not None and forward.disagrees:
        return replace(judgement, verdict=Verdict.FORWARD_DISAGREES, suspects=suspects, odd_one_out=_blame(wrong))
    if wrong:
        return replace(judgement, verdict=Verdict.DISAGREES, suspects=suspects, odd_one_out=_blame(wrong))
    loss_odd = forward is not None and forward.losses.count(Status.ORACLE_DISAGREES)
    if odd or (loss_odd and forward is not None):
        sources = list(odd.values()) or [forward.losses] if forward is not None else []
        indices = [t.odd_one_out[t.odd_one_out >= 0] for t in sources]
        first = int(np.concatenate(indices).min()) if indices else 0
        return replace(judgement, verdict=Verdict.ORACLE_DISAGREES, suspects=suspects, odd_one_out=names[first])
    if judgement.count(Status.AGREE):
        return replace(judgement, verdict=Verdict.AGREES)
    if judgement.count(Status.UNDECIDABLE) or judgement.count(Status.UNINFORMATIVE):
        return replace(judgement, verdict=Verdict.UNDECIDABLE)
    return judgement


def _blame(wrong: Mapping[str, TensorJudgement]) -> str | None:
    """The subject, where some entry has agreeing witnesses against it and none has an open attribution."""
    settled = [bool((t.odd_one_out[t.status == Status.DISAGREE] == -2).any()) for t in wrong.values()]
    return "subject" if any(settled) else None


def _points_with(tensors: Mapping[str, TensorJudgement], statuses: tuple[Status, ...]) -> tuple[int, ...]:
    """The points at which some entry has one of these statuses."""
    points: set[int] = set()
    for tensor in tensors.values():
        hit = np.isin(tensor.status, statuses)
        points.update(int(p) for p in np.flatnonzero(hit.reshape(len(hit), -1).any(axis=1)))
    return tuple(sorted(points))
