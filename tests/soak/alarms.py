"""False alarms: what the checker says of a subject that is known to be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from crosscheck.backprop import network
from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import describe
from crosscheck.judge.compare import TOLERANCE, Status, TensorJudgement, by_point
from crosscheck.judge.verdict import Judgement
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec.case import Case
from crosscheck.spec.protocols import Subject
from crosscheck.spec.result import Bools, Bound, Verdict
from crosscheck.strategies.by_index import Source
from crosscheck.tolerance.bounds import deviating_bounds, deviations_met

ACCUSES_THE_SUBJECT = (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES, Verdict.DISAGREES)


@dataclass
class Soaked:
    """What was said of a stretch of cases: verdicts, compared entries, and each alarm in words."""

    verdicts: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    informative: int = 0
    points: int = 0
    certified: int = 0
    false_alarms: list[str] = field(default_factory=list)
    wrongly_odd: list[str] = field(default_factory=list)

    def add(self, seed: int, index: int, case: Case, judgement: Judgement) -> None:
        self.verdicts[judgement.verdict.name] += 1
        statuses = np.concatenate([t.status.ravel() for t in judgement.tensors.values()] or [np.zeros(0)])
        self.points += case.n_points
        if judgement.certified is not None:
            self.certified += int(np.count_nonzero(judgement.certified.bits))
        self.compared += int(np.count_nonzero(statuses != Status.NOT_COMPARED))
        self.informative += int(np.count_nonzero(statuses == Status.AGREE))
        if judgement.verdict in ACCUSES_THE_SUBJECT:
            self.false_alarms.append(in_words(seed, index, case, judgement))
        elif judgement.verdict is Verdict.ORACLE_DISAGREES and not explained(case, judgement):
            self.wrongly_odd.append(in_words(seed, index, case, judgement))

    def __str__(self) -> str:
        share = self.informative / max(self.compared, 1)
        return (
            f"{self.points} points, {self.certified} of them certified, {dict(self.verdicts)}, "
            f"{self.compared} entries, {share:.0%} of them informative"
        )


def soak(source: Source, seed: int, subject: Subject, indices: range) -> Soaked:
    """Check the cases of these indices with every witness."""
    witnesses = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
    result = Soaked()
    for index in indices:
        case = source.case(index)
        assert case is not None, f"index {index} drew no case"
        result.add(seed, index, case, check(case, subject, witnesses))
    return result


def in_words(seed: int, index: int, case: Case, judgement: Judgement) -> str:
    """The case by which it is drawn again, and its worst entries."""
    where = describe.culprit(case.architecture, judgement)
    odd = f" ({judgement.odd_one_out})" if judgement.odd_one_out else ""
    lines = [
        f"seed {seed} index {index}: {judgement.verdict.name}{odd}, {case.dtype}, {case.family}, {case.architecture}",
        f"    {describe.message(judgement, where)}",
    ]
    for e in describe.entries(judgement, where.tensor)[:3]:
        place = f"{e.tensor}{list(e.index)} at point {e.point}"
        lines.append(f"    {place}: {dict(e.values)}, off by {e.error}, bound {e.bound}")
    return "\n".join(lines)


# Whose derivative there is no number at a place that rounding may reach, 0 in place of 1e-53 say; and NaN spreads to
# whatever it is multiplied with, by 0 too.
NO_NUMBER = {("jax", "norm")}


def explained(case: Case, judgement: Judgement) -> bool:
    """Whether known deviations of the odd witnesses cover every entry at which they are off the truth."""
    lost = {witness: _at_nothing(case, op) for witness, op in NO_NUMBER if op in case.architecture.ops}
    met = deviations_met(case, judgement.references)
    wide = deviating_bounds(case, [known for known, _ in met])
    tensors = dict(judgement.tensors)
    if judgement.forward is not None:
        tensors["loss"] = judgement.forward.losses
    return all(_covered(tensor, wide, lost) for tensor in tensors.values())


def _at_nothing(case: Case, op: str) -> Bools:
    """The points (P,) at which all z on the op's axis are 0, or less than what rounding makes of a 1."""
    exact = case.astype("float64")
    with np.errstate(all="ignore"):
        tape = network.forward(exact.architecture, exact.params, exact.inputs, exact.targets, weights=exact.weights)
    found = np.zeros(case.n_points, np.bool_)
    for node in case.architecture.nodes:
        if node.op == op:
            nothing = (np.abs(tape.value(node.inputs[0])) <= 2.0**-52).all(axis=int(node.attributes["axis"]))
            found |= nothing.reshape(case.n_points, -1).any(axis=1)
    return found


def _covered(tensor: TensorJudgement, wide: Mapping[str, Bound], lost: Mapping[str, Bools]) -> bool:
    """Whether every witness that is off the truth is so within its known deviations; a void tolerance never is.

    So is NaN of those that are `lost`, at the points where they are.
    """
    held = tensor.status == Status.ORACLE_DISAGREES
    if (held & (tensor.odd_one_out == TOLERANCE)).any() or tensor.truth is None:
        return not held.any()
    for name, wrong in tensor.truth.wrong.items():
        if name in lost:
            wrong = wrong & ~(np.isnan(tensor.values[name]) & by_point(lost[name], wrong))
        if not (held & wrong).any():
            continue
        if name not in wide:
            return False
        allowed = wide[name].gradients.loss if tensor.name == "loss" else wide[name].gradients[tensor.name]
        within = tensor.truth.errors[name] <= allowed + tensor.own_bounds[tensor.truth.name]
        # Where a deviation may be anything, a mean of nothing say, NaN is within it.
        if not (within | np.isinf(allowed))[held & wrong].all():
            return False
    return True
