"""The worst entries of a judgement, the parties on each side, and a sentence for each verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crosscheck.judge.compare import Status, TensorJudgement, difference
from crosscheck.judge.forward import in_words
from crosscheck.judge.verdict import Contradiction, Judgement
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.ops import op_named
from crosscheck.spec.record import EntryRecord, number
from crosscheck.spec.result import Floats, Verdict

MOST_ENTRIES = 8
WRONG = (Status.DISAGREE, Status.ORACLE_DISAGREES)
# The odd one out where the derived bound itself is off the truth.
TOLERANCE = "tolerance"


@dataclass(frozen=True)
class Culprit:
    """The wrong tensor nearest the loss: the first that a walk from the loss meets."""

    tensor: str | None
    node: int | None
    op: str | None


def culprit(architecture: Architecture, judgement: Judgement) -> Culprit:
    """Where a reader should look first."""
    wrong = {n for n, t in [*judgement.tensors.items(), *judgement.own.items()] if _wrong(t).any()}
    for i in reversed(range(len(architecture.nodes))):
        node = architecture.nodes[i]
        # In the order of the op's own roles: that of `node.params` is another in a case read from a file.
        for key in architecture.param_shapes:
            if key in wrong and key in node.params.values():
                return Culprit(key, i, node.op)
    for name in architecture.float_inputs:
        if name in wrong:
            return Culprit(name, None, "input")
    if judgement.contract is not None and judgement.contract.tensor is not None:
        return _owner(architecture, judgement.contract.tensor)
    return Culprit(None, None, None)


def of_the_backward(judgement: Judgement) -> Judgement:
    """What a judgement says of the backward alone.

    Beside a loss that is another than the one asked for, and no multiple of it, the witnesses' gradients are of
    another function: only differences of the subject's own loss say which of its gradients is wrong.
    """
    forward = judgement.forward
    apart = forward is not None and forward.disagrees and forward.ratio is None
    return replace(judgement, tensors={}) if apart else judgement


def of_the_asked_loss(judgement: Judgement) -> float | None:
    """The factor of the loss that is returned, where all gradients are right as they were: of the loss asked for."""
    ratio = judgement.forward.ratio if judgement.forward is not None else None
    if ratio is None:
        return None
    asked = False
    for tensor in judgement.tensors.values():
        # Who is the truth, or where none is known whoever was asked.
        others = (tensor.truth.name,) if tensor.truth is not None else tuple(tensor.against)
        for w in others:
            allowed = (tensor.own_bounds["subject"] + tensor.own_bounds[w]) * max(abs(ratio), 1.0)
            known = _wrong(tensor) & np.isfinite(allowed)
            if not (difference(tensor.values["subject"] * ratio, tensor.values[w]) <= allowed)[known].all():
                return None
            asked |= bool(known.any())
    return ratio if asked else None


def of_another_loss(case: Case, factor: float) -> str:
    """What is said of a right backward beside a loss that is a multiple of the one asked for."""
    loss = case.architecture.loss.op
    return (
        f"the gradients are those of {loss} itself: the backward does not match the loss that is returned, "
        f"{in_words(factor)} × {loss}"
    )


def _owner(architecture: Architecture, tensor: str) -> Culprit:
    for i, node in enumerate(architecture.nodes):
        if tensor in node.params.values():
            return Culprit(tensor, i, node.op)
    # A key that the network does not have is no tensor of it, whatever it is called: "loss", say.
    return Culprit(tensor, None, "input") if tensor in architecture.float_inputs else Culprit(None, None, None)


def _wrong(tensor: TensorJudgement) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.isin(tensor.status, WRONG)


def severity(judgement: Judgement) -> float:
    """The worst error in units of its bound."""
    worst = 0.0
    for tensor in [*judgement.tensors.values(), *judgement.own.values()]:
        wrong = _wrong(tensor)
        for w, against in tensor.against.items():
            hit = wrong & against
            if hit.any():
                worst = max(worst, float(in_bounds(tensor, w)[hit].max()))
    return worst


def entries(judgement: Judgement, first: str | None, *, backward: bool = False) -> tuple[EntryRecord, ...]:
    """The worst entries, those of the tensor `first` leading.

    Where the loss is a multiple of the one asked for, all values are those of the subject's own loss.

    The loss itself leads where the forward disagrees, unless it is the `backward` that is told of.
    """
    tensors = dict(judgement.tensors)
    for name, tensor in judgement.own.items():
        if not (name in tensors and _wrong(tensors[name]).any()):
            tensors[name] = tensor
    found: list[tuple[bool, float, EntryRecord]] = []
    if judgement.forward is not None and judgement.forward.disagrees and not backward:
        found += [(True, np.inf, e) for _, e in _worst_of(judgement.forward.losses, 2)]
    for name, tensor in tensors.items():
        ratio = _ratio(judgement) if tensor is judgement.tensors.get(name) else 1.0
        found += [(name == first, size, e) for size, e in _worst_of(tensor, MOST_ENTRIES, ratio)]
    found.sort(key=lambda item: (not item[0], -item[1]))
    return tuple(entry for _, _, entry in found[:MOST_ENTRIES])


def _ratio(judgement: Judgement) -> float:
    """What the subject's loss is a multiple by, of the one asked for."""
    return judgement.forward.ratio or 1.0 if judgement.forward is not None else 1.0


def _worst_of(tensor: TensorJudgement, most: int, ratio: float = 1.0) -> list[tuple[float, EntryRecord]]:
    wrong = _wrong(tensor)
    if not wrong.any():
        return []
    size = np.full(tensor.status.shape, -np.inf)
    for w, against in tensor.against.items():
        size = np.where(against & wrong, np.maximum(size, in_bounds(tensor, w)), size)
    order = np.argsort(-size, axis=None, kind="stable")[:most]
    result = []
    for flat in order:
        place = np.unravel_index(int(flat), size.shape)
        if size[place] == -np.inf:
            break
        result.append((float(size[place]), _entry(tensor, tuple(int(i) for i in place), ratio)))
    return result


def error_and_bound(tensor: TensorJudgement, witness: str) -> tuple[Floats, Floats]:
    """What stands between the subject and a witness; where the truth is known, how far off who is wrong is from it."""
    error, bound = tensor.errors[witness], tensor.bounds[witness]
    truth = tensor.truth
    if truth is None:
        return error, bound
    off = truth.wrong["subject"]
    if witness == truth.name:
        return np.where(off, truth.errors["subject"], error), np.where(off, truth.bounds["subject"], bound)
    own = truth.answered & ~off
    error = np.where(off, truth.errors["subject"], np.where(own, truth.errors[witness], error))
    return error, np.where(off, truth.bounds["subject"], np.where(own, truth.bounds[witness], bound))


def in_bounds(tensor: TensorJudgement, witness: str) -> Floats:
    """Each error in units of its bound; NaN is as bad as infinity."""
    error, bound = error_and_bound(tensor, witness)
    with np.errstate(all="ignore"):
        return np.nan_to_num(error / bound, nan=np.inf, posinf=1e300)


def _entry(tensor: TensorJudgement, place: tuple[int, ...], ratio: float) -> EntryRecord:
    against = [w for w in tensor.against if tensor.against[w][place]]
    worst = max(against, key=lambda w: (in_bounds(tensor, w)[place], w))
    error, bound = error_and_bound(tensor, worst)
    values = {
        party: number(float(v[place]) * ratio) if np.isfinite(tensor.own_bounds[party][place]) else None
        for party, v in tensor.values.items()
    }
    resolution = float(tensor.resolution[place])
    truth = tensor.truth
    known = truth is not None and truth.answered[place]
    return EntryRecord(
        tensor=tensor.name,
        index=place[1:],
        point=place[0],
        values=values,
        error=number(float(error[place]) * abs(ratio)),
        bound=number(float(bound[place]) * abs(ratio)),
        resolution=resolution if np.isfinite(resolution) else None,
        radius=float(tensor.own_bounds[truth.name][place]) * abs(ratio) if truth is not None and known else None,
    )


def extent(judgement: Judgement) -> list[str]:
    """Which gradients are wrong and which are right, where some are: the error enters between them.

    Right in the network that is shown, and where they are not 0: what is 0 is right whatever it lacks.
    """
    wrong = [name for name, t in judgement.tensors.items() if t.count(Status.DISAGREE)]
    right = [
        name
        for name, t in judgement.tensors.items()
        if name not in wrong and ((t.status == Status.AGREE) & (t.values["subject"] != 0)).any()
    ]
    if judgement.verdict is Verdict.ORACLE_DISAGREES or not wrong or not right:
        return []
    return [f"wrong: {', '.join(wrong)}; right here: {', '.join(right)}"]


def sides(judgement: Judgement, tensor: str | None) -> dict[str, tuple[str, ...]]:
    """Who stands with the subject in the wrong entries of this tensor, and who against it."""
    found = judgement.tensors.get(tensor or "") or judgement.own.get(tensor or "")
    if found is None:
        return {}
    wrong = _wrong(found)
    against = tuple(w for w in found.against if (found.against[w] & wrong).any())
    beside = tuple(w for w in found.against if w not in against and (np.isfinite(found.bounds[w]) & wrong).any())
    if judgement.verdict is Verdict.ORACLE_DISAGREES:
        return {"with the subject": ("subject", *beside), "against it": against}
    return {"the subject": ("subject", *beside), "against it": against}


def message(judgement: Judgement, where: Culprit, *, backward: bool = False) -> str:
    """One sentence that says what is wrong; of the gradients where it is the `backward` that is told of."""
    if judgement.contract is not None:
        return str(judgement.contract)
    if judgement.forward is not None and judgement.forward.disagrees and not backward:
        return judgement.forward.message or "the losses differ"
    if judgement.contradictions:
        return contradiction(judgement.contradictions[0])
    place = f"the gradient of {where.tensor}" if where.tensor else "the loss"
    if _only_own(judgement, where.tensor):
        return f"{place} is not the derivative of the subject's own loss: the backward does not match its forward"
    found = judgement.tensors.get(where.tensor or "")
    truth = found.truth if found is not None else None
    if judgement.odd_one_out == TOLERANCE:
        return (
            f"the stochastic run does not centre on the certified value of {place}: its bound is void, and nothing "
            "that hangs on it counts as compared"
        )
    if judgement.verdict is Verdict.ORACLE_DISAGREES:
        if truth is not None:
            return f"{judgement.odd_one_out} is off the certified value of {place}; the subject is not"
        return f"{judgement.odd_one_out} stands alone on {place}; the subject agrees with the other witnesses"
    if truth is not None:
        return f"{place} differs from the certified one{_unexcused(found)}"
    if judgement.odd_one_out == "subject":
        return f"{place} differs from witnesses that agree with each other"
    return f"{place} differs from a witness; who is right is open"


def _unexcused(found: TensorJudgement | None) -> str:
    """Said where the run from which the bound is taken is off too."""
    void = found.truth.void if found is not None and found.truth is not None else None
    if found is None or void is None or not (_wrong(found) & void).any():
        return ""
    return ", and so does the run from which its bound is taken: a rule that both use is wrong, or the bound too narrow"


def contradiction(found: Contradiction) -> str:
    """What two entries take for the slope at a kink."""
    taken = " and ".join(f"{s.slope:.6g} in {s.tensor}[{','.join(map(str, s.index))}]" for s in found.strands)
    node = "" if found.node < 0 else f", node {found.node}"
    index = ",".join(map(str, found.element))
    element = f"{'output - target' if found.node < 0 else 'input'}[{index}]{node}"
    if op_named(found.op, "kinks").ties:
        return (
            f"exactly at a tie, {found.op} at {found.at:g} ({element}), the part of its window's gradient that goes to "
            f"it is {taken.replace(' in ', ' by ')}: each lies between none and all of it, but no one part explains "
            "both"
        )
    return (
        f"exactly at a kink, {found.op} at {found.at:g} ({element}), the slope taken is {taken}: each lies between the "
        "one-sided derivatives, but no one slope explains both"
    )


def _only_own(judgement: Judgement, tensor: str | None) -> bool:
    """Whether only the differences of the subject's own loss contradict it there."""
    if tensor is None or tensor not in judgement.own or not _wrong(judgement.own[tensor]).any():
        return False
    return tensor not in judgement.tensors or not _wrong(judgement.tensors[tensor]).any()
