"""The oracle: what it is called, what it answers, what it says when it cannot, and what it leaves as it was."""

from __future__ import annotations

import subprocess
import sys

import flint
import numpy as np
import pytest
from builders import case_of, text_of

from crosscheck.oracles.ball import GAPS, Ball, Certified, activations
from crosscheck.spec import OPS, Oracle, Rigour, parse
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable
from crosscheck.spec.protocols import Certifier

SMALL = "x[3,5] -> dense(5) -> tanh -> dense(3) -> softmax_cross_entropy"


def test_it_is_an_oracle_named_ball() -> None:
    oracle: Oracle = Ball()
    assert isinstance(oracle, Certifier)
    assert oracle.name == "ball"
    assert oracle == Ball(by_node=False)


def test_a_reference_is_certified_and_every_array_has_a_radius_of_its_shape() -> None:
    case = case_of(SMALL)
    reference = Ball().references(case)
    found, radius = reference.gradients, reference.radius
    assert reference.rigour is Rigour.CERTIFIED
    assert radius is not None
    assert found.by_node == {}
    assert {name for name, _ in found.tensors()} == {*case.params, "x"}
    for name, gradient in found.tensors():
        assert gradient.shape == {**case.params, **case.inputs}[name].shape
        assert gradient.dtype == radius[name].dtype == np.float64
        # Far below a unit in the last place the ball adds nothing to the rounding of its midpoint.
        assert (radius[name] <= 0.51 * np.spacing(np.abs(gradient))).all()
    assert found.loss.shape == radius.loss.shape == (3,)
    assert found.outputs is not None
    assert radius.outputs is not None
    assert found.outputs.shape == radius.outputs.shape == (3, 3, 3)


def test_nodes_are_answered_when_asked() -> None:
    case = case_of("x[2,3] -> tanh -> dense(2) -> cotangent")
    reference = Ball(by_node=True).references(case)
    assert reference.radius is not None
    assert set(reference.gradients.by_node) == set(reference.radius.by_node) == {0, 1}
    assert reference.gradients.by_node[0].shape == (3, 2, 3)
    np.testing.assert_array_equal(reference.gradients.by_node[1], case.targets)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_narrow_case_is_asked_with_its_exact_numbers(dtype: str) -> None:
    case = case_of(
        "x[3,4] -> dense(5) -> gelu -> dense(3) -> softmax_cross_entropy(targets=probabilities)", dtype=dtype
    )
    found, wanted = Ball().references(case).gradients, Ball().references(case.astype("float64")).gradients
    assert found.loss.tobytes() == wanted.loss.tobytes()
    assert all(gradient.tobytes() == wanted[name].tobytes() for name, gradient in found.tensors())


def test_it_has_no_gap_and_an_op_without_a_row_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GAPS == ()
    assert [op for op in OPS if Ball().gaps(parse(text_of(op)))] == []
    monkeypatch.delitem(activations.ROWS, "tanh")
    (gap,) = Ball().gaps(parse(SMALL))
    assert (gap.op, gap.witness, gap.reason) == ("tanh", "ball", "no table of the ball oracle has a row for tanh")


@pytest.mark.parametrize("error", [ZeroDivisionError, ValueError, TypeError, RuntimeError])
def test_a_crash_names_its_place_and_leaves_flint_as_it_was(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(*_asked: object) -> object:
        assert (flint.ctx.prec, flint.ctx.cap) == (128, 2)
        raise error("a ball burst")

    monkeypatch.setitem(activations.ROWS, "tanh", broken)
    before = flint.ctx.prec, flint.ctx.cap
    with pytest.raises(OracleCrashed) as caught:
        Ball().references(case_of(SMALL))
    assert str(caught.value) == f"oracle ball raised {error.__name__} on point 0 of {SMALL}, at 128 bits: a ball burst"
    assert isinstance(caught.value.__cause__, error)
    assert (flint.ctx.prec, flint.ctx.cap) == before


def test_the_caller_s_settings_of_flint_change_nothing_and_come_back() -> None:
    case = case_of(SMALL)
    before, wanted = (flint.ctx.prec, flint.ctx.cap), Ball().references(case).gradients["0.weight"]
    try:
        flint.ctx.prec, flint.ctx.cap = 31, 7
        found = Ball().references(case).gradients["0.weight"]
        assert (flint.ctx.prec, flint.ctx.cap) == (31, 7)
    finally:
        flint.ctx.prec, flint.ctx.cap = before
    assert found.tobytes() == wanted.tobytes()


def test_the_same_question_has_the_same_answer_and_the_case_is_untouched() -> None:
    case = case_of(SMALL)
    key = case.key
    first, second = Ball().certify(case), Ball().certify(case)
    assert isinstance(first, Certified)
    for name, gradient in first.reference.gradients.tensors():
        assert gradient.tobytes() == second.reference.gradients[name].tobytes()
        assert gradient.flags.c_contiguous
        assert gradient.flags.writeable
    assert case.key == key


def test_without_flint_it_is_unavailable_when_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(OracleUnavailable) as caught:
        Ball()
    message = str(caught.value)
    assert message.startswith("oracle ball: flint cannot be imported here (")
    assert "no gradient can be held against certified truth" in message
    assert message.endswith("pip install 'crosscheck[ball]'")


def test_importing_the_package_does_not_import_flint() -> None:
    code = "import sys, crosscheck.oracles.ball; sys.exit('flint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
