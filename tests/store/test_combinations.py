"""Pairs, triples and edges are counted from what cases hold, and what is left is named."""

from __future__ import annotations

import dataclasses
from itertools import combinations

from builders import case_of

from crosscheck.spec.factors import FACTORS, Grid, rows
from crosscheck.store.combinations import Held

OPS = ("dense", "tanh", "add", "sse", "mse")
GRID = Grid.of(OPS, ("float64", "float32"), ("normal", "ones"))


def test_one_case_holds_the_pairs_and_triples_of_its_rows() -> None:
    held, case = Held(GRID), case_of("x[2,3] -> dense(2) -> tanh -> dense(2) -> sse")
    held.add(case)
    found = rows(case.architecture, "float64", "normal", "C")
    assert len(found) == 2
    for counted, strength in zip(held.combinations(), (2, 3), strict=True):
        expected = {cell for row in found for cell in combinations(zip(FACTORS, row, strict=True), strength)}
        assert (counted.strength, counted.covered) == (strength, len(expected))
        assert counted.feasible + sum(counted.infeasible.values()) == GRID.size(strength)


def test_the_same_case_twice_holds_no_more_and_another_does() -> None:
    held, case = Held(GRID), case_of("x[2,3] -> dense(2) -> sse")
    held.add(case)
    before = held.combinations()
    held.add(case)
    assert held.combinations() == before
    held.add(dataclasses.replace(case, order="F"))
    assert held.combinations()[0].covered == before[0].covered + len(FACTORS) - 1


def test_what_is_empty_is_named_and_what_cannot_be_had_is_not() -> None:
    held = Held(GRID)
    held.add(case_of("x[2,3] -> dense(2) -> sse"))
    pairs, _ = held.combinations()
    assert "layer dense, activation tanh" in pairs.empty
    assert "layer dense, bias has none" not in pairs.empty
    assert pairs.infeasible["the layer has a bias attribute or has none"] == 5
    assert pairs.infeasible["the loss does not take that reduction"] == 2


def test_what_cannot_be_had_is_listed_with_its_reason_and_triples_are_counted_by_the_pair_they_hold() -> None:
    pairs, triples = Held(GRID).combinations()
    assert {why: len(cells) for why, cells in pairs.listed.items()} == pairs.infeasible
    assert "layer dense, bias has none" in pairs.listed["the layer has a bias attribute or has none"]
    counted = dict.fromkeys(pairs.infeasible, 0)
    for cell in GRID.cells(3):
        reasons = [GRID.impossible(pair) for pair in combinations(cell, 2)]
        first = min((why for why in reasons if why is not None), default=None)
        if first is not None:
            counted[first] += 1
    assert {why: n for why, n in triples.infeasible.items() if why in counted} == counted


def test_edges_are_those_that_can_be_had_and_those_that_were() -> None:
    held = Held(GRID)
    held.add(case_of("x[2,3] -> dense(2) -> tanh -> sse"))
    legal = frozenset({("dense", "tanh"), ("dense", "sse")})
    found = held.edges_of(legal, {"too few axes": frozenset({("tanh", "conv2d"), ("dense", "conv2d")})})
    assert (found.covered, found.legal, found.empty) == (2, 3, ("dense -> sse",))
    assert found.infeasible == {"too few axes": 2}
    assert found.listed == {"too few axes": ("dense -> conv2d", "tanh -> conv2d")}


def test_an_edge_that_was_met_is_none_that_cannot_be_had() -> None:
    held = Held(GRID)
    held.add(case_of("x[2,3] -> dense(2) -> tanh -> sse"))
    found = held.edges_of(frozenset(), {"never": frozenset({("tanh", "sse")}), "nor": frozenset({("sin", "sse")})})
    assert (found.covered, found.legal, found.infeasible) == (2, 2, {"nor": 1})
