"""Every activation is asked where it turns flat, whatever the seed, within the networks of a quick run."""

import numpy as np
import pytest

from crosscheck.session import PROFILES
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.ops import OPS
from crosscheck.strategies import shoulders
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.cases import POINTS
from crosscheck.strategies.covering import Array
from crosscheck.strategies.planning import Planner
from crosscheck.strategies.space import EVERYTHING, Space
from crosscheck.strategies.values import FAMILIES

ACTIVATIONS = {op for op in OPS if OPS[op].kind == "activation"}
DTYPES = ("float32", "float64")


def planner(space: Space = EVERYTHING, families: tuple[str, ...] = tuple(FAMILIES)) -> Planner:
    return Planner(Menu(space), DTYPES, families, POINTS)


def planned(space: Space) -> list[Architecture]:
    made = planner(space)
    return [made.architecture(chosen) for chosen in shoulders.networks(made, np.random.default_rng(1))]


def reads_the_input(architecture: Architecture, node: int) -> bool:
    """The input itself, or a concatenation in which it is."""
    (link,) = architecture.nodes[node].inputs
    while link >= 0 and architecture.nodes[link].op == "concat":
        if -1 in architecture.nodes[link].inputs:
            return True
        link = next((k for k in architecture.nodes[link].inputs if architecture.nodes[k].op == "concat"), -2)
    return link == -1


def test_every_activation_of_the_whole_space_reads_the_input_itself() -> None:
    asked = [
        node.op
        for architecture in planned(EVERYTHING)
        for i, node in enumerate(architecture.nodes)
        if node.op in ACTIVATIONS and reads_the_input(architecture, i)
    ]
    assert sorted(asked) == sorted(ACTIVATIONS)
    assert len(planned(EVERYTHING)) == -(-len(ACTIVATIONS) // 3)


@pytest.mark.parametrize("ops", [("dense", "tanh", "softplus", "sse"), ("relu", "gelu", "mae")])
def test_without_a_concat_each_stands_alone(ops: tuple[str, ...]) -> None:
    assert {tuple(a.ops) for a in planned(Space.of(ops))} == {
        tuple(dict.fromkeys((op, ops[-1]))) for op in ops if op in ACTIVATIONS
    }


def test_where_nothing_turns_flat_none_is_planned() -> None:
    assert planned(Space.of(("dense", "sse"))) == []
    assert list(shoulders.networks(planner(families=("normal",)), np.random.default_rng(1))) == []


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(5))
def test_a_quick_run_asks_softplus_above_its_threshold(seed: int) -> None:
    """In float64, which sees what PyTorch leaves out there."""
    array, above = Array(planner()), 0
    for index in range(PROFILES["quick"]):
        case = array.case(index, seed)
        assert case is not None
        softplus = [i for i, node in enumerate(case.architecture.nodes) if node.op == "softplus"]
        asked = case.family == "shoulders" and case.dtype == "float64"
        if asked and any(reads_the_input(case.architecture, i) for i in softplus):
            above += int(np.count_nonzero(case.inputs["x"] > 20))
    assert above >= 5
