"""The systematic mutants: how many, of what, and that each is a bug that shows on the network it names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from mutants.find_equivalents import found
from mutants.showing import POINTS, SOUND, shows

from crosscheck.mutants import alterations, elementwise, terms
from crosscheck.mutants.equivalent import EQUIVALENT
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.small import networks
from crosscheck.mutants.smallest import SMALLEST
from crosscheck.mutants.systematic import CANDIDATES, FORMS, MUTANTS, forms, parts
from crosscheck.mutants.systematic import alterations as alterations_of
from crosscheck.spec.fault import Fault
from crosscheck.spec.notation import parse
from crosscheck.spec.ops import OPS
from crosscheck.strategies.values import make_case
from crosscheck.subjects.planted import Planted

# So many bugs at least, equivalent ones apart.
WANTED = 300
# Ops with fewer than two, and why.
FEW: dict[str, str] = {}
# Networks of each equivalent one that are certified again here; the script asks 200.
AGAIN = 3


def altered(mutant: Mutant) -> str:
    return mutant.name.split(": ", 1)[1]


def test_there_are_enough_and_their_names_are_unique() -> None:
    assert len(MUTANTS) >= WANTED
    assert len({m.name for m in CANDIDATES}) == len(CANDIDATES)
    assert len({m.what for m in CANDIDATES}) == len(CANDIDATES)


def test_every_op_of_the_register_has_at_least_two() -> None:
    count = Counter(op for m in MUTANTS for op in m.ops)
    assert {op for op in OPS if count[op] < 2} == set(FEW)


def test_every_derivative_of_every_op_is_wrong_in_some_mutant() -> None:
    faults = {fault for m in MUTANTS for fault in m.faults}
    of_all = {Fault(op.name, part.factor, part.name) for op in OPS.values() for part in parts(op)}
    assert faults == of_all


@pytest.mark.parametrize(
    "table", [alterations.OF_LAYERS, elementwise.SLOPES, elementwise.LOSSES, terms.TERMS], ids=lambda t: t[-1].name
)
def test_every_alteration_is_met(table: tuple[alterations.Alteration, ...]) -> None:
    assert {a.name for a in table} <= {altered(m) for m in MUTANTS}


def test_names_of_equivalents_and_of_smallest_networks_are_those_of_candidates() -> None:
    names = {m.name for m in CANDIDATES}
    assert names >= EQUIVALENT
    assert set(SMALLEST) == names - EQUIVALENT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_it_shows_on_its_smallest_network_and_leaves_the_loss_alone(mutant: Mutant) -> None:
    network = parse(mutant.smallest)
    assert set(mutant.ops) <= set(network.ops)
    assert shows(mutant, network)
    case = make_case(network, family="normal", seed=3, points=POINTS)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(Planted(mutant).gradients(case).loss, SOUND.gradients(case).loss)


@pytest.mark.parametrize("name", sorted(EQUIVALENT))
def test_what_is_called_equivalent_is_certified_again(name: str) -> None:
    mutant = next(m for m in CANDIDATES if m.name == name)
    result = found(mutant, AGAIN, seed=2)
    assert result.networks == AGAIN
    assert result.equivalent


def test_a_bug_is_not_found_equivalent() -> None:
    wrong = next(m for m in MUTANTS if m.ops == ("tanh",))
    assert not found(wrong, 20).equivalent


def test_small_networks_are_of_the_op_alone() -> None:
    for op in OPS.values():
        every = networks(op, {})
        assert all(op.name in network.ops and len(network.ops) <= 2 for network in every)


def test_what_has_a_form_is_looked_for_at_every_derivative_of_every_op() -> None:
    drawn = {m.name for m in CANDIDATES}
    for op in OPS.values():
        wanted = {
            f"{part.words}: {a.name}"
            for part in parts(op)
            for table in alterations_of(part)[:2]
            for a in table
            if a.symptom in FORMS
        }
        found = [m.name for m in forms(op.name)]
        assert len(found) == len(set(found))
        assert not set(found) & drawn
        assert wanted == set(found) | (wanted & drawn)


@pytest.mark.parametrize("op", OPS)
def test_what_is_looked_for_alone_answers_for_every_derivative(op: str) -> None:
    """On the smallest network of a mutant of the same derivative, with arrays as the sound rule has them."""
    by_fault = {m.faults: parse(m.smallest) for m in MUTANTS}
    for form in forms(op):
        case = make_case(by_fault[form.faults], family="normal", seed=1, points=2)
        with np.errstate(all="ignore"):
            given, sound = dict(Planted(form).gradients(case).tensors()), dict(SOUND.gradients(case).tensors())
        assert {k: (g.shape, g.dtype) for k, g in given.items()} == {k: (g.shape, g.dtype) for k, g in sound.items()}
