"""What is said of the Taylor slope, word for word, of a failure of every verdict and every broken rule."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import Wrong, as_callable, case_of, changed
from meta.planted import slope as planted

from crosscheck.checking import Witnesses, check
from crosscheck.findings import describe_finding
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.report.sections import findings, taylor
from crosscheck.search import FAILING, Failure, Kind
from crosscheck.spec import Case, Gradients, Subject, Verdict
from crosscheck.spec.record import Finding
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

NET = "x[2,3] -> dense(3) -> tanh -> dense(2) -> sse"
BALL = Witnesses((Ball(), TorchAutograd()), differences=False)
NO_BALL = Witnesses((TorchAutograd(),), differences=True)
RIGHT = as_callable(Builtin())
TANH = planted("tanh", lambda z, a, da: da * (1.0 - a))
Answer = tuple[Any, dict[str, Any]]


def told(subject: Subject, witnesses: Witnesses = BALL, text: str = NET, **options: Any) -> list[str]:
    """What is said of each finding that the judgement on one case makes; slopes to the nearest whole, steps by size."""
    return [said(finding) for finding in found(subject, witnesses, text, **options)]


def found(subject: Subject, witnesses: Witnesses = BALL, text: str = NET, **options: Any) -> list[Finding]:
    case = case_of(text, **{"points": 2, **options})
    with np.errstate(all="ignore"):
        judgement = check(case, subject, witnesses)
        kinds = Kind.of(judgement)
        assert kinds, judgement.verdict
        failures = [Failure(0, kind, frozenset(), 0.0, None, frozenset()) for kind in kinds]
        return [describe_finding(case, judgement, subject, witnesses, [failure]) for failure in failures]


def said(finding: Finding) -> str:
    whole = taylor.sentence(finding.taylor, finding.own_taylor, finding.no_taylor, findings.in_question(finding))
    assert whole, "a failure without a word about its slope"
    whole = re.sub(r"\d\.\d\d(?= with| \(2)", lambda digits: f"{round(float(digits[0]))}.0", whole)
    return re.sub(r"(?<=h = )\de-(10|11|12)\b", "TINY", re.sub(r"(?<=h = )\de-0[789]\b", "SMALL", whole))


def user(change: Callable[[Any, dict[str, Any], Any], Any]) -> PythonCallable:
    """A right backprop, except for what `change` makes of its loss and gradients."""

    def backprop(architecture: Any, point: Any) -> Any:
        loss, gradients = RIGHT(architecture, point)
        return change(loss, gradients, point)

    return PythonCallable(backprop)


def with_(gradients: dict[str, Any], key: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    return {**gradients, key: change(gradients[key])}


def decayed(loss: Any, gradients: dict[str, Any], point: Any) -> Answer:
    """A loss with weight decay, which nobody asked for, and its gradient."""
    more = {k: g + 2 * point.params[k] if k in point.params else g for k, g in gradients.items()}
    return loss + sum(np.sum(w**2) for w in point.params.values()), more


def raises(_loss: Any, _gradients: dict[str, Any], _point: Any) -> Answer:
    raise ValueError("no such layer")


def mutates(loss: Any, gradients: dict[str, Any], point: Any) -> Answer:
    point.inputs["x"] *= 2
    return loss, gradients


def wavering() -> PythonCallable:
    calls = itertools.count(1)
    return user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: d * next(calls))))


ALL = "all 5 together"
# fmt: off
SAID: dict[str, tuple[Subject, list[str]]] = {
    # A gradient is wrong.
    "tanh' without the square": (TANH,
        ["slope 1.0 with this gradient, 2.0 with the certified one: no rounding noise"]),
    "an error of 1e-11": (user(lambda loss, g, _: (loss, with_(g, "0.weight", lambda d: d * (1 + 1e-11)))),
        ["slope 1.0 (2 down to h = TINY) with this gradient, 2.0 with the certified one: no rounding noise"]),
    "an infinity": (user(lambda loss, g, _: (loss, with_(g, "0.weight", lambda d: d + np.inf))),
        ["no slope: the subject's gradient of 0.weight holds an infinity"]),
    # The loss is another.
    "half of everything": (user(lambda loss, g, _: (0.5 * loss, {k: 0.5 * d for k, d in g.items()})),
        [f"of the loss asked for: slope 1.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, 0.5 × the one asked for: slope 2.0 with the same: "
         "the backward belongs to its own forward, which is another"]),
    "half of the loss": (user(lambda loss, g, _: (0.5 * loss, g)),
        [f"of the loss asked for: slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, 0.5 × the one asked for: slope 1.0 with the same: "
         "the backward belongs to the loss asked for: the loss that is returned is another",
         "of its own loss, 0.5 × the one asked for: slope 1.0 with this gradient, 2.0 with the certified one: "
         "no rounding noise"]),
    "weight decay": (user(decayed),
        [f"of the loss asked for: slope 1.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, in float64: slope 2.0 with the same: "
         "the backward belongs to its own forward, which is another"]),
    "weight decay of the loss alone": (user(lambda loss, g, p: (decayed(loss, g, p)[0], g)),
        [f"of the loss asked for: slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, in float64: slope 1.0 with the same: "
         "the backward belongs to the loss asked for: the loss that is returned is another"]),
    "a constant more": (user(lambda loss, g, _: (loss + 7.0, g)),
        [f"of the loss asked for: slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, in float64: slope 2.0 with the same: "
         "the backward is right for both, which differ by a constant along this direction"]),
    "neither": (Wrong(lambda _, g: changed(dataclasses.replace(g, loss=g.loss + g.loss**2), "x", lambda d: 3 * d)),
        [f"of the loss asked for: slope 1.0 with the gradients ({ALL}), 2.0 with the certified ones; "
         "of its own loss, in float64: slope 1.0 with the same: the backward belongs to neither"]),
    "an infinite loss": (user(lambda loss, g, _: (np.inf, g)),
        [f"of the loss asked for: slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones: "
         "the gradients are right; of its own loss no slope: the loss that the subject returned is inf"]),
    # The contract is broken.
    "raised": (user(raises), ["no slope: the subject raised, and gave no gradient"]),
    "a list": (user(lambda loss, g, _: [loss]),
        ["no slope: what the subject returned is not a loss and NumPy arrays"]),
    "lists": (user(lambda loss, g, _: (loss, with_(g, "x", lambda d: d.tolist()))),
        ["no slope: what the subject returned is not a loss and NumPy arrays"]),
    "a loss of shape (1,)": (user(lambda loss, g, _: (np.array([loss]), g)),
        ["no slope: the subject returned no loss that is one real number"]),
    "a gradient's shape": (user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: d[:, None]))),
        ["no slope: a gradient that the subject returned does not have the shape of its tensor"]),
    "no key that is known": (user(lambda loss, g, _: (loss, {"W1": g["0.weight"]})),
        ["no slope: the subject returned none of the gradients that were asked for"]),
    "a key is missing": (user(lambda loss, g, _: (loss, {k: d for k, d in g.items() if k != "0.bias"})),
        ["slope 2.0 with the gradients (0.weight, 2.weight, 2.bias and x together), 2.0 with the certified ones: "
         "the gradients are right"]),
    "float32 for float64": (user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: d.astype("float32")))),
        [f"slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones: the gradients are right"]),
    "float32 throughout": (Wrong(lambda _, g: changed(g, "0.bias", lambda d: d.astype("float32"))),
        [f"slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones: the gradients are right"]),
    "float32, and wrong": (user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: 2 * d.astype("float32")))),
        [f"slope 1.0 with the gradients ({ALL}), 2.0 with the certified ones: no rounding noise"]),
    "whole numbers": (user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: d.astype(int)))),
        ["no slope: a gradient that the subject returned is not of floating-point numbers"]),
    "NaN": (user(lambda loss, g, _: (loss, with_(g, "0.bias", lambda d: d * np.nan))),
        ["no slope: the subject's gradient of 0.bias holds NaN"]),
    "its input is changed": (user(mutates),
        [f"slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones: the gradients are right"]),
    "never twice the same": (wavering(),
        [f"slope 1.0 with the gradients ({ALL}), 2.0 with the certified ones: no rounding noise"]),
}
# fmt: on


@pytest.mark.parametrize("name", SAID)
def test_every_failure_of_a_subject_is_told_of(name: str) -> None:
    subject, expected = SAID[name]
    assert told(subject) == expected


def test_every_verdict_that_fails_and_every_rule_is_among_them() -> None:
    judgements = [check(case_of(NET, points=2), subject, BALL) for subject, _ in SAID.values()]
    assert {j.verdict for j in judgements} == {*FAILING} - {Verdict.ORACLE_DISAGREES}
    rules = {j.contract.rule for j in judgements if j.contract is not None}
    assert rules == {"raised", "type", "loss", "keys", "shape", "dtype", "nan", "mutated", "nondeterministic"}


def test_a_witness_that_is_off_is_named() -> None:
    expected = [
        "slope 1.0 (2 down to h = SMALL) with the gradient of torch, 2.0 with the certified one: no rounding noise"
    ]
    net = "x[2,2] -> dense(2) -> hardsigmoid -> sse"
    assert told(Builtin(), text=net) == expected
    # However coarse the subject's own dtype, the witness answered in float64.
    assert told(Builtin(), text=net, dtype="float32") == expected


@dataclasses.dataclass(frozen=True)
class Liar(TorchAutograd):
    """An oracle whose loss alone is wrong."""

    def references(self, case: Case) -> Any:
        honest = TorchAutograd().references(case)
        wrong: Gradients = dataclasses.replace(honest.gradients, loss=honest.gradients.loss + 1.0)
        return dataclasses.replace(honest, gradients=wrong)


def test_a_witness_whose_loss_alone_is_off_has_right_gradients() -> None:
    witnesses = Witnesses((Ball(), Liar()), differences=False)
    assert told(Builtin(), witnesses) == [
        f"slope 2.0 with the gradients of torch ({ALL}), 2.0 with the certified ones: the gradients are right"
    ]


def test_a_bound_that_is_void_is_told_with_the_run_that_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from crosscheck.tolerance import bounds

    off = planted("tanh", lambda z, a, da: da * (1.0 - a)).rows["tanh"]
    monkeypatch.setitem(bounds.ROWS, None, {**bounds.ROWS[None], "tanh": off})
    (finding,) = found(Builtin(), Witnesses((Ball(),), differences=False))
    assert (finding.verdict, finding.odd_one_out) == ("ORACLE_DISAGREES", "tolerance")
    assert said(finding) == (
        "slope 1.0 with the gradient of the bound's own run, 2.0 with the certified one: no rounding noise"
    )


def test_without_an_arbiter_it_is_taken_in_float64() -> None:
    assert told(TANH, NO_BALL) == ["slope 1.0 with this gradient, 2.0 with that of torch: no rounding noise"]
    assert told(PythonCallable(as_callable(TANH)), NO_BALL) == [
        "of its own loss, in float64: slope 1.0 with this gradient, 2.0 with that of torch: no rounding noise"
    ]
    assert told(SAID["half of everything"][0], NO_BALL) == [
        f"of the loss asked for: slope 1.0 with the gradients ({ALL}), 2.0 with those of torch; "
        "of its own loss, in float64: slope 2.0 with the same: the backward belongs to its own forward, "
        "which is another"
    ]


def test_where_the_loss_is_linear_nothing_is_left_but_an_error() -> None:
    subject = Wrong(lambda _, g: changed(g, "0.weight", lambda d: 2.0 * d))
    assert told(subject, text="x[2,2] -> dense(2) -> mae") == [
        "slope 1.0 with this gradient, no remainder with the certified one: the loss is linear there"
    ]


def test_a_subject_that_raises_a_step_away_is_quoted() -> None:
    """Its loss is asked for at drawn points and at steps from them; it knows the drawn ones alone."""
    case = case_of(NET, points=2)

    def strict(architecture: Any, point: Any) -> Any:
        if not any(np.array_equal(point.params["0.bias"], b) for b in case.params["0.bias"]):
            raise ValueError("never seen")
        loss, gradients = RIGHT(architecture, point)
        return loss + 1.0, gradients

    subject = dataclasses.replace(Wrong(lambda c, g: stacked(c, strict)), name="strict")
    (only,) = told(subject)
    assert only == (
        f"of the loss asked for: slope 2.0 with the gradients ({ALL}), 2.0 with the certified ones: the gradients "
        "are right; of its own loss no slope: asked for its loss a step away, the subject raised ValueError: never seen"
    )


def stacked(case: Case, function: Callable[[Any, Any], Any]) -> Gradients:
    answers = [function(case.architecture, case.point(i)) for i in range(case.n_points)]
    whole = {k: np.stack([g[k] for _, g in answers]) for k in answers[0][1]}
    inputs = case.architecture.float_inputs
    return Gradients(
        np.array([loss for loss, _ in answers]),
        {k: g for k, g in whole.items() if k not in inputs},
        {k: g for k, g in whole.items() if k in inputs},
    )
