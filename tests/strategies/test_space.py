"""The space that is asked for is the space that is drawn from; what cannot be drawn is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from crosscheck.spec import Case, SpecError
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import architectures, choices
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING, Space


def first(space: Space, many: int = 60) -> list[Case]:
    source = Source(cases(space, points=1), 0)
    found = [source.case(index) for index in range(many)]
    assert None not in found
    return [case for case in found if case is not None]


def test_only_what_was_named_is_drawn_and_all_of_it() -> None:
    drawn = first(Space.of(["dense", "tanh", "add", "huber"]))
    assert {op for case in drawn for op in case.architecture.ops} == {"dense", "tanh", "add", "huber"}


def test_without_a_loss_the_cotangent_is_used() -> None:
    assert Space.of(["tanh"]).ops == ("tanh", "cotangent")
    assert {case.architecture.loss.op for case in first(Space.of(["dense", "sin"]), 10)} == {"cotangent"}


def test_the_order_and_repetition_of_names_change_nothing() -> None:
    assert Space.of(["sse", "tanh", "dense", "tanh"]) == Space.of(["dense", "tanh", "sse"])
    assert Space.of(OPS) == EVERYTHING


# fmt: off
FIXED: list[tuple[str, dict[str, Any]]] = [
    ("dense",      {"bias": False}),
    ("dense",      {"out": 7}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("gelu",       {"approximate": "tanh"}),
    ("hardtanh",   {"min_val": 1.5}),                      # max_val 1.0 would be no hardtanh
    ("sse",        {"reduction": "batch_mean"}),           # needs a batch, so that a lone vector is none
    ("mae",        {"scale": 3.0, "reduction": "batch_mean"}),
    ("softmax_cross_entropy", {"targets": "probabilities", "reduction": "batch_mean"}),
]
# fmt: on


@pytest.mark.parametrize(("op", "attributes"), FIXED)
def test_a_fixed_attribute_holds_in_every_draw(op: str, attributes: dict[str, Any]) -> None:
    loss = [] if OPS[op].kind == "loss" else ["sse"]
    drawn = first(Space.of(["dense" if op != "dense" else "identity", (op, attributes), *loss]))
    met = [item for c in drawn for item in (*c.architecture.nodes, c.architecture.loss) if item.op == op]
    assert len(met) > 10
    assert all(item.attributes[key] == value for item in met for key, value in attributes.items())
    free = [k for k in met[0].attributes if k not in attributes and len(choices_of(op, attributes, k)) > 1]
    assert all(len({item.attributes[k] for item in met}) > 1 for k in free), "what is not fixed is still drawn"


def choices_of(op: str, fixed: dict[str, Any], attribute: str) -> set[object]:
    if attribute == "out":
        return set(EVERYTHING.palette)
    return {given[attribute] for given in choices(Space.of([(op, fixed)]), op)}


def test_a_loss_of_lone_vectors_is_drawn_with_what_fits_it() -> None:
    for case in first(EVERYTHING, 200):
        if len(case.architecture.target_shape) < 1:
            assert case.architecture.loss.attributes["reduction"] != "batch_mean"


# fmt: off
REFUSED: list[tuple[list[Any], str]] = [
    ([],                                       "ops is empty: name at least one operation, such as dense"),
    (["danse"],                                "ops: 'danse' is not an operation; did you mean dense?"),
    ([("dense", {"baias": True})],             "ops: dense has no attribute 'baias'; did you mean bias?"),
    ([("tanh", {"slope": 1.0})],               "ops: tanh has no attribute 'slope'; it has none"),
    ([("dense", {"bias": 1})],                 "ops (dense): bias=1, but bias is true or false"),
    ([("elu", {"alpha": -1.0})],               "ops (elu): alpha=-1.0, but alpha is a finite number above 0"),
    ([("dense",)],                             "ops: ('dense',) is neither a name nor (name, attributes), "
                                               'such as ("dense", {"bias": True})'),
    ([("dense", "bias")],                      "ops: ('dense', 'bias') is neither a name nor (name, attributes), "
                                               'such as ("dense", {"bias": True})'),
    (["dense", ("dense", {"bias": True})],     "ops: dense is named twice, with {} and with {'bias': True}"),
]
# fmt: on


@pytest.mark.parametrize(("ops", "message"), REFUSED)
def test_what_cannot_be_a_space_is_refused(ops: list[Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Space.of(ops)
    assert str(caught.value) == message


def test_fixed_attributes_that_leave_nothing_legal_are_refused_before_anything_is_drawn() -> None:
    space = Space.of([("hardtanh", {"min_val": 5.0}), "sse"])
    with pytest.raises(SpecError) as caught:
        architectures(space)
    assert str(caught.value) == (
        "ops (hardtanh): hardtanh has min_val=5.0 and max_val=1.0; min_val must be below max_val"
    )


def test_rates_are_asked_of_poisson_only_where_something_makes_them() -> None:
    """Its logarithm of a negative rate is no number: of no such network anything can be said."""

    def taken(*beside: str) -> set[bool]:
        drawn = first(Space.of(["dense", "poisson_nll", *beside]))
        return {case.architecture.loss.attributes["log_input"] for case in drawn}

    assert taken() == {True}
    assert taken("softplus") == {True, False}
    with pytest.raises(SpecError, match="without log_input it takes rates, so softplus must be among the ops"):
        architectures(Space.of(["dense", ("poisson_nll", {"log_input": False})]))
