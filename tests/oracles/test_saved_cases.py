"""A case that was saved is the same question: its keys are sorted in the file, and no witness may go by their order."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from builders import case_of, every_variant

from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.oracles.torch_autograd.recurrent import ROWS as RECURRENT
from crosscheck.spec import Architecture, Case, Gradients, Node
from crosscheck.spec.impossible import full_roles
from crosscheck.spec.ops import OPS
from crosscheck.subjects.builtin import Builtin

SEVERAL = sorted(name for name, op in OPS.items() if op.kind == "layer" and len(full_roles(op)) > 1)


def with_most_parameters(op: str) -> Case:
    """Its parameters are all of one shape, where they can be: then nothing but the answer tells their order."""
    return case_of(max(every_variant(op), key=lambda text: len(case_of(text).params)), points=2)


def assert_same(found: Gradients, expected: Gradients) -> None:
    np.testing.assert_array_equal(found.loss, expected.loss)
    assert {*found.by_param, *found.by_input} == {*expected.by_param, *expected.by_input}
    for name in (*expected.by_param, *expected.by_input):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.parametrize("op", SEVERAL)
def test_every_witness_answers_a_saved_case_as_the_one_that_was_saved(op: str) -> None:
    case = with_most_parameters(op)
    again = Case.from_bytes(case.to_bytes())
    assert [list(node.params) for node in again.architecture.nodes] == [
        list(node.params) for node in case.architecture.nodes
    ]
    assert list(again.params) == list(case.params)
    assert_same(Builtin().gradients(again), Builtin().gradients(case))
    for oracle in (TorchAutograd(), JaxGrad(), Ball()):
        assert_same(oracle.references(again).gradients, oracle.references(case).gradients)


def test_the_parameters_of_a_node_stand_in_the_order_of_its_op() -> None:
    own = case_of("x[2,2,2] -> gru(2) -> sse").architecture
    (node,) = own.nodes
    for given in permutations(node.params.items()):
        again = Architecture(own.inputs, (Node("gru", node.attributes, node.inputs, dict(given)),), own.loss)
        assert list(again.nodes[0].params) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


@pytest.mark.parametrize("op", sorted(RECURRENT))
def test_the_row_of_a_recurrent_layer_takes_its_parameters_by_name(op: str) -> None:
    import torch

    case = case_of(f"x[2,2,2] -> {op}(2) -> sse", points=1)
    (node,) = case.architecture.nodes
    params = {role: torch.tensor(case.params[key][0]) for role, key in node.params.items()}
    x = torch.tensor(case.inputs["x"][0])
    expected = RECURRENT[op]((x,), params, node.attributes)
    for given in (dict(reversed(params.items())), dict(sorted(params.items()))):
        assert torch.equal(RECURRENT[op]((x,), given, node.attributes), expected)
