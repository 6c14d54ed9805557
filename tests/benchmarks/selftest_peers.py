"""The bugs of the self-test put to gradcheck, check_grads and allclose, on the networks that crosscheck was given.

    python tests/benchmarks/selftest_peers.py [--networks 5] [--only TEXT] [--workers 2] [--peers-subset 1]
                                              [--reports-dir reports]

Reads `selftest.json`, as `crosscheck selftest` left it, and writes it back with `peers` in it, and the page anew. A bug
is planted as its user would have it: a `torch.autograd.Function` (a `jax.custom_vjp`) whose forward is the loss of the
network at the first point of the case, and whose backward is the changed built-in, called afresh each time, so that
what it remembers counts. The loss is the sound one, except where the bug is in the forward itself. allclose holds its
gradients against PyTorch autograd's.

Each is asked about the first networks of the same source, as many as crosscheck needed and at least --networks of them,
and has caught the bug when it accuses on any, even where it would accuse the sound gradient too. How often it does that
is counted on the first --networks networks of each source. Whatever a framework raises, such as for a gradient of the
wrong shape, is an accusation. check_grads is asked about every --peers-subset-th bug.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when NumPy, PyTorch or JAX are first imported

import jax  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from jax.test_util import check_grads  # noqa: E402
from msgspec.structs import replace  # noqa: E402
from peers import PEERS  # noqa: E402
from torch.autograd import gradcheck  # noqa: E402
from torch.autograd.function import once_differentiable  # noqa: E402

from crosscheck import mutants, selftest, selftesting  # noqa: E402
from crosscheck.backprop import network  # noqa: E402
from crosscheck.backprop.rows import Rows  # noqa: E402
from crosscheck.mutants.mutant import Mutant  # noqa: E402
from crosscheck.oracles import torch_autograd  # noqa: E402
from crosscheck.report import selftest as pages  # noqa: E402
from crosscheck.search import drawn  # noqa: E402
from crosscheck.spec.case import Case  # noqa: E402
from crosscheck.spec.fault import Symptom  # noqa: E402
from crosscheck.spec.kills import FILE, Kill, Peer, Selftest, SelftestFile  # noqa: E402
from crosscheck.spec.result import Array, Gradients  # noqa: E402
from crosscheck.store import selftest as store  # noqa: E402
from crosscheck.subjects.builtin import Builtin  # noqa: E402
from crosscheck.subjects.planted import Planted  # noqa: E402

SETTINGS = {peer.name: peer.settings for peer in PEERS}
CHECK_GRADS = "check_grads"


@dataclass(frozen=True)
class Question:
    """A case of one point, whoever claims its gradients, and the rules of its forward pass."""

    case: Case
    subject: Builtin
    rows: Rows = field(default_factory=lambda: network.ROWS)

    @classmethod
    def of(cls, case: Case, mutant: Mutant | None) -> Question:
        """About a bug, or about the sound built-in; what a bug remembers begins anew. Whoever is asked may write."""
        alone = case.take([0])
        for array in (*alone.params.values(), *alone.inputs.values()):
            array.flags.writeable = True
        if mutant is None:
            return cls(alone, Builtin())
        return cls(alone, Planted(mutant), mutant.table if mutant.symptom is Symptom.FORWARD else network.ROWS)

    @property
    def arrays(self) -> dict[str, Array]:
        """What is differentiated by: parameters and floating inputs, with the leading axis of one point."""
        return {**self.case.params, **{name: self.case.inputs[name] for name in self.case.architecture.float_inputs}}

    def loss(self, given: Mapping[str, Array]) -> Array:
        """The loss with these in place of the case's own, a 0-d array."""
        case = self.case
        params = {name: given[name] for name in case.params}
        inputs = {name: given.get(name, array) for name, array in case.inputs.items()}
        with np.errstate(all="ignore"):
            tape = network.forward(case.architecture, params, inputs, case.targets, self.rows, weights=case.weights)
        return np.asarray(tape.loss[0])

    def claimed(self) -> Gradients:
        with np.errstate(all="ignore"):
            return self.subject.gradients(self.case)


def by_gradcheck(question: Question, *, fast: bool) -> bool:
    # The tensors lie where the case's arrays do: a bug that writes to its arguments writes to the user's.
    tensors = {name: torch.from_numpy(array).requires_grad_() for name, array in question.arrays.items()}

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            values = {name: tensor.detach().numpy() for name, tensor in zip(tensors, given, strict=True)}
            return torch.tensor(question.loss(values))

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, d: Any) -> Any:
            found = question.claimed()
            return tuple(d * torch.tensor(found[name]) for name in tensors)

    return not gradcheck(Claimed.apply, tuple(tensors.values()), fast_mode=fast, raise_exception=False)


def by_check_grads(question: Question) -> bool:
    names = tuple(question.arrays)
    scalar = jax.ShapeDtypeStruct((), np.float64)

    def value(given: Any) -> Any:
        return jax.pure_callback(
            lambda *arrays: question.loss(dict(zip(names, map(np.asarray, arrays), strict=True))), scalar, *given
        )

    @jax.custom_vjp
    def loss(given: Any) -> Any:
        return value(given)

    def backward(_: None, d: Any) -> Any:
        found = question.claimed()
        return (tuple(d * found[name] for name in names),)

    loss.defvjp(lambda given: (value(given), None), backward)
    with jax.enable_x64(True):
        try:
            check_grads(loss, (tuple(map(jax.numpy.array, question.arrays.values())),), order=1, modes=("rev",))
        except AssertionError:  # how it says no
            return True
    return False


def by_allclose(question: Question) -> bool | None:
    """None where PyTorch has no answer."""
    if torch_autograd.TorchAutograd().gaps(question.case.architecture):
        return None
    reference, claimed = torch_autograd.gradients(question.case, "float64"), question.claimed()
    return not all(np.allclose(claimed[name], reference[name]) for name in question.arrays)


ASKED: dict[str, Callable[[Question], bool | None]] = {
    "gradcheck, slow": lambda question: by_gradcheck(question, fast=False),
    "gradcheck, fast": lambda question: by_gradcheck(question, fast=True),
    CHECK_GRADS: by_check_grads,
    "numpy.allclose": by_allclose,
}


# --- a group of bugs that are hunted on the same networks ---------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Bugs by name, the networks on which each is asked about, and those of them that check_grads is asked about."""

    networks: Mapping[str, int]
    subset: frozenset[str]
    sound: int

    def peers(self, name: str | None) -> list[str]:
        slow = name in self.subset if name is not None else bool(self.subset)
        return [peer for peer in ASKED if peer != CHECK_GRADS or slow]


@dataclass
class Heard:
    """By peer: which bugs it was asked about and whether it caught them; sound gradients shown, and accused."""

    bugs: dict[str, dict[str, bool]] = field(default_factory=lambda: {peer: {} for peer in ASKED})
    sound: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASKED, 0))
    alarms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ASKED, 0))

    def add(self, other: Heard) -> None:
        for peer in ASKED:
            self.bugs[peer] |= other.bugs[peer]
            self.sound[peer] += other.sound[peer]
            self.alarms[peer] += other.alarms[peer]


def groups(found: Selftest, networks: int, only: str | None, every: int) -> list[Group]:
    """The bugs of the record whose sources are alike; every so many-th goes to check_grads."""
    known = {mutant.name: mutant for mutant in mutants.mutants()}
    chosen = [kill for kill in found.kills if kill.name in known and (only or "").lower() in kill.name.lower()]
    subset = frozenset(kill.name for kill in chosen[::every])
    alike: dict[str, list[Kill]] = {}
    for kill in chosen:
        mutant = known[kill.name]
        alike.setdefault(repr((selftest.space_of(mutant), mutant.families)), []).append(kill)
    return [
        Group(
            {kill.name: max(networks, kill.networks or 0) for kill in kills},
            subset & {kill.name for kill in kills},
            networks,
        )
        for kills in alike.values()
    ]


def heard(group: Group, plan: selftest.Plan) -> Heard:
    torch.set_num_threads(1)
    known = {mutant.name: mutant for mutant in mutants.mutants()}
    result = Heard()
    source = selftest.source_of(known[next(iter(group.networks))], plan)
    cases = [drawn(source, index) for index in range(max(group.networks.values()))]
    for case in cases[: group.sound]:
        for peer in group.peers(None):
            accused = ASKED[peer](Question.of(case, None))
            result.sound[peer] += accused is not None
            result.alarms[peer] += bool(accused)
    for name, count in group.networks.items():
        for peer in group.peers(name):
            said = _first_accusation(peer, cases[:count], known[name])
            if said is not None:
                result.bugs[peer][name] = said
    return result


def _first_accusation(peer: str, cases: Sequence[Case], mutant: Mutant) -> bool | None:
    """Whether it accuses on any of the networks; None where it could be asked about none."""
    answers = (_accuses(peer, Question.of(case, mutant)) for case in cases)
    said = None
    for answer in answers:
        if answer:
            return True
        said = said if answer is None else False
    return said


def _accuses(peer: str, question: Question) -> bool | None:
    try:
        return ASKED[peer](question)
    except (RuntimeError, ValueError, TypeError):  # of a gradient that cannot be the one of these arguments
        return True


# --- the record ---------------------------------------------------------------------------------------------------


def peers(found: Selftest, result: Heard, networks: int) -> Iterator[Peer]:
    for name in ASKED:
        said = result.bugs[name]
        by_family = {
            family: (sum(said[kill.name] for kill in asked), len(asked))
            for family, kills in found.families.items()
            if (asked := [kill for kill in kills if kill.name in said])
        }
        yield Peer(
            name=name,
            settings=f"{SETTINGS[name]}; on the networks that crosscheck was given, at least {networks}",
            caught=sum(said.values()),
            asked=len(said),
            alarms=result.alarms[name],
            sound=result.sound[name],
            by_family=by_family,
        )


def measure(found: Selftest, asked: Sequence[Group], workers: int) -> Heard:
    plan = selftest.Plan(found.most_networks, seed=found.seed, dtype=found.dtype, points=found.points)
    result = Heard()
    with selftesting.pool_of(workers) as pool:
        for done, future in enumerate(as_completed([pool.submit(heard, group, plan) for group in asked]), start=1):
            result.add(future.result())
            print(f"\r{done}/{len(asked)} groups of bugs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--networks", type=int, default=5, help="at least so many of each bug's; all that crosscheck took"
    )
    parser.add_argument("--only", help="bugs with this in their names")
    parser.add_argument("--workers", type=int, default=selftesting.cores())
    parser.add_argument("--peers-subset", type=int, default=1, help="check_grads is asked about every so many-th bug")
    parser.add_argument("--reports-dir", type=Path, default=Path("reports"))
    options = parser.parse_args()
    file = SelftestFile.load(options.reports_dir / FILE)
    asked = groups(file.selftest, options.networks, options.only, options.peers_subset)
    if not asked:
        parser.error(f"--only: the record holds no bug with {options.only!r} in its name")
    result = measure(file.selftest, asked, options.workers)
    beside = tuple(peers(file.selftest, result, options.networks))
    file = replace(file, selftest=replace(file.selftest, peers=beside))
    store.write(file, options.reports_dir)
    pages.write(file, options.reports_dir / pages.PAGE)
    print(pages.text(file, width=120, color=False), end="")


if __name__ == "__main__":
    main()
