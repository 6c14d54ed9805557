"""What a subject was seen to answer: a case, and the judgement on it. A diagnosis rests on several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.op import Value
from crosscheck.spec.protocols import Certifier, Subject
from crosscheck.spec.result import Bools, Floats, Verdict
from crosscheck.strategies import probes

# Of a suspected operation so many small networks are asked about; each holds points of every family of values.
NETWORKS = 10
# One number; several samples, features, both; more of each; channels, steps and windows.
SHAPES = ((1, 1), (3, 1), (1, 3), (3, 3), (1, 1, 1), (1, 3, 1), (2, 3, 2), (2, 2, 3, 3))


@dataclass(frozen=True, eq=False)
class Tensor:
    """One gradient, (P, …): claimed, true, and how far the two may be apart; where it was decided.

    `own` is what rounding alone may have moved the claim; `bound` is as wide as the truth at a kink, too.
    """

    name: str
    claimed: Floats
    true: Floats
    bound: Floats
    own: Floats
    decided: Bools
    wrong: Bools


@dataclass(frozen=True, eq=False)
class Seen:
    """A case that was asked, and what became of it."""

    case: Case
    judgement: Judgement

    @property
    def ties(self) -> bool:
        """Whether some value stands exactly on a kink, or ties with another."""
        return any(exactly for exactly, _ in self.judgement.kinks.values())

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Every gradient of which the truth is known."""
        found = {}
        for name, t in self.judgement.tensors.items():
            proof = t.truth.name if t.truth is not None else next(iter(t.against), None)
            if proof is None:
                continue
            claimed, true = t.values["subject"].astype(np.float64), t.values[proof].astype(np.float64)
            own = t.own_bounds["subject"]
            bound = own + t.own_bounds[proof]
            decided = np.isfinite(bound) & ~np.isin(t.status, (Status.NOT_COMPARED, Status.OVERFLOW))
            found[name] = Tensor(name, claimed, true, bound, own, decided, t.status == Status.DISAGREE)
        return found

    @property
    def failed(self) -> bool:
        return any(t.wrong.any() for t in self.tensors.values())

    @cached_property
    def wrong_points(self) -> Bools:
        """(P,): where some gradient is wrong."""
        return self._by_point(lambda t: t.wrong)

    def right_points(self, suspects: Collection[str]) -> Bools:
        """(P,): where none is wrong, and of a gradient of these names, where there is one, something could have been.

        A gradient that is 0 is right whatever it lacks.
        """
        asked = suspects if any(name in self.tensors for name in suspects) else self.tensors
        known = self._by_point(
            lambda t: (self.judgement.tensors[t.name].status == Status.AGREE) & (t.true != 0) & (t.name in asked)
        )
        return np.asarray(known & ~self.wrong_points)

    def _by_point(self, of: Callable[[Tensor], Bools]) -> Bools:
        result = np.zeros(self.case.n_points, np.bool_)
        for tensor in self.tensors.values():
            mask = of(tensor)
            result |= mask.reshape(len(mask), -1).any(axis=1)
        return result


def asked(case: Case, subject: Subject, arbiter: Certifier) -> Seen:
    """The case with the judgement on it, by the truth alone."""
    return Seen(case, check(case, subject, Witnesses((arbiter,), differences=False)))


def variations(
    op: str, met: Mapping[str, Value], ops: Collection[str], dtype: str, subject: Subject, arbiter: Certifier
) -> Iterator[Seen]:
    """What the subject answers for small networks of this operation: other sizes, attributes and numbers.

    Those in which it breaks its contract say nothing.
    """
    allowed = Allowed.of(ops)

    def answers(choices: Iterable[Mapping[str, Value]]) -> Iterator[Seen]:
        asked_already: set[Architecture] = set()
        for attributes in choices:
            for shape in SHAPES:
                made = probes.alone(op, attributes, shape)
                if made is None or made in asked_already or not allowed.allows(made) or arbiter.gaps(made):
                    continue
                asked_already.add(made)
                seen = asked(probes.of_all_families(made, dtype), subject, arbiter)
                if seen.judgement.verdict is not Verdict.BROKE_CONTRACT or seen.judgement.tensors:
                    yield seen

    yield from islice(answers((probes.larger(op, met), *reversed(probes.variants(op, met)))), NETWORKS)
    # A number that a factor equals by chance is another number here.
    if (other := probes.otherwise(op, met)) != probes.variants(op, met)[-1]:
        yield from islice(answers((other,)), 1)
