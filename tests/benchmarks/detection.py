"""How small a bug is seen: an error of 1e-9, planted in one random gradient entry of the built-in, network by network.

    python tests/benchmarks/detection.py [--networks 300] [--seed 7]

For every entry the judge reports a resolution: how large a relative error would certainly have been seen. This
prints the share of entries in which that is below 1e-9, by family, and what stands in the way in the others. Then it
takes the judge at his word: the built-in's gradient is made wrong by 1e-9 in one random entry of each network, in
units of what the resolution is relative to. Wherever the reported resolution is below 1e-9 the entry must be found,
and it is an error (exit 1) if one is not.

Where nothing at all flows at a point there is nothing that an error could be relative to: such entries are counted
apart.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when NumPy, PyTorch or JAX are first imported

import numpy as np  # noqa: E402

from crosscheck import session  # noqa: E402
from crosscheck.checking import Witnesses, check  # noqa: E402
from crosscheck.judge.compare import Status, TensorJudgement, resolved  # noqa: E402
from crosscheck.judge.verdict import Judgement  # noqa: E402
from crosscheck.oracles.ball import Ball  # noqa: E402
from crosscheck.oracles.jax_grad import JaxGrad  # noqa: E402
from crosscheck.oracles.torch_autograd import TorchAutograd  # noqa: E402
from crosscheck.spec.case import Case  # noqa: E402
from crosscheck.spec.ops import OPS  # noqa: E402
from crosscheck.spec.result import Bools, Floats, Gradients, Verdict  # noqa: E402
from crosscheck.strategies.by_index import Source  # noqa: E402
from crosscheck.subjects.builtin import Builtin  # noqa: E402
from crosscheck.tolerance.bounds import bound  # noqa: E402

PLANTED = 1e-9
# What becomes of an entry, and, where a bug of 1e-9 would not have been seen for certain, what is in the way.
REASONS = ("seen", "all zero", "undecidable", "parted", "witness", "rounding")


@dataclasses.dataclass(frozen=True)
class Planted:
    """The built-in, off by `error` in one entry."""

    tensor: str
    place: tuple[int, ...]
    error: float
    name: str = "planted"
    supports: frozenset[str] = frozenset(OPS)
    error_model: None = None

    def gradients(self, case: Case) -> Gradients:
        sound = Builtin().gradients(case)
        group = "by_param" if self.tensor in sound.by_param else "by_input"
        wrong = np.array(sound[self.tensor])
        wrong[self.place] += self.error
        return dataclasses.replace(sound, **{group: {**getattr(sound, group), self.tensor: wrong}})


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one planted error."""

    index: int
    planted: Planted
    resolution: float
    status: Status
    verdict: Verdict

    @property
    def found(self) -> bool:
        return self.verdict is Verdict.DISAGREES and self.status is Status.DISAGREE

    @property
    def promised(self) -> bool:
        return self.resolution < PLANTED

    def __str__(self) -> str:
        place = f"{self.planted.tensor}{[int(k) for k in self.planted.place]}"
        said = f"resolution {self.resolution:.1e}, {self.status.name}, {self.verdict.name}"
        return f"index {self.index}: {self.planted.error:.2e} in {place}: {said}"


def plant(
    index: int, case: Case, sound: Judgement, whole: Floats, witnesses: Witnesses, generator: np.random.Generator
) -> Outcome:
    """Plant an error of 1e-9 in one entry, all tensors, points and entries being equally likely, and check again."""
    sizes = [t.status.size for t in sound.tensors.values()]
    tensor = list(sound.tensors.values())[generator.choice(len(sizes), p=np.array(sizes) / sum(sizes))]
    place = tuple(int(k) for k in np.unravel_index(int(generator.integers(tensor.status.size)), tensor.status.shape))
    planted = Planted(tensor.name, place, float(PLANTED * scale(tensor, whole)[place]))
    judgement = check(case, planted, witnesses)
    found = judgement.tensors[tensor.name]
    return Outcome(index, planted, float(found.resolution[place]), Status(found.status[place]), judgement.verdict)


def scale(t: TensorJudgement, whole: Floats) -> Floats:
    """What the resolution of each entry is relative to: the entry, its tensor's largest, or the point's."""
    each = np.stack([resolved(t.bounds[w], t.values[w], whole) for w in t.bounds])
    best = each.argmin(axis=0)[np.newaxis]
    resolution = np.take_along_axis(each, best, axis=0)[0]
    allowed = np.take_along_axis(np.stack(list(t.bounds.values())), best, axis=0)[0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(np.isfinite(resolution), 2.0 * allowed / resolution, 0.0)


def reasons(t: TensorJudgement, parted: Bools, whole: Floats) -> Iterator[tuple[str, int]]:
    """How many entries of a tensor there are of each of REASONS."""
    asked = t.status != Status.NOT_COMPARED
    seen = t.resolution < PLANTED
    zero = np.isinf(t.resolution) & (t.status != Status.UNDECIDABLE)
    undecidable = t.status == Status.UNDECIDABLE
    at_parted = np.broadcast_to(parted.reshape((-1,) + (1,) * (t.status.ndim - 1)), t.status.shape)
    # With a witness as good as the subject is allowed to be bad, would it have been seen?
    own = t.own_bounds["subject"]
    with_better = resolved(2 * own, t.values["subject"], whole) < PLANTED
    left = asked
    for reason, hit in zip(REASONS, (seen, zero, undecidable, at_parted, with_better, asked), strict=True):
        yield reason, int(np.count_nonzero(left & hit))
        left = left & ~hit


def largest(judgement: Judgement, signal: Floats) -> Floats:
    """The largest finite gradient of each point, of a tensor or of a node, as the judge has it."""
    result = signal
    for t in judgement.tensors.values():
        sizes = np.abs(t.values["subject"]).reshape(len(t.status), -1)
        result = np.maximum(result, np.where(np.isfinite(sizes), sizes, 0.0).max(axis=1, initial=0.0))
    return result


def measure(networks: int, seed: int) -> tuple[dict[str, Counter[str]], list[Outcome]]:
    """Entries by family and reason, and the outcome of one planted error a network."""
    settings = session.Settings(Builtin(), seed=seed, examples=networks)
    witnesses = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
    source = Source(session.strategy(settings)[0], seed)
    generator = np.random.default_rng(seed)
    families: dict[str, Counter[str]] = defaultdict(Counter)
    outcomes = []
    for index in range(networks):
        case = source.case(index)
        assert case is not None, f"index {index} drew no case"
        judgement = check(case, settings.subject, witnesses)
        own = bound(case, "float64")
        whole = largest(judgement, own.signal)
        for t in judgement.tensors.values():
            families[case.family].update(dict(reasons(t, own.parted, whole)))
        outcomes.append(plant(index, case, judgement, whole, witnesses, generator))
    return families, outcomes


def page(families: dict[str, Counter[str]], outcomes: list[Outcome]) -> Iterator[str]:
    yield f"share of entries by what becomes of an error of {PLANTED:g}"
    yield (
        f"{'family':12}{'entries':>9}"
        + "".join(f"{reason:>13}" for reason in REASONS)
        + "   seen of those not all zero"
    )
    for family, counts in sorted(families.items(), key=lambda item: -seen_share(item[1])):
        yield line(family, counts)
    yield line("together", sum(families.values(), Counter()))
    promised = [o for o in outcomes if o.promised]
    others = [o for o in outcomes if not o.promised]
    yield (
        f"\nplanted: {len(outcomes)} errors of {PLANTED:g}, of which {len(promised)} had to be found and "
        f"{sum(o.found for o in promised)} were; of the other {len(others)}, {sum(o.found for o in others)} were"
    )
    yield from (f"  MISSED {o}" for o in missed(outcomes))


def line(name: str, counts: Counter[str]) -> str:
    total = counts.total()
    shares = "".join(f"{counts[reason] / total:13.1%}" for reason in REASONS)
    return f"{name:12}{total:9}{shares}   {seen_share(counts):.1%}"


def seen_share(counts: Counter[str]) -> float:
    return counts["seen"] / max(counts.total() - counts["all zero"], 1)


def missed(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The planted errors that the reported resolution promised to show, and that were not found."""
    return [o for o in outcomes if o.promised and not o.found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    families, outcomes = measure(options.networks, options.seed)
    print("\n".join(page(families, outcomes)))
    raise SystemExit(1 if missed(outcomes) else 0)


if __name__ == "__main__":
    main()
