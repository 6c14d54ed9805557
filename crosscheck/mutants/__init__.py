"""Known bugs, planted on purpose: the proof that a wrong backward is found, and the dictionary that names it."""

from __future__ import annotations

import importlib

from crosscheck.mutants.mutant import Control, Mutant

FAMILIES = (
    "scaling",
    "losses",
    "normalisation",
    "activations",
    "kinks",
    "convolution",
    "indexing",
    "graph",
    "sequence",
    "systematic",
)


def mutants() -> tuple[Mutant, ...]:
    return tuple(m for f in FAMILIES for m in importlib.import_module(f"crosscheck.mutants.{f}").MUTANTS)


def controls() -> tuple[Control, ...]:
    return ()
