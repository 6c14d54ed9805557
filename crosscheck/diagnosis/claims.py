"""What the parties of a failure claim, each with what rounding may do to it: whose gradient a slope is taken with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crosscheck.checking import Clock, Witnesses, certified, derive_bounds, testify
from crosscheck.diagnosis.remainder import Claim, NoSlope
from crosscheck.differences.taylor import CLEAR
from crosscheck.judge.verdict import TEXTBOOK, Judgement
from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.protocols import Certifier, HasAnswer, HasLoss, Subject
from crosscheck.spec.result import Array, Bools, Bound, Floats, Gradients, Reference
from crosscheck.subjects.held import held_to_contract
from crosscheck.tolerance.bounds import bound
from crosscheck.tolerance.formats import FORMATS

# Why a subject that broke this rule of the contract has left no gradient to take a slope with.
NOTHING_GIVEN = {
    "raised": "the subject raised, and gave no gradient",
    "type": "what the subject returned is not a loss and NumPy arrays",
    "loss": "the subject returned no loss that is one real number",
    "keys": "the subject returned none of the gradients that were asked for",
    "shape": "a gradient that the subject returned does not have the shape of its tensor",
    "dtype": "a gradient that the subject returned is not of floating-point numbers",
    "nondeterministic": "the subject answers otherwise every time that it is asked",
}
NO_BOOLS: Mapping[str, Bools] = {}


@dataclass(frozen=True, eq=False)
class Failure:
    """A judgement that failed, and whoever can be asked about it."""

    case: Case
    judgement: Judgement
    subject: Subject
    witnesses: Witnesses

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        return derive_bounds(self.case, self.subject, self.witnesses)

    @property
    def arbiter(self) -> Certifier | None:
        """Who can evaluate the loss that was asked for exactly."""
        arbiter = self.witnesses.arbiter
        return None if arbiter is None or arbiter.gaps(self.case.architecture) else arbiter

    @property
    def another_loss(self) -> bool:
        forward = self.judgement.forward
        return forward is not None and forward.disagrees

    @property
    def ratio(self) -> float | None:
        """What the subject's loss is a multiple by, of the one asked for, where it is another."""
        forward = self.judgement.forward
        return forward.ratio if forward is not None and forward.disagrees else None

    @property
    def judged(self) -> Gradients:
        """The subject's gradients as they were judged: those of a multiple are divided by its factor."""
        found = self.judgement.claimed
        if found is None:
            raise NoSlope(NOTHING_GIVEN["type"])
        return found

    @property
    def returned(self) -> Gradients:
        """The subject's gradients as it returned them."""
        found, ratio = self.judged, self.ratio
        if ratio is None:
            return found
        by_param = {k: v * ratio for k, v in found.by_param.items()}
        by_input = {k: v * ratio for k, v in found.by_input.items()}
        return Gradients(found.loss, by_param, by_input)

    def of_subject(self, found: Gradients, names: Iterable[str], point: int) -> Claim:
        """The subject's claim. A gradient of another loss rounds in proportion to its size."""
        own, chosen = self.bounds["subject"], {k: found[k][point] for k in names}
        larger = max([1.0, *(_largest(g) / (_largest(own.centre[k][point]) or np.inf) for k, g in chosen.items())])
        lost = self._lost_in_the_ratio()
        noise = {k: own.held[k][point] * larger + lost * _sizes(g) for k, g in chosen.items()}
        return Claim(None, chosen, noise)

    def _lost_in_the_ratio(self) -> float:
        """A factor of the loss is known as well, relatively, as the best known of the losses that it comes from."""
        if self.ratio is None:
            return 0.0
        losses, held = np.abs(self.judged.loss.astype(np.float64)), self.bounds["subject"].gradients.loss
        known = np.isfinite(losses) & (losses > 0)
        return float(np.min(held[known] / losses[known], initial=1.0))

    def of_witness(self, name: str, reference: Reference, names: Iterable[str], point: int) -> Claim:
        """A witness's claim, with the noise of its error model and its own radius together."""
        own, radius = self.bounds.get(name), reference.radius
        chosen = {k: reference.gradients[k][point] for k in names}
        noise = {k: np.zeros(g.shape) for k, g in chosen.items()}
        for held in (None if own is None else own.held, radius):
            if held is not None:
                noise = {k: n + held[k][point] for k, n in noise.items()}
        return Claim(name, chosen, noise)

    def of_the_bound(self, name: str, names: Iterable[str], point: int) -> Claim:
        """The plain run around which the spread was taken."""
        run, chosen = self.bounds[TEXTBOOK], list(names)
        return Claim(name, {k: run.centre[k][point] for k in chosen}, {k: run.held[k][point] for k in chosen})

    def trusted(
        self,
        references: Mapping[str, Reference],
        names: Iterable[str],
        point: int,
        against: Iterable[str] = (),
        wrong: Mapping[str, Bools] = NO_BOOLS,
    ) -> Claim | None:
        """The witness to hold beside the accused: first those `against` it, and never the odd one out.

        Of them the first that answers every entry that is `wrong`, or every entry; else the first. None without any.
        """
        order = dict.fromkeys(w for w in (*against, *references) if w in references)
        order.pop(self.judgement.odd_one_out or "", None)
        claims = [_answered(self.of_witness(w, references[w], list(names), point)) for w in order]

        def answers(claim: Claim) -> bool:
            return all(np.isfinite(noise[wrong.get(k, ...)]).all() for k, noise in claim.noise.items())

        return next((claim for claim in claims if answers(claim)), claims[0] if claims else None)


def _answered(claim: Claim) -> Claim:
    """The claim, without the entries that are not finite: the true one may be beyond float64.

    It may be as far off as its noise: only what stands clear of that shows the slope of who is trusted.
    """
    noise = {k: np.where(np.isfinite(claim.gradients[k]), CLEAR * n, np.inf) for k, n in claim.noise.items()}
    return Claim(claim.name, claim.gradients, noise)


def _largest(values: Array) -> float:
    return float(_sizes(values).max(initial=0.0))


def _sizes(values: Array) -> Floats:
    """Absolute values; what is not finite has no size, and no rounding either."""
    sizes = np.abs(values.astype(np.float64))
    return np.where(np.isfinite(sizes), sizes, 0.0)


def own_loss(subject: Subject) -> Callable[[Case], Array]:
    """The subject's loss at every point of a case; raises ContractBroken, whatever foreign code raises."""

    def loss(case: Case) -> Array:
        if not isinstance(subject, HasLoss):
            return held_to_contract(subject, case).loss
        try:
            return subject.loss(case)
        except ContractBroken:
            raise
        except Exception as error:
            raise ContractBroken(f"subject raised {type(error).__name__}: {error}", rule="raised") from error

    return loss


# A breach of the contract.


def given(failure: Failure, point: int) -> Gradients:
    """What can be read of a subject's answer at one point, (1, …), though it broke the contract. Raises NoSlope."""
    if failure.judgement.claimed is not None:
        return _at(failure.returned, point)
    subject = failure.subject
    try:
        if isinstance(subject, HasAnswer):
            return subject.answer(failure.case, point)
        return _at(_readable(subject, failure.case), point)
    except ContractBroken as contract:
        raise NoSlope(NOTHING_GIVEN.get(contract.rule, str(contract))) from contract


def _readable(subject: Subject, case: Case) -> Gradients:
    """The answer of a subject, or of one that lacks some gradients or has them in another dtype what it has."""
    try:
        return held_to_contract(subject, case)
    except ContractBroken as contract:
        if contract.rule not in ("keys", "dtype"):
            raise
        found = subject.gradients(case)
        arrays = {**case.params, **{name: case.inputs[name] for name in case.architecture.float_inputs}}
        kept = {k: v for k, v in found.tensors() if k in arrays and _is_like(v, arrays[k])}
        if not kept or np.shape(found.loss) != (case.n_points,):
            raise
        by_param = {k: v for k, v in kept.items() if k in case.params}
        return Gradients(found.loss, by_param, {k: v for k, v in kept.items() if k not in by_param})


def _is_like(value: object, tensor: Array) -> bool:
    return isinstance(value, np.ndarray) and is_floating(value.dtype) and value.shape == tensor.shape


def _at(found: Gradients, point: int) -> Gradients:
    by_param = {k: v[[point]] for k, v in found.by_param.items()}
    return Gradients(found.loss[[point]], by_param, {k: v[[point]] for k, v in found.by_input.items()})


def of_breach(failure: Failure, found: Gradients, names: Iterable[str]) -> Claim:
    """Its claim at the one point of a case; a gradient in a coarser dtype than the case's rounds as in that."""
    claim = failure.of_subject(found, names, 0)
    dtypes = {g.dtype.name for g in claim.gradients.values()} & FORMATS.keys()
    coarser = [name for name in dtypes if FORMATS[name].roundoff > FORMATS[failure.case.dtype].roundoff]
    held = {name: bound(failure.case, name, failure.subject.error_model).held for name in coarser}
    noise = {
        k: np.maximum(n, held[claim.gradients[k].dtype.name][k][0]) if claim.gradients[k].dtype.name in held else n
        for k, n in claim.noise.items()
    }
    return Claim(None, claim.gradients, noise)


def testimony(failure: Failure) -> Mapping[str, Reference]:
    """What the arbiter proves of a case about which no witness was asked; without one, what the witnesses say."""
    points, clock = range(failure.case.n_points), Clock()
    proof = certified(failure.case, failure.witnesses, failure.bounds, clock, points)
    if proof is not None and failure.arbiter is not None:
        return {failure.arbiter.name: proof.reference}
    return testify(failure.case, failure.witnesses, failure.bounds, clock, None)
