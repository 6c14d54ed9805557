"""The systematic phase: it holds every pair that can be had, it shrinks like what is drawn, and it hides no gap."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, count

import numpy as np
import pytest

from crosscheck.spec import parse
from crosscheck.spec.factors import FACTORS, Grid, rows
from crosscheck.spec.impossible import ENTANGLED, impossible
from crosscheck.store.combinations import Held
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.covering import Array
from crosscheck.strategies.edges import illegal, legal
from crosscheck.strategies.planning import Planner
from crosscheck.strategies.space import EVERYTHING, Space
from crosscheck.strategies.values import FAMILIES

OPS = ["dense", "tanh", "relu", "softmax", "add", "concat", "sse", "mse", "softmax_cross_entropy"]
DTYPES = ("float64", "float32")


def array(ops: list[str] = OPS) -> Array:
    return Array(Planner(Menu(Space.of(ops)), DTYPES, tuple(FAMILIES), 2))


def _all(planned: Array) -> list[int]:
    found = []
    for index in count():
        if planned[index] is None:
            return found
        found.append(index)
    raise AssertionError("a systematic phase that never ends")


@pytest.mark.thorough
def test_every_pair_that_can_be_had_is_held_by_a_network() -> None:
    """Counted anew from the built networks, pair by pair."""
    planned = array()
    held = set()
    for index in _all(planned):
        chosen = planned[index]
        assert chosen is not None
        for row in planned.planner.rows(chosen):
            held |= set(combinations(zip(FACTORS, row, strict=True), 2))
    possible = {cell for cell in planned.grid.cells(2) if planned.grid.impossible(cell) is None}
    assert possible - held == set()
    assert planned.open == 0
    assert held - possible == set(), "a pair that is called impossible was had"


OF_CLASSES = ["dense", "tanh", ("softmax_cross_entropy", {"targets": "classes", "weighted": False})]


def test_where_all_losses_are_of_classes_few_networks_end_in_one() -> None:
    """Of one class nothing can be seen: of fifty networks, as many as a check has, most are to show something."""
    planned = Array(Planner(Menu(Space.of(OF_CLASSES, weighs=False)), DTYPES, tuple(FAMILIES), 2))
    chosen = [planned[index] for index in range(50)]
    networks = [planned.planner.architecture(one) for one in chosen if one is not None]
    assert len(networks) == 50
    last = [network.shape_of(network.loss.inputs[0])[-1] for network in networks]
    assert last.count(1) <= 50 // 3
    assert {1, 2, 3, 5} <= set(last)


@pytest.mark.thorough
def test_every_pair_of_classes_alone_is_held_all_the_same() -> None:
    planned = Array(Planner(Menu(Space.of(OF_CLASSES, weighs=False)), DTYPES, tuple(FAMILIES), 2))
    _all(planned)
    assert planned.open == 0


@pytest.mark.thorough
def test_every_pair_of_the_whole_space_is_held_within_400_networks() -> None:
    """As many as a run in CI has; and what the grid calls infeasible is in none of them."""
    planned = Array(Planner(Menu(EVERYTHING), DTYPES, tuple(FAMILIES), 8))
    held, seen = set(), set()
    for index in range(400):
        chosen = planned[index]
        assert chosen is not None
        loss = planned.planner.architecture(chosen).loss
        width = planned.planner.architecture(chosen).shape_of(loss.inputs[0])[-1:]
        for row in planned.planner.rows(chosen):
            held |= set(combinations(zip(FACTORS, row, strict=True), 2))
            # A softmax of one class, and the direction of one number, have no slope.
            if width > (1,) or loss.op not in ("softmax_cross_entropy", "nll", "kl_div", "cosine_similarity"):
                seen |= set(combinations(zip(FACTORS, row, strict=True), 2))
    possible = {cell for cell in planned.grid.cells(2) if planned.grid.impossible(cell) is None}
    assert len(possible) > 4900
    assert possible - held == set()
    assert held - possible == set()
    assert possible - seen == set()


@pytest.mark.thorough
def test_no_network_planned_or_drawn_holds_three_values_that_are_called_impossible() -> None:
    planned = Array(Planner(Menu(EVERYTHING), DTYPES, tuple(FAMILIES), 1))
    drawn = Source(cases(EVERYTHING, dtypes=DTYPES, points=1), 11)
    cases_asked = [planned.case(index, 0) for index in range(600)] + [drawn.case(index) for index in range(300)]
    met = set()
    for case in cases_asked:
        assert case is not None
        for row in rows(case.architecture, case.dtype, case.family, case.order):
            known = dict(zip(FACTORS, row, strict=True))
            for chosen in ENTANGLED:
                cell = tuple((factor, known[factor]) for factor in chosen)
                met.add(cell)
                assert impossible(cell) is None, (cell, case.architecture)
    # Not for want of such cells: most of those that can be had stood in one.
    assert len(met) > len({c for c in planned.grid.entangled() if impossible(c) is None}) / 2


@pytest.mark.long
def test_every_triple_that_can_be_had_is_held_by_a_planned_network_within_20_000() -> None:
    """As many as a nightly run has; three networks were planned around most of them by then."""
    planned = Array(Planner(Menu(EVERYTHING), DTYPES, tuple(FAMILIES), 1))
    held = Held(planned.grid)
    every = _all(planned)
    assert len(every) < 20_000
    for index in every:
        case = planned.case(index, 0)
        assert case is not None
        held.add(case)
    pairs, triples = held.combinations()
    assert (pairs.empty, triples.empty) == ((), ())
    assert triples.feasible > 118_000
    assert held.edges_of(legal(planned.menu), illegal(planned.menu)).empty == ()


@pytest.mark.thorough
def test_networks_behind_the_last_open_pair_have_layers_of_any_width() -> None:
    """What the layers there have is left to chance; the first of all choices, always taken, was a width of 1."""
    planned = array(["dense", "rnn", "tanh", "softmax_cross_entropy", "sse"])
    widths: Counter[str] = Counter()
    for index in _all(planned):
        chosen = planned[index]
        if chosen is None or planned.open:
            continue
        for row in planned.planner.rows(chosen):
            widths[row[FACTORS.index("width")]] += row[FACTORS.index("layer")] == "rnn"
    assert set(widths) == {"1", "2", "more"}
    assert 2 * widths["1"] < widths.total()


def test_what_is_fixed_is_planned_as_it_is_fixed_and_called_infeasible_otherwise() -> None:
    fixed = Space.of([("dense", {"bias": True}), "tanh", ("sse", {"reduction": "sum", "scale": 1.0}), "mse"])
    planned = Array(Planner(Menu(fixed), DTYPES, tuple(FAMILIES), 2))
    held = set()
    for index in _all(planned):
        chosen = planned[index]
        assert chosen is not None
        loss = planned.planner.architecture(chosen).loss
        assert loss.op != "sse" or loss.attributes["reduction"] == "sum"
        for row in planned.planner.rows(chosen):
            held |= set(combinations(zip(FACTORS, row, strict=True), 2))
    assert planned.open == 0
    possible = {cell for cell in planned.grid.cells(2) if planned.grid.impossible(cell) is None}
    assert possible - held == set()
    wanted = (("loss", "sse"), ("reduction", "mean"))
    assert planned.grid.impossible(wanted) == "an attribute is fixed in this run"


def test_the_same_networks_come_in_the_same_order_with_other_numbers() -> None:
    first, again = array(), array()
    for index in (0, 7, 40):
        a, b, other = first.case(index, 3), again.case(index, 3), again.case(index, 4)
        assert a is not None
        assert b is not None
        assert other is not None
        assert (a.key, a.order) == (b.key, b.order)
        assert a.architecture == other.architecture
        assert a.key != other.key or a.family == "ones"


@pytest.mark.thorough
def test_every_legal_edge_is_in_a_network() -> None:
    planned = array(["dense", "tanh", "softmax", "add", "concat", "sse", "cotangent"])
    met = set()
    for index in _all(planned):
        chosen = planned[index]
        assert chosen is not None
        met |= set(planned.planner.architecture(chosen).edges)
    wanted = legal(planned.menu)
    # A concat of a concat with itself leaves the palette, unless it is narrow: the one edge that is not always found.
    assert wanted - met <= {("concat", "concat")}
    assert len(wanted) > 25


@pytest.mark.parametrize("index", [0, 3, 11, 60])
def test_a_planned_case_is_replayed_exactly_and_shrinks(index: int) -> None:
    space, planned = Space.of(OPS), array()
    source = Source(cases(space, dtypes=DTYPES, points=2), 5, planned)
    case = source.case(index)
    assert case is not None
    op = case.architecture.nodes[-1].op
    seen = []

    def fails(found: object) -> bool:
        seen.append(found)
        return any(node.op == op for node in found.architecture.nodes)  # type: ignore[attr-defined]

    smallest = source.shrink(index, fails, 300)
    assert (seen[0].key, seen[0].family, seen[0].order) == (case.key, case.family, case.order)  # type: ignore[attr-defined]
    assert (smallest.family, smallest.order) == ("dyadic", "C")
    assert len(smallest.architecture.nodes) <= 2


@pytest.mark.parametrize("ops", [["dense", "tanh", "softplus", "sse"], ["dense", "cotangent"], OPS])
def test_a_planned_case_is_replayed_where_there_is_nothing_to_choose(ops: list[str]) -> None:
    """Of one loss, one dtype or one operation Hypothesis records no choice."""
    space = Space.of(ops)
    planned = Array(Planner(Menu(space), ("float64",), tuple(FAMILIES), 2))
    source = Source(cases(space, dtypes=("float64",), points=2), 1, planned)
    for index in range(8):
        case, seen = source.case(index), []
        assert case is not None
        source.shrink(index, lambda found, seen=seen: seen.append(found) or True, 1)  # type: ignore[misc, func-returns-value]
        assert seen[0].key == case.key


def test_a_planned_case_that_cannot_be_replayed_is_made_simpler_all_the_same() -> None:
    """Of networks with nothing to choose in a layer the choices are recorded otherwise."""
    space, planned = Space.of(["tanh", "sse"]), array(["tanh", "sse"])
    source = Source(cases(space, dtypes=DTYPES, points=2), 1, planned)
    case = source.case(0)
    assert case is not None
    deep = len(case.architecture.nodes)
    assert deep > 3
    smallest = source.shrink(0, lambda found: len(found.architecture.nodes) >= 2 and found.family == case.family, 60)
    assert len(smallest.architecture.nodes) == 2


def test_behind_the_last_planned_case_random_ones_follow() -> None:
    planned = array(["tanh", "sse"])
    last = len(_all(planned))
    source = Source(cases(Space.of(["tanh", "sse"]), points=2), 0, planned)
    plain = Source(cases(Space.of(["tanh", "sse"]), points=2), 0)
    behind, alone = source.case(last), plain.case(last)
    assert behind is not None
    assert alone is not None
    assert behind.key == alone.key


# fmt: off
ROWS: list[tuple[str, list[tuple[str, ...]]]] = [
    ("x[2,3] -> dense(2) -> tanh -> sse",
     [("dense", "tanh", "yes", "only", "2", "2", "1", "no")]),
    ("x[1,3] -> dense(1, bias=false) -> tanh -> relu -> sse",
     [("dense", "tanh", "no", "first", "1", "1", "2", "no"),
      ("none", "relu", "has none", "last", "1", "1", "2", "no")]),
    ("x[3] -> dense(3) -> dense(3, weight=@0.weight, bias=@0.bias) -> add(x) -> sse",
     [("dense", "none", "yes", "first", "more", "none", "more", "yes"),
      ("dense", "none", "yes", "middle", "more", "none", "more", "yes"),
      ("add", "none", "has none", "last", "more", "none", "more", "no")]),
]
# fmt: on


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_the_rows_of_a_network(text: str, expected: list[tuple[str, ...]]) -> None:
    names = ("layer", "activation", "bias", "position", "width", "batch", "depth", "sharing")
    found = [dict(zip(FACTORS, row, strict=True)) for row in rows(parse(text), "float64", "normal", "C")]
    assert [tuple(row[name] for name in names) for row in found] == expected
    assert {(row["loss"], row["reduction"], row["dtype"], row["family"], row["order"]) for row in found} == {
        ("sse", "sum", "float64", "normal", "C")
    }


def test_the_size_of_a_grid_is_the_number_of_its_cells() -> None:
    grid = Grid.of(["dense", "tanh", "sse"], ["float64"], ["normal"])
    assert grid.size(2) == len(list(grid.cells(2)))
    assert grid.size(3) == len(list(grid.cells(3)))
    assert np.isin(("dense", "none"), grid.values["layer"]).all()
