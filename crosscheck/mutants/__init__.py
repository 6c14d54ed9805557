"""Known bugs, planted on purpose: the proof that a wrong backward is found, and the dictionary that names it."""

from __future__ import annotations

from crosscheck.mutants.mutant import Mutant


def mutants() -> tuple[Mutant, ...]:
    from crosscheck.mutants import graph

    return graph.MUTANTS
