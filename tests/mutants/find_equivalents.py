"""Writes crosscheck/mutants/equivalent.py: the systematic mutants that are right, by certified comparison.

    PYTHONPATH=.:tests python tests/mutants/find_equivalents.py [name-part]        # minutes; a part: prints alone

A candidate is asked for the gradients of NETWORKS networks that its op stands in. One that ball arithmetic contradicts
is a bug. One that it never does is equivalent, provided that its numbers differ from the sound ones nowhere but where
ball has proved them within rounding of the truth; what differs and could not be decided is printed as a discovery.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mutants.showing import off

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import Judgement
from crosscheck.mutants import equivalent
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.systematic import CANDIDATES
from crosscheck.oracles.ball import Ball
from crosscheck.search import FAILING
from crosscheck.spec.case import Case
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import FAMILIES
from crosscheck.subjects.planted import Planted

NETWORKS = 200
POINTS = 4
SEED = 1
HEAD = '''"""Systematic mutants that are right: no network can show them. By tests/mutants/find_equivalents.py.

Each was asked for the gradients of {networks} random networks with its op, at {points} points each, and ball arithmetic
certified all that differed from the sound gradients at all: within rounding of the truth. None was judged by hand.
"""

# fmt: off
EQUIVALENT: frozenset[str] = frozenset({{
'''


@dataclass(frozen=True)
class Found:
    """After so many networks with its op it was caught, or not; `undecided` entries differ and are not certified."""

    caught: bool
    networks: int
    undecided: int

    @property
    def equivalent(self) -> bool:
        return not self.caught and not self.undecided


def source_of(mutant: Mutant, seed: int = SEED) -> Source:
    """Random networks of its ops, with dense and sse, in the values in which it shows."""
    ops = dict.fromkeys((*mutant.ops, *mutant.beside, "dense", "sse"))
    space = Space.of([(op, mutant.fixed.get(op, {})) for op in ops])
    return Source(cases(space, points=POINTS, families=mutant.families or tuple(FAMILIES)), seed)


def found(mutant: Mutant, networks: int, seed: int = SEED) -> Found:
    """What certified comparison says of it."""
    source, subject, witnesses = source_of(mutant, seed), Planted(mutant), Witnesses((Ball(),), differences=False)
    (op,), asked, index, undecided = mutant.ops, 0, 0, 0
    while asked < networks and index < 10 * networks:
        case, index = source.case(index), index + 1
        if op not in case.architecture.ops:
            continue
        asked += 1
        with np.errstate(all="ignore"):
            judgement = check(case, subject, witnesses)
        if judgement.verdict in FAILING:
            return Found(True, asked, undecided)
        undecided += _undecided(mutant, case, judgement)
    return Found(False, asked, undecided)


def _undecided(mutant: Mutant, case: Case, judgement: Judgement) -> int:
    """How many entries differ from the sound ones beyond rounding and are not proved to agree with the truth."""
    differing = off(mutant, case)
    return sum(
        int(np.count_nonzero(differing[name] & (tensor.status != Status.AGREE)))
        for name, tensor in judgement.tensors.items()
    )


def text(names: list[str]) -> str:
    lines = "".join(f'    "{name}",\n' for name in sorted(names))
    return HEAD.format(networks=NETWORKS, points=POINTS) + lines + "})\n# fmt: on\n"


def main(part: str | None) -> None:
    names: list[str] = []
    for mutant in CANDIDATES:
        if part is not None and part not in mutant.name:
            continue
        result = found(mutant, NETWORKS)
        if result.caught:
            continue
        names += [mutant.name] if result.equivalent else []
        kind = "equivalent" if result.equivalent else f"DISCOVERY, {result.undecided} entries undecided"
        print(f"{mutant.name}: {kind} ({result.networks} networks)", flush=True)
    if part is None:
        Path(equivalent.__file__).write_text(text(names), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
