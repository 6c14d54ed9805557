"""∂C/∂ each node's output, by every witness that gives it: what is asked of drawn networks has one answer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Architecture, Case, Input, Node, Oracle
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING
from crosscheck.tolerance.bounds import bound, deviations_met

NETWORKS = 40
# What a framework is known to have wrong is no question of nodes.


@cache
def drawn() -> tuple[Case, ...]:
    source = Source(cases(EVERYTHING, points=2, families=("normal",)), seed=11)
    found = [source.case(index) for index in range(NETWORKS)]
    sound = tuple(case for case in found if case is not None and not deviations_met(case, ("torch", "jax")))
    assert len(sound) > NETWORKS // 2
    return sound


def with_added(case: Case) -> Case:
    """The case with an input of zeros added to every node's output: its gradient is ∂C/∂ that output."""
    old = case.architecture
    more = tuple(Input(f"added{i}", shape) for i, shape in enumerate(old.node_shapes))
    first = len(old.inputs)

    def moved(links: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(2 * link + 1 if link >= 0 else link for link in links)

    nodes: list[Node] = []
    for i, node in enumerate(old.nodes):
        nodes.append(Node(node.op, node.attributes, moved(node.inputs), node.params))
        nodes.append(Node("add", {}, (2 * i, -(first + i + 1)), {}))
    loss = type(old.loss)(old.loss.op, old.loss.attributes, moved(old.loss.inputs))
    zeros = {item.name: np.zeros((case.n_points, *item.shape)) for item in more}
    whole = Architecture((*old.inputs, *more), tuple(nodes), loss)
    return replace(case, architecture=whole, inputs={**case.inputs, **zeros})


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_it_is_the_certified_gradient_of_a_number_added_there(name: str) -> None:
    """Each framework within its own derived bound of what ball proves of another network, which has the inputs."""
    compared = 0
    oracle: Oracle = {"torch": TorchAutograd(by_node=True), "jax": JaxGrad(by_node=True)}[name]
    for case in drawn():
        said = oracle.references(case).gradients
        asked = with_added(case)
        truth, allowed = Ball().references(asked), bound(asked, "float64", name)
        assert truth.radius is not None
        assert set(said.by_node) == set(range(len(case.architecture.nodes)))
        for i, found in said.by_node.items():
            key = f"added{i}"
            off = np.abs(found - truth.gradients[key])
            assert found.shape == (case.n_points, *case.architecture.node_shapes[i])
            assert (off <= allowed.held[key] + truth.radius[key]).all(), f"{name} at node {i} of {case.architecture}"
            compared += int(np.count_nonzero(truth.gradients[key]))
    assert compared > 1000


def test_ball_says_the_same_of_the_node_and_of_the_number_added() -> None:
    for case in drawn():
        nodes, added = Ball(by_node=True).references(case), Ball().references(with_added(case))
        assert nodes.radius is not None
        assert added.radius is not None
        for i, found in nodes.gradients.by_node.items():
            key = f"added{i}"
            radius = nodes.radius.by_node[i] + added.radius[key]
            assert (np.abs(found - added.gradients[key]) <= radius).all(), f"node {i} of {case.architecture}"


@pytest.mark.parametrize("oracle", [TorchAutograd, JaxGrad])
def test_to_ask_for_nodes_changes_nothing_else(oracle: type[TorchAutograd] | type[JaxGrad]) -> None:
    for case in drawn()[:10]:
        plain, asked = oracle().references(case).gradients, oracle(by_node=True).references(case).gradients
        assert plain.by_node == {}
        assert plain.loss.tobytes() == asked.loss.tobytes()
        assert plain.outputs is not None
        assert asked.outputs is not None
        assert plain.outputs.tobytes() == asked.outputs.tobytes()
        for name, values in plain.tensors():
            assert values.tobytes() == asked[name].tobytes(), f"{name} of {case.architecture}"
