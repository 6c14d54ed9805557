"""Known bugs, planted on purpose: the proof that a wrong backward is found, and the dictionary that names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crosscheck.mutants.mutant import Control, Mutant

# The catalogue's families, and behind them what is derived from the tables of ops.
FAMILIES = (
    "scaling",
    "losses",
    "penalties",
    "normalisation",
    "activations",
    "kinks",
    "convolution",
    "indexing",
    "graph",
    "sequence",
)
SYSTEMATIC = "systematic"

# Bugs of the catalogue that no network here can have: where they happened, and why not.
LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("HIPS/autograd#376", "there is no einsum, and merges do not broadcast: no gradient has a shape to be reduced to"),
    ("jax#22398", "logsumexp has no weights b, so that there is no derivative by them"),
)


@cache
def mutants() -> tuple[Mutant, ...]:
    """All planted bugs, the catalogue's first. Raises ValueError where two of a family have one name.

    A systematic one that has the name of one in the catalogue is the same bug, and is planted once.
    """
    found: list[Mutant] = [row for name in FAMILIES for row in import_module(f"{__name__}.{name}").MUTANTS]
    known = {row.name for row in found}
    derived: tuple[Mutant, ...] = import_module(f"{__name__}.{SYSTEMATIC}").MUTANTS
    found += [row for row in derived if row.name not in known]
    _check_names(row.name for row in found)
    return tuple(found)


def known(ops: Iterable[str]) -> tuple[Mutant, ...]:
    """What a diagnosis looks for: all planted bugs, and the forms of these ops' derivatives that were not planted."""
    # The turns by which a bug is planted in one op and not in another say nothing about the bugs of others.
    forms = import_module(f"{__name__}.{SYSTEMATIC}").forms
    planted = mutants()
    names = {row.name for row in planted}
    return (*planted, *(row for op in ops for row in forms(op) if row.name not in names))


def controls() -> tuple[Control, ...]:
    """All that looks wrong and is right. Raises ValueError where two have one name."""
    # Not called controls.py: a submodule of that name would hide this function.
    from crosscheck.mutants.looks_wrong import CONTROLS

    _check_names(row.name for row in CONTROLS)
    return CONTROLS


def _check_names(names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"mutants: {twice[0]!r} names two of them; a name is that of one")
