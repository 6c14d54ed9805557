"""The smallest networks of one operation: every operation has some, in an order that depends on it alone."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.spec import parse
from crosscheck.spec.ops import OPS
from crosscheck.strategies import probes
from crosscheck.strategies.values import FAMILIES


@pytest.mark.parametrize("op", OPS)
def test_every_op_stands_alone_in_some_small_network(op: str) -> None:
    made = list(probes.probes(op, {}))
    assert made
    assert len(set(made)) == len(made)
    for architecture in made:
        assert op in architecture.ops
        assert len(architecture.nodes) <= 2, "the op, or what prepares numbers for a loss"
        assert parse(str(architecture)) == architecture


def test_the_order_is_the_ops_own_whatever_attributes_were_met() -> None:
    plain, met = list(probes.probes("conv1d", {})), list(probes.probes("conv1d", {"stride": 2, "out": 3}))
    assert met[: len(plain)] == plain
    assert {dict(a.nodes[0].attributes)["stride"] for a in met[len(plain) :]} == {1, 2}


def test_simplest_comes_first() -> None:
    assert str(next(probes.probes("tanh", {}))) == "x[1,1] -> tanh -> sse"
    assert str(next(probes.probes("sse", {}))) == "x[1,1] -> sse"
    assert str(next(probes.probes("max_pool1d", {}))) == "x[1,1,2] -> max_pool1d -> sse"


def test_a_merge_has_a_second_input_so_that_no_fork_is_in_question() -> None:
    assert str(next(probes.probes("add", {}))) == "x[1,1]; u[1,1]; x -> add(u) -> sse"
    assert str(probes.alone("matmul", {}, (2, 3))) == "x[2,3]; u[3,2]; x -> matmul(u) -> sse"


def test_what_does_not_fit_is_none() -> None:
    assert probes.alone("conv2d", {"out": 1, "kernel": 5}, (1, 1, 2, 2)) is None
    assert probes.alone("glu", {"axis": -1}, (1, 3)) is None


@pytest.mark.parametrize(
    ("text", "op", "plainer"),
    [
        (
            "x[2,2] -> softmax_cross_entropy(label_smoothing=0.25, ignore_index=0)",
            "softmax_cross_entropy",
            [
                "x[2,2] -> softmax_cross_entropy(ignore_index=0)",
                "x[2,2] -> softmax_cross_entropy(label_smoothing=0.25)",
            ],
        ),
        (
            "x[1,2,1]; h0[1,1]; x -> rnn(h0, 1, nonlinearity=relu) -> sse",
            "rnn",
            ["x[1,2,1]; h0[1,1]; x -> rnn(h0, 1) -> sse"],
        ),
        ("x[2,2] -> layer_norm -> sse", "layer_norm", []),
        (
            "x[1,1,1,1] -> conv_transpose2d(1, 1, stride=2, output_padding=0x1) -> sse",
            "conv_transpose2d",
            [
                "x[1,1,1,1] -> conv_transpose2d(1, 1, output_padding=0x1, dilation=1x2) -> sse",
                "x[1,1,1,1] -> conv_transpose2d(1, 1, stride=2) -> sse",
            ],
        ),
        (
            "x[1,1,1,1] -> conv_transpose2d(1, 1, output_padding=0x1, dilation=1x2) -> sse",
            "conv_transpose2d",
            ["x[1,1,1,1] -> conv_transpose2d(1, 1, dilation=1x2) -> sse"],
        ),
        ("x[2,2] -> sse", "tanh", []),
    ],
)
def test_one_attribute_is_put_back_at_a_time(text: str, op: str, plainer: list[str]) -> None:
    assert [str(made) for made in probes.plainer(parse(text), op)] == plainer


def test_an_attribute_that_asks_for_a_larger_size_gets_it() -> None:
    variants = probes.variants("conv2d", {"out": 5, "kernel": 5, "groups": 2, "stride": "2x1"})
    assert {"out": 2, "kernel": 2, "groups": 2} in [{k: v[k] for k in ("out", "kernel", "groups")} for v in variants]
    assert all(v["out"] == 1 for v in variants if v["stride"] == "2x1" and v["groups"] == 1)


def test_smaller_shapes_are_those_before_its_own() -> None:
    made = [str(found) for found in probes.smaller(parse("x[2,2] -> layer_norm -> sse"), "layer_norm")]
    assert made == ["x[1,1] -> layer_norm -> sse", "x[2,1] -> layer_norm -> sse", "x[1,2] -> layer_norm -> sse"]
    assert list(probes.smaller(parse("x[5,7] -> layer_norm -> sse"), "layer_norm")) == []


# fmt: off
NARROWER = [
    ("x[2,3] -> dense(2) -> sse", "dense",
     ["x[1,3] -> dense(2) -> sse", "x[2,1] -> dense(2) -> sse", "x[2,2] -> dense(2) -> sse",
      "x[2,3] -> dense(1) -> sse"]),
    ("x[1,2,1,2] -> flatten -> sse", "flatten", ["x[1,1,1,2] -> flatten -> sse", "x[1,2,1,1] -> flatten -> sse"]),
    ("x[1,2,1] -> group_norm(2) -> sse", "group_norm", ["x[1,2,1] -> group_norm(1) -> sse"]),
    ("x[1,1] -> tanh -> sse", "tanh", []),
]
# fmt: on


@pytest.mark.parametrize(("text", "op", "narrower"), NARROWER)
def test_one_axis_or_one_size_is_made_smaller_at_a_time(text: str, op: str, narrower: list[str]) -> None:
    assert [str(made) for made in probes.narrower(parse(text), op)] == narrower


def test_a_narrower_network_takes_the_numbers_at_the_start_and_at_the_end() -> None:
    case = probes.of_all_families(parse("x[2,3] -> tanh -> sse"), "float64")
    parts = list(probes.parts_of(case, parse("x[1,2] -> tanh -> sse")))
    np.testing.assert_array_equal(parts[0].inputs["x"], case.inputs["x"][:, :1, :2])
    np.testing.assert_array_equal(parts[1].inputs["x"], case.inputs["x"][:, 1:, 1:])
    assert list(probes.parts_of(case, parse("x[2,3] -> tanh -> sse"))) == []
    assert list(probes.parts_of(case, parse("x[2] -> tanh -> sse"))) == []


def test_another_network_takes_the_numbers_only_where_they_fit() -> None:
    case = probes.of_all_families(parse("x[1,1] -> elu(alpha=0.5) -> sse"), "float64")
    taken = probes.with_numbers_of(case, parse("x[1,1] -> elu -> sse"))
    assert taken is not None
    np.testing.assert_array_equal(taken.inputs["x"], case.inputs["x"])
    assert str(taken.architecture) == "x[1,1] -> elu -> sse"
    for text in ("x[1,2] -> elu -> sse", "x[1,1] -> dense(1) -> sse", "x[1,1] -> elu -> sse(weighted=true)"):
        assert probes.with_numbers_of(case, parse(text)) is None


def test_a_question_of_all_families_has_a_point_of_each() -> None:
    case = probes.of_all_families(parse("x[2,3] -> dense(2) -> tanh -> sse"), "float32", each=2)
    assert case.n_points == 2 * len(FAMILIES)
    assert case.dtype == "float32"
    assert case.aims_at_kinks
    assert len({a.tobytes() for a in case.inputs["x"]}) > len(FAMILIES)


def test_joined_points_are_those_of_the_parts_with_their_weights() -> None:
    architecture = parse("x[2,1] -> sse(weighted=true)")
    parts = [probes.make_case(architecture, family=f, seed=3, points=2) for f in ("normal", "small")]
    whole = probes.joined(parts)
    for k in range(4):
        part = parts[k // 2].take([k % 2])
        assert part.weights is not None
        assert whole.weights is not None
        assert np.array_equal(whole.take([k]).inputs["x"], part.inputs["x"])
        assert np.array_equal(whole.weights[k], part.weights[0])
