"""From the entries to the verdict of a case, by the precedence of `Verdict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from crosscheck.judge.arbiter import Centre, arbitrate
from crosscheck.judge.compare import ALONE, TOLERANCE, Party, Status, TensorJudgement, by_point, compare
from crosscheck.judge.forward import ForwardJudgement, constant_ratio, message, not_finite
from crosscheck.spec.case import Case
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.result import (
    Array,
    Bools,
    Bound,
    Certified,
    DeviationMet,
    Floats,
    Gradients,
    KinksMet,
    Reference,
    Rigour,
    Verdict,
)

if TYPE_CHECKING:
    from crosscheck.directed import Directed

NO_BOUNDS: Mapping[str, Bound] = {}
# Stands for the loss among the tensors: no parameter's key and no input's name.
LOSS = "(loss)"
# The party that is nobody's: any right formula in float64.
TEXTBOOK = "textbook"


@dataclass(frozen=True)
class Strand:
    """An entry, the slope that it takes at a kink, and how far it is from what the slope of another makes of it."""

    tensor: str
    index: tuple[int, ...]
    slope: float
    error: float
    bound: float


@dataclass(frozen=True)
class Contradiction:
    """Two entries of a point that no one slope explains, at an element of an op's input that is exactly on a kink.

    `node` is -1 for the loss; `at` the kink's place; the strand with the smaller share of the right-hand slope leads.
    """

    point: int
    op: str
    node: int
    element: tuple[int, ...]
    at: float
    strands: tuple[Strand, Strand]


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict on a case and everything it rests on.

    `odd_one_out` names the witness of ORACLE_DISAGREES ("tolerance" where the derived bound itself is off the truth),
    "subject" where the witnesses agree against it or the truth does, or is None where the attribution is open.
    `own` compares the subject with differences of its own loss. `certified` is what the arbiter proved, `kinks` how
    often which were met; `contradictions` are entries within their hulls that no one slope at a kink explains.
    `directed` is what random directions said of entries that no witness was asked about.
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
    certified: Certified | None = None
    kinks: KinksMet = field(default_factory=dict)
    contradictions: tuple[Contradiction, ...] = ()
    directed: Directed | None = None

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
    in `bounds` carries its own radius. A certified reference is the arbiter wherever it answers; `bounds["textbook"]`
    is then itself held against it. No references: UNCHECKED.
    """
    forward, claimed = _forward(case, claimed, references, bounds, deviating)
    own = bounds["subject"]
    scale = np.maximum(_point_scale(references, case.n_points), own.signal)
    tensors = {name: _tensor(name, values, references, bounds, deviating, scale) for name, values in claimed.tensors()}
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
        found = compare(name, subject, (witness,), parted=parted, point_scale=scale)
        own[name] = _unless_proved_right(found, judgement)
    wrong = any(t.count(Status.DISAGREE) for t in own.values())
    quiet = judgement.verdict in (Verdict.ORACLE_DISAGREES, Verdict.AGREES, Verdict.UNDECIDABLE, Verdict.UNCHECKED)
    verdict = Verdict.DISAGREES if wrong and quiet else judgement.verdict
    suspects = judgement.suspects
    if wrong:
        suspects = tuple(sorted({*suspects, *_points_with(own, (Status.DISAGREE,))}))
    return replace(judgement, own=own, verdict=verdict, suspects=suspects)


def _unless_proved_right(own: TensorJudgement, judgement: Judgement) -> TensorJudgement:
    """Differences of its own loss do not accuse a gradient that is proved right of the one that was asked for.

    Where that is another loss, that has been said, and to which of the two the backward belongs.
    """
    known = judgement.tensors.get(own.name)
    if known is None or known.truth is None or judgement.forward is None:
        return own
    right = known.truth.answered & ~known.truth.wrong["subject"]
    status = np.where(right & (own.status == Status.DISAGREE), Status.UNINFORMATIVE, own.status).astype(np.int8)
    return replace(own, status=status, against={w: against & ~right for w, against in own.against.items()})


def _tensor(
    name: str,
    values: Array,
    references: Mapping[str, Reference],
    bounds: Mapping[str, Bound],
    deviating: Mapping[str, Bound],
    scale: Floats,
) -> TensorJudgement:
    """One tensor, or the loss: voted on, then settled by the arbiter where one answers."""
    own = bounds["subject"]
    subject = _party("subject", values, own, name)
    witnesses = tuple(_witness(w, r, bounds, name) for w, r in references.items())
    wide = {w: _of(b.gradients, name) for w, b in deviating.items()}
    judged = compare(name, subject, witnesses, parted=own.parted, point_scale=scale, deviating=wide)
    arbiter = next((w for w, r in references.items() if r.rigour is Rigour.CERTIFIED), None)
    if arbiter is None:
        return judged
    textbook = bounds.get(TEXTBOOK)
    return arbitrate(
        judged,
        subject,
        witnesses,
        arbiter,
        parted=own.parted,
        point_scale=scale,
        centre=Centre(_of(textbook.centre, name), _of(textbook.held, name)) if textbook is not None else None,
    )


def _party(who: str, values: Array, own: Bound, name: str) -> Party:
    """A party in the bound derived for it; where something on the way overflows, what is not finite is unbounded."""
    lost = by_point(own.overflown, values) & ~np.isfinite(values)
    wide, held = (np.where(lost, np.inf, _of(bounds, name)) for bounds in (own.gradients, own.held))
    return Party(who, values, wide, within_branch=held, overflown=own.overflown)


def _of(gradients: Gradients, name: str) -> Array:
    return gradients.loss if name == LOSS else gradients[name]


def _witness(name: str, reference: Reference, bounds: Mapping[str, Bound], tensor: str) -> Party:
    """A witness's values of a tensor, bounded by its error model and its own radius together."""
    values = _of(reference.gradients, tensor)
    wide = held = np.zeros(values.shape)
    if name in bounds:
        derived = _party(name, values, bounds[name], tensor)
        wide, held = derived.bound, derived.held
    if reference.radius is not None:
        radius = _of(reference.radius, tensor)
        wide, held = wide + radius, held + radius
    estimate = reference.rigour is Rigour.ESTIMATED
    return Party(name, values, wide, always_asked=reference.radius is None, within_branch=held, estimate=estimate)


def _forward(
    case: Case,
    claimed: Gradients,
    references: Mapping[str, Reference],
    bounds: Mapping[str, Bound],
    deviating: Mapping[str, Bound],
) -> tuple[ForwardJudgement, Gradients]:
    """Compare the losses; where they differ by a constant, divide the gradients by it so that they compare."""
    own = bounds["subject"]
    speak = {w: r for w, r in references.items() if w in bounds or r.rigour is Rigour.CERTIFIED}
    if not speak:
        # Differences alone: the loss of the sound forward, which may round as the subject's may.
        bounds = dict(bounds) | dict.fromkeys(references, own)
        speak = {w: replace(r, radius=None) for w, r in references.items()}
    scale = np.abs(claimed.loss).astype(np.float64)
    losses = replace(_tensor(LOSS, claimed.loss, speak, bounds, deviating, scale), name="loss")
    if not losses.count(Status.DISAGREE):
        return ForwardJudgement(losses, None, None), claimed
    subject = Party("subject", claimed.loss, own.gradients.loss)
    ratio = constant_ratio(subject, tuple(_witness(w, r, bounds, LOSS) for w, r in speak.items()))
    wrong = losses.status == Status.DISAGREE
    lost = bool((wrong & ~np.isfinite(claimed.loss)).any() and not (wrong & np.isfinite(claimed.loss)).any())
    elsewhere = bool((losses.status == Status.AGREE).any())
    text = not_finite(case.architecture, agrees_elsewhere=elsewhere) if lost else message(case.architecture, ratio)
    if ratio is None:
        return ForwardJudgement(losses, None, text), claimed
    rescaled = replace(
        claimed,
        by_param={k: v / ratio for k, v in claimed.by_param.items()},
        by_input={k: v / ratio for k, v in claimed.by_input.items()},
    )
    return ForwardJudgement(losses, ratio, text), rescaled


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
        return replace(judgement, verdict=Verdict.ORACLE_DISAGREES, suspects=suspects, odd_one_out=_odd(sources, names))
    if judgement.count(Status.AGREE):
        return replace(judgement, verdict=Verdict.AGREES)
    if any(judgement.count(s) for s in (Status.UNDECIDABLE, Status.OVERFLOW, Status.UNINFORMATIVE)):
        return replace(judgement, verdict=Verdict.UNDECIDABLE)
    return judgement


def _odd(sources: list[TensorJudgement], names: tuple[str, ...]) -> str:
    """The witness that stands alone in these tensors, the first of several; a void tolerance before all."""
    found = np.concatenate([t.odd_one_out[t.status == Status.ORACLE_DISAGREES] for t in sources])
    return "tolerance" if (found == TOLERANCE).any() else names[int(found[found >= 0].min())]


def _blame(wrong: Mapping[str, TensorJudgement]) -> str | None:
    """The subject, where some entry has agreeing witnesses against it and none has an open attribution."""
    settled = [bool((t.odd_one_out[t.status == Status.DISAGREE] == ALONE).any()) for t in wrong.values()]
    return "subject" if any(settled) else None


def _points_with(tensors: Mapping[str, TensorJudgement], statuses: tuple[Status, ...]) -> tuple[int, ...]:
    """The points at which some entry has one of these statuses."""
    points: set[int] = set()
    for tensor in tensors.values():
        hit = np.isin(tensor.status, statuses)
        points.update(int(p) for p in np.flatnonzero(hit.reshape(len(hit), -1).any(axis=1)))
    return tuple(sorted(points))
