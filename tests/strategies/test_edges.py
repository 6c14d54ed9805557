"""Which edges there are, and why others are none: beside networks written by hand, and the rules of the ops."""

from __future__ import annotations

from itertools import product

import pytest

from crosscheck.spec import Input, parse
from crosscheck.spec.errors import SpecError
from crosscheck.spec.ops import OPS
from crosscheck.strategies import edges
from crosscheck.strategies.architectures import Menu
from crosscheck.strategies.building import Build, default
from crosscheck.strategies.space import EVERYTHING, Space

MENU = Menu(EVERYTHING)
LEGAL, ILLEGAL = edges.legal(MENU), edges.illegal(MENU)


def test_every_edge_is_legal_or_has_a_reason() -> None:
    firsts = [op for op in EVERYTHING.ops if OPS[op].kind != "loss"]
    every = set(product(firsts, EVERYTHING.ops))
    assert LEGAL | frozenset().union(*ILLEGAL.values()) == every
    assert len(LEGAL) + sum(map(len, ILLEGAL.values())) == len(every)
    assert set(ILLEGAL) == {edges.WHOLE, edges.PROBABILITIES, edges.AXES}


@pytest.mark.parametrize(
    "text",
    [
        "ids[2,1,2]:int64 -> embedding(3, 2) -> conv2d(1, 1) -> sse",
        "x[2,4] -> h: glu -> transpose -> matmul(h) -> sse",
        "x[1,2,3] -> h: lstm(2) -> transpose -> matmul(h) -> sse",
        "x[2,2] -> log_softmax -> nll",
    ],
)
def test_what_can_be_written_by_hand_is_legal(text: str) -> None:
    assert set(parse(text).edges) <= LEGAL


@pytest.mark.parametrize(
    "text",
    [
        "x[2,3,4] -> conv1d(2, 1) -> conv2d(2, 1) -> sse",
        "x[1,1,4,4] -> global_avg_pool -> max_pool2d -> sse",
        "x[1,1,4,4] -> conv2d(2, 1) -> rnn(2) -> sse",
        "x[2,3] -> dense(2) -> embedding(3, 2) -> sse",
    ],
)
def test_what_is_none_is_refused_when_it_is_written_by_hand(text: str) -> None:
    with pytest.raises(SpecError):
        parse(text)


def test_a_space_without_transpose_squares_what_is_square() -> None:
    few = Menu(Space.of(["dense", "glu", "matmul", "sse"]))
    assert ("dense", "matmul") in edges.legal(few)
    assert ("glu", "matmul") in edges.illegal(few)[edges.SIZES]


def test_a_single_number_is_made_a_vector_before_what_makes_probabilities_of_it() -> None:
    """log_softmax has no axis there; kl_div, which would stand on a number, never does."""
    build = Build(EVERYTHING.ops, EVERYTHING.palette, [Input("x", (3,))])
    link = build.add("norm", default("norm"), (-1,), {})
    assert build.shape(link) == ()
    made = build.finished("kl_div", [default("kl_div")], link)
    assert str(made) == "x[3] -> norm -> reshape(shape=1) -> log_softmax -> kl_div"
    assert set(made.edges) <= LEGAL
