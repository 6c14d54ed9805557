"""One attribute of one op: what it accepts, in which type it keeps it, and how it says no."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from crosscheck.spec import Attribute, ContractBroken, Op, SpecError, Verdict
from crosscheck.spec.op import Value

FLAG = Attribute(name="flag", type="bool", default=True)
COUNT = Attribute(name="count", type="int", above=0, at_most=9)
RATE = Attribute(name="rate", type="float", default=0.5, at_most=1.0)
KIND = Attribute(name="kind", type="choice", default="none", choices=("none", "tanh"))
AXIS = Attribute(name="axis", type="int", default=-1, choices=(-1,))


@pytest.mark.parametrize(
    ("attribute", "value", "kept"),
    [
        (FLAG, False, False),
        (COUNT, 1, 1),
        (COUNT, 9, 9),
        (RATE, 1, 1.0),
        (RATE, -1e308, -1e308),
        (RATE, np.float64(0.25), 0.25),
        (KIND, "tanh", "tanh"),
        (AXIS, -1, -1),
    ],
)
def test_accepted_in_one_type(attribute: Attribute, value: object, kept: Value) -> None:
    found = attribute.checked(value, "here")
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("attribute", "value", "rule"),
    [
        (FLAG, 1, "true or false"),
        (FLAG, "true", "true or false"),
        (COUNT, 0, "a whole number above 0 and at most 9"),
        (COUNT, 10, "a whole number above 0 and at most 9"),
        (COUNT, 1.0, "a whole number above 0 and at most 9"),
        (COUNT, True, "a whole number above 0 and at most 9"),
        (RATE, 1.5, "a finite number at most 1.0"),
        (RATE, math.nan, "a finite number at most 1.0"),
        (RATE, -math.inf, "a finite number at most 1.0"),
        (RATE, -(10**400), "a finite number at most 1.0"),
        (RATE, None, "a finite number at most 1.0"),
        (KIND, "relu", "one of none, tanh"),
        (KIND, 0, "one of none, tanh"),
        (AXIS, 0, "-1"),
    ],
)
def test_refused_with_the_value_the_rule_and_the_place(attribute: Attribute, value: object, rule: str) -> None:
    with pytest.raises(SpecError) as error:
        attribute.checked(value, "here")
    assert str(error.value) == f"here: {attribute.name}={value!r}, but {attribute.name} is {rule}"


def test_completing_keeps_the_order_of_the_op_and_refuses_what_it_does_not_know() -> None:
    op = Op(name="thing", kind="layer", attributes=(COUNT, RATE))
    assert list(op.complete({"rate": 1, "count": 2}, "here").items()) == [("count", 2), ("rate", 1.0)]
    for given, message in (
        ({}, "here: thing needs count, a whole number above 0 and at most 9"),
        ({"count": 2, "rat": 1}, "here: thing has no attribute 'rat'; it has count, rate"),
    ):
        with pytest.raises(SpecError) as error:
            op.complete(given, "here")
        assert str(error.value) == message


def test_a_verdict_is_not_a_bool() -> None:
    for verdict in Verdict:
        with pytest.raises(TypeError, match=r"^a verdict is not a bool: compare it with Verdict.AGREES$"):
            bool(verdict)


def test_the_verdicts_stand_in_order_of_precedence() -> None:
    assert [v.name for v in Verdict] == [
        "BROKE_CONTRACT",
        "FORWARD_DISAGREES",
        "DISAGREES",
        "ORACLE_DISAGREES",
        "AGREES",
        "UNDECIDABLE",
        "UNCHECKED",
    ]


def test_a_breach_of_contract_keeps_its_fields_on_the_way_from_another_process() -> None:
    error = ContractBroken("subject returned w of shape (3, 2)", rule="shape", point=3, tensor="0.weight")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.rule, again.point, again.tensor) == (str(error), "shape", 3, "0.weight")
