"""Networks around a triple: they hold it, whatever stands beside it, and as much of what is wanted as has room."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest

from crosscheck.spec.factors import FACTORS, Grid, rows
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.numbered import Numbered
from crosscheck.strategies.packing import Packer
from crosscheck.strategies.planning import Choices, Places, Planner
from crosscheck.strategies.space import Space
from crosscheck.strategies.triples import Triples

OPS = ["dense", "lstm", "reshape", "tanh", "relu", "softmax", "add", "matmul", "transpose", "sse", "mse", "nll"]
OPS += ["log_softmax"]
FAMILIES = ("normal", "ones")


class Packed:
    """A packer of a small space, and what its networks hold."""

    def __init__(self) -> None:
        self.planner = Planner(Menu(Space.of(OPS)), ("float64", "float32"), FAMILIES, 1)
        self.numbered = Numbered(Grid.of(self.planner.menu.space.ops, self.planner.dtypes, FAMILIES))
        self.triples = Triples(self.numbered.triples)
        self.triples.want(1)
        places = Places(self.planner)
        places.beyond_pairs = True
        self.packer = Packer(self.numbered, places, 5, np.random.default_rng(0))

    def held(self, chosen: Choices) -> list[dict[str, str]]:
        case = self.planner.case(chosen)
        found = rows(case.architecture, case.dtype, case.family, case.order)
        return [dict(zip(FACTORS, row, strict=True)) for row in found]

    def gain(self, chosen: Choices) -> int:
        numbers = [self.numbered.row(row) for row in self.held(chosen)]
        return len({t for row in numbers for t in combinations(row, 3) if self.triples.wanted[t]})


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        {"layer": "dense", "activation": "relu", "position": "last"},
        {"layer": "lstm", "activation": "tanh", "depth": "2"},
        {"layer": "dense", "bias": "no", "sharing": "yes"},
        {"layer": "add", "activation": "softmax", "position": "middle"},
        {"activation": "softmax", "loss": "sse", "family": "ones"},
        {"layer": "dense", "loss": "nll", "width": "1"},
    ],
)
def test_what_was_asked_for_has_room_beside_what_fills_the_network(asked: Mapping[str, str], *, plain: bool) -> None:
    """Layers that take two places once crowded out what stands last."""
    packed = Packed()
    holding = 0
    for _ in range(40):
        found = packed.held(packed.packer.network(asked, packed.triples, plain=plain))
        holding += any(asked.items() <= row.items() for row in found)
    assert holding >= 10


def test_a_packed_network_holds_more_of_what_is_wanted_than_a_plain_one() -> None:
    packed = Packed()
    few = np.random.default_rng(1).random(packed.numbered.triples.shape) < 0.02
    packed.triples = Triples(packed.numbered.triples & few)
    packed.triples.want(1)
    asked = {"layer": "dense", "activation": "relu", "depth": "more"}
    gains = {
        plain: np.mean([packed.gain(packed.packer.network(asked, packed.triples, plain=plain)) for _ in range(40)])
        for plain in (False, True)
    }
    assert gains[False] > 1.5 * gains[True] > 0


def test_planning_leaves_what_is_wanted_as_it_was() -> None:
    packed = Packed()
    before = packed.triples.wanted.copy()
    packed.packer.network({"layer": "dense"}, packed.triples, plain=False)
    assert (packed.triples.wanted == before).all()
    assert before.any()


def test_rows_with_two_or_three_values_that_do_not_go_together_cannot_be() -> None:
    numbered = Packed().numbered
    fine = {"layer": "dense", "activation": "tanh", "bias": "yes", "depth": "2", "sharing": "yes", "loss": "sse"}
    wrong = [
        fine | {"layer": "add", "bias": "yes"},  # an add has no bias
        fine | {"layer": "add", "bias": "has none"},  # and nothing to share
        fine | {"layer": "none"},
    ]
    table = np.array([numbered.row(values) for values in (fine, *wrong)])
    assert numbered.can_be(table).tolist() == [True, False, False, False]
    entangled = [
        [numbered.ids[part] for part in cell] for cell in numbered.grid.entangled() if numbered.grid.impossible(cell)
    ]
    only_together = [sorted(ids) for ids in entangled if all(numbered.pairs[pair] for pair in combinations(ids, 2))]
    assert only_together
    assert not numbered.can_be(np.array(only_together[:1])).any()
