"""What is asked: every activation and loss, as a network whose answer is read at the right place."""

from __future__ import annotations

import numpy as np
import pytest

from crosscheck.accuracy.implementations import answer
from crosscheck.accuracy.questions import LOSSES, NOT_ASKED, Question, case, questions
from crosscheck.spec.errors import UsageError
from crosscheck.spec.ops import OPS

# g and g' at z = 0.5, y = 0.25; of a vector (0.5, 0) its first place, of a class the first.
s = 1 / (1 + np.exp(-0.5))
q, ce = 0.75 * s + 0.25 * (1 - s), np.log(1 + np.exp(0.5)) - 0.125
KNOWN = {
    "identity": (0.5, 1.0),
    "tanh": (np.tanh(0.5), 1 - np.tanh(0.5) ** 2),
    "sin": (np.sin(0.5), np.cos(0.5)),
    "softmax": (s, s * (1 - s)),
    "log_softmax": (np.log(s), 1 - s),
    "sse": (0.0625, 0.5),
    "mae": (0.25, 1.0),
    "huber": (0.03125, 0.25),
    "bce_with_logits": (np.log(1 + np.exp(0.5)) - 0.125, s - 0.25),
    "softmax_cross_entropy": (-np.log(s), s - 1),
    "cotangent": (0.125, 0.25),
    "bce": (np.log(2), 1.0),
    "hinge": (0.875, -0.25),
    "focal": (0.625 * q**2 * ce, 0.625 * (2 * q * s * (1 - s) * 0.5 * ce + q**2 * (s - 0.25))),
}


def test_every_activation_and_every_loss_of_any_number_is_asked_about() -> None:
    assert {q.op for q in questions()} == {*LOSSES, *(op.name for op in OPS.values() if op.kind == "activation")}
    assert len({q.name for q in questions()}) == len(questions())


def test_what_is_not_asked_is_said_with_its_reason() -> None:
    losses = {op.name for op in OPS.values() if op.kind == "loss"}
    assert losses == {*LOSSES, *(losses & set(NOT_ASKED))}
    assert not set(LOSSES) & set(NOT_ASKED)
    assert set(NOT_ASKED) <= set(OPS)
    with pytest.raises(UsageError, match=r"--ops: nll is not asked about: the slope is -1"):
        questions(["nll"])


def test_both_inputs_of_a_poisson_likelihood_are_asked_about() -> None:
    assert [q.name for q in questions(["poisson_nll"])] == ["poisson_nll", "poisson_nll(log_input=false)"]


@pytest.mark.parametrize("log_input", [True, False])
def test_a_poisson_likelihood_is_read_at_the_right_place(log_input: bool) -> None:
    question = questions(["poisson_nll"])[not log_input]
    value, slope = answer("hand-written", question, "float64", np.array([0.5]), np.array([2.0]), size=1)
    e, shifted = np.exp(0.5), 0.5 + 1e-8
    wanted = (e - 1.0, e - 2.0) if log_input else (0.5 - 2.0 * np.log(shifted), 1.0 - 2.0 / shifted)
    np.testing.assert_allclose((value[0], slope[0]), wanted, rtol=1e-14)


def test_both_kinds_of_gelu_are_asked_about() -> None:
    assert [q.name for q in questions(["gelu"])] == ["gelu", "gelu(approximate=tanh)"]


def test_what_is_no_activation_and_no_loss_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--ops: 'dense' is no activation and no loss; they are identity, relu"):
        questions(["tanh", "dense"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", KNOWN)
def test_the_answer_is_read_at_the_right_place(name: str, dtype: str) -> None:
    (question,) = questions([name])
    z, y = np.array([0.5, 0.125, 0.5]), np.array([0.25, 0.5, 0.25])
    value, slope = answer("hand-written", question, dtype, z, y, size=2)
    assert value.shape == slope.shape == (3,)
    assert value[0] == value[2]
    assert value[0] != value[1]
    np.testing.assert_allclose((value[0], slope[0]), KNOWN[name], rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.name)
def test_every_question_is_a_case(question: Question) -> None:
    asked = case(question, "float32", np.array([0.5, 0.75]), np.array([0.25, 0.5]))
    assert asked.dtype == "float32"
    assert {question.op} <= set(asked.architecture.ops)
    for node in (*asked.architecture.nodes, asked.architecture.loss):
        assert node.op != question.op or question.complete.items() <= dict(node.attributes).items()


def test_places_are_kinks_and_knots() -> None:
    assert Question("hardtanh").places == (-1.0, 1.0)
    assert Question("softsign").places == (0.0,)
    assert Question("sin").places == ()
