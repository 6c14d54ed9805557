"""The contract on the built-in, as on any subject: each op, however its arrays lie in memory; and each breach told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from builders import case_of, text_of

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import OPS, Case, Gradients, Verdict
from crosscheck.spec.case import ORDERS
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.held import asked_twice, held_to_contract

NET = "x[2,3] -> dense(2) -> tanh -> cotangent"
WITNESSES = Witnesses((Ball(),), differences=False)


class Changed:
    """The built-in with its answer changed by what it is asked."""

    name = "changed"
    error_model: Literal["torch", "jax"] | None = None
    supports = frozenset(OPS)

    def __init__(self, change: Callable[[Case, Gradients], Gradients]) -> None:
        self.change = change

    def gradients(self, case: Case) -> Gradients:
        return self.change(case, Builtin().gradients(case))


def times(found: Gradients, factor: float) -> Gradients:
    return replace(found, by_param={k: factor * a for k, a in found.by_param.items()})


@pytest.mark.parametrize("op", OPS)
def test_the_builtin_answers_the_same_twice_and_however_its_arrays_lie(op: str) -> None:
    """A sum over another order of memory is rounded otherwise, and nothing more."""
    case = case_of(text_of(op))
    before = case.to_bytes()
    plain = held_to_contract(Builtin(), case)
    for order in ORDERS:
        other = replace(case, order=order)
        found = held_to_contract(Builtin(), other)
        asked_twice(Builtin(), other, found)
        for name, values in plain.tensors():
            np.testing.assert_allclose(found[name], values, rtol=1e-11, atol=1e-13, err_msg=f"{name} in {order}")
    assert case.to_bytes() == before


@pytest.mark.parametrize("order", ORDERS)
def test_the_builtin_is_handed_what_was_drawn_and_may_not_write_to_it(order: str) -> None:
    seen: list[np.ndarray[Any, Any]] = []
    tanh = network.ROWS["tanh"]
    assert isinstance(tanh, Activation)

    def looks(z: Any) -> Any:
        seen.append(z)
        return tanh.f(z)

    case = replace(case_of("x[2,3] -> tanh -> cotangent", points=2), order=order)
    Builtin({**network.ROWS, "tanh": replace(tanh, f=looks)}).gradients(case)
    (z,) = seen
    assert not z.flags.writeable
    assert (z.flags.c_contiguous, z.flags.f_contiguous) == (order == "C", order == "F")


@pytest.mark.parametrize("order", ORDERS)
def test_rules_that_write_to_their_inputs_break_the_contract(order: str) -> None:
    tanh = network.ROWS["tanh"]
    assert isinstance(tanh, Activation)
    in_place = replace(tanh, f=lambda z: np.tanh(z, out=z))
    case = replace(case_of("x[2,3] -> tanh -> cotangent"), order=order)
    found = check(case, Builtin({**network.ROWS, "tanh": in_place}), WITNESSES)
    assert (found.verdict, found.contract and found.contract.rule) == (Verdict.BROKE_CONTRACT, "raised")


def test_answers_that_differ_break_the_contract() -> None:
    calls: list[Case] = []

    def wavers(case: Case, found: Gradients) -> Gradients:
        calls.append(case)
        return times(found, 1.0 + 2.0**-52 * (len(calls) % 2))

    found = check(case_of(NET), Changed(wavers), WITNESSES)
    assert (found.verdict, found.contract and found.contract.rule) == (Verdict.BROKE_CONTRACT, "nondeterministic")


def test_right_answers_that_are_not_linear_in_the_cotangent_break_the_contract() -> None:
    """Right as long as the cotangent is small: clipped, as by one that is called by a training loop."""
    case = case_of(NET)
    most = abs(case.targets).max()

    def clips(asked: Case, found: Gradients) -> Gradients:
        return times(found, 1.0 if abs(asked.targets).max() <= most else 0.5)

    subject = Changed(clips)
    found = check(case, subject, WITNESSES)
    assert found.contract is not None
    assert (found.verdict, found.contract.rule, found.contract.point) == (Verdict.BROKE_CONTRACT, "nonlinear", 0)
    assert "with one -2 times as large" in str(found.contract)
    assert check(case, Builtin(), WITNESSES).verdict is Verdict.AGREES
