"""The architecture: complete, frozen, hashable, and exactly what its JSON says."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from spec.graphs import graphs

from crosscheck.spec import Architecture, Input, Loss, Node, SpecError, parse
from crosscheck.strategies.architectures import architectures
from crosscheck.strategies.space import EVERYTHING

TEXT = "x[3,4] -> dense(8) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(scale=0.1)"


@given(architectures(EVERYTHING))
def test_json_is_an_exact_round_trip(architecture: Architecture) -> None:
    again = Architecture.from_json(architecture.to_json())
    assert again == architecture
    assert again.to_json() == architecture.to_json()
    assert (again.key, hash(again)) == (architecture.key, hash(architecture))


@given(graphs())
def test_json_is_an_exact_round_trip_for_any_graph_and_any_float(architecture: Architecture) -> None:
    again = Architecture.from_json(architecture.to_json().decode())
    assert again == architecture
    assert again.to_json() == architecture.to_json()


def test_the_key_does_not_change() -> None:
    """Cases saved by earlier versions keep their key, and with it their seeds."""
    assert parse(TEXT).key == "b024afb3c2a350351617da49d860a51d842e58847a89fb232f947057dd1f3e11"


def test_the_key_and_the_bytes_are_those_of_another_process() -> None:
    program = f"from crosscheck.spec import parse; print(parse({TEXT!r}).key)"
    environment = {"PYTHONHASHSEED": "1"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == parse(TEXT).key


def test_the_order_in_which_attributes_and_params_are_given_does_not_matter() -> None:
    def made(*items: tuple[str, object]) -> Architecture:
        params = {"weight": "w", "bias": "b"}
        node = Node("dense", dict(items), (-1,), params if items[0][0] == "out" else dict(reversed(params.items())))
        return Architecture((Input("x", (3,)),), (node,), Loss("sse", {}, (0,)))

    one, other = made(("out", 2), ("bias", True)), made(("bias", True), ("out", 2))
    assert one == other
    assert one.key == other.key
    assert list(one.param_shapes) == list(other.param_shapes)


@pytest.mark.parametrize(
    "other",
    [
        "y[3,4] -> dense(8) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(scale=0.1)",
        "x[3,5] -> dense(8) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(scale=0.1)",
        "x[3,4] -> dense(8, false) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(scale=0.1)",
        "x[3,4] -> dense(8) -> gelu -> dense(2) -> softmax_cross_entropy(scale=0.1)",
        "x[3,4] -> dense(8) -> gelu(tanh) -> dense(2, bias=@b) -> softmax_cross_entropy(scale=0.1)",
        "x[3,4] -> dense(8) -> h: gelu(tanh) -> dense(2); h -> softmax_cross_entropy(scale=0.1)",
        "x[3,4] -> dense(8) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(scale=0.1000000000000001)",
        "x[3,4] -> dense(8) -> gelu(tanh) -> dense(2) -> softmax_cross_entropy(reduction=mean, scale=0.1)",
    ],
)
def test_any_difference_changes_the_key(other: str) -> None:
    assert parse(other) != parse(TEXT)
    assert parse(other).key != parse(TEXT).key


def test_attributes_are_completed_in_canonical_types() -> None:
    found = Architecture((Input("x", (2, 3)),), (Node("elu", {"alpha": 2}, (-1,), {}),), Loss("huber", {}, (0,)))
    assert dict(found.nodes[0].attributes) == {"alpha": 2.0}
    assert type(found.nodes[0].attributes["alpha"]) is float
    assert dict(found.loss.attributes) == {
        "delta": 1.0,
        "reduction": "sum",
        "scale": 1.0,
        "weighted": False,
        "l1": 0.0,
        "l2": 0.0,
    }
    assert found == parse("x[2,3] -> elu(alpha=2.0) -> huber(delta=1.0, reduction=sum, scale=1.0)")
    assert json.loads(found.to_json())["nodes"][0]["attributes"] == {"alpha": 2.0}


def test_shapes_of_everything() -> None:
    found = parse(
        "x[2,3,4]; u[2,3,2]; ids[5]:int64; x -> dense(3) -> concat(u) -> h: softmax -> dense(6, bias=false) -> relu; "
        "h -> softmax_cross_entropy"
    )
    assert found.node_shapes == ((2, 3, 3), (2, 3, 5), (2, 3, 5), (2, 3, 6), (2, 3, 6))
    assert dict(found.param_shapes) == {"0.weight": (3, 4), "0.bias": (3,), "3.weight": (6, 5)}
    assert found.shapes_of((-1, -2, -3, 4)) == ((2, 3, 4), (2, 3, 2), (5,), (2, 3, 6))
    assert (found.target_shape, found.target_dtype) == ((2, 3), "int64")
    assert found.float_inputs == ("x", "u")
    assert found.ops == ("dense", "concat", "softmax", "relu", "softmax_cross_entropy")


@pytest.mark.parametrize(
    ("loss", "shape", "dtype"),
    [
        ("sse", (2, 3), "float"),
        ("cotangent", (2, 3), "float"),
        ("softmax_cross_entropy", (2,), "int64"),
        ("softmax_cross_entropy(probabilities)", (2, 3), "float"),
    ],
)
def test_targets_look_as_the_loss_wants_them(loss: str, shape: tuple[int, ...], dtype: str) -> None:
    found = parse(f"x[2,3] -> {loss}")
    assert (found.target_shape, found.target_dtype) == (shape, dtype)


def test_a_vector_keeps_its_one_axis() -> None:
    found = parse("x[4] -> dense(3) -> sse")
    assert (found.node_shapes, found.target_shape) == (((3,),), (3,))


def test_nothing_about_it_can_be_changed() -> None:
    found = parse("x[3] -> dense(2) -> sse")
    for change in (
        lambda: setattr(found, "nodes", ()),
        lambda: setattr(found.nodes[0], "op", "tanh"),
        lambda: setattr(found.inputs[0], "shape", (4,)),
        lambda: found.nodes[0].attributes.update(out=3),
        lambda: found.nodes[0].params.pop("bias"),
        lambda: found.loss.attributes.setdefault("delta", 1.0),
        lambda: found.param_shapes.clear(),
    ):
        with pytest.raises((AttributeError, TypeError)):
            change()
    assert found == parse("x[3] -> dense(2) -> sse")


def test_it_does_not_hold_the_dicts_that_it_was_given() -> None:
    attributes = {"out": 2, "bias": False}
    found = Architecture(
        (Input("x", (3,)),), (Node("dense", attributes, (-1,), {"weight": "w"}),), Loss("sse", {}, (0,))
    )
    attributes["out"] = 5
    assert found.node_shapes == ((2,),)


@pytest.mark.parametrize("copied", [lambda a: pickle.loads(pickle.dumps(a)), copy.copy, copy.deepcopy])
def test_copies_are_equal_and_frozen(copied: object) -> None:
    found = copied(parse(TEXT))
    assert found == parse(TEXT)
    assert (hash(found), found.key) == (hash(parse(TEXT)), parse(TEXT).key)
    with pytest.raises(TypeError, match="frozen"):
        found.nodes[0].attributes["out"] = 9


def test_equal_numbers_of_another_type_are_the_same_question() -> None:
    one = Architecture((Input("x", (3,)),), (), Loss("sse", {"scale": 2}, (-1,)))
    other = Architecture((Input("x", (3,)),), (), Loss("sse", {"scale": 2.0}, (-1,)))
    assert one.key == other.key


def test_a_flag_is_no_number() -> None:
    with pytest.raises(SpecError, match="out=True"):
        Architecture((Input("x", (3,)),), (Node("dense", {"out": True}, (-1,), {}),), Loss("sse", {}, (0,)))
