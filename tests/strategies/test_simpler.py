"""Simpler networks are valid ones, and hold nothing that a framework would refuse."""

from __future__ import annotations

import pytest

from crosscheck.spec import parse
from crosscheck.strategies.simpler import simpler

# fmt: off
PREPARED = [
    ("x[2,3] -> dense(2) -> sigmoid -> bce", "sigmoid"),
    ("x[2,3] -> dense(2) -> log_softmax -> nll", "log_softmax"),
    ("x[2,3] -> tanh -> dense(2) -> softplus -> poisson_nll(log_input=false)", "softplus"),
]
# fmt: on


@pytest.mark.parametrize(("text", "op"), PREPARED)
def test_what_makes_probabilities_stands_before_their_loss_in_all_of_them(text: str, op: str) -> None:
    made = list(simpler(parse(text)))
    assert len(made) > 3
    assert all(network.nodes[network.loss.inputs[0]].op == op for network in made if network.loss.inputs[0] >= 0)


def test_one_axis_of_the_input_gives_way_alone() -> None:
    made = [str(network) for network in simpler(parse("x[3,3,2] -> tanh -> sse"))]
    for shape in ("1,3,2", "3,1,2", "3,3,1"):
        assert f"x[{shape}] -> tanh -> sse" in made


def test_all_of_them_are_other_networks() -> None:
    own = parse("x[2,2] -> h: dense(2) -> tanh -> multiply(h) -> dense(1) -> sse")
    made = list(simpler(own))
    assert made
    assert own not in made
