"""crosscheck.check: what a user calls, what it returns, and what it raises with what in it."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import Wrong, as_callable, changed
from meta.planted import slope

import crosscheck
from crosscheck.mutants import mutants
from crosscheck.spec import Architecture, Case, Gradients, Point, parse
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Mute

right = as_callable(Builtin())
NET = "x[2,3] -> dense(2) -> tanh -> sse"
SMALL = "x[1,1] -> dense(1) -> tanh -> sse"
QUICK: dict[str, Any] = {"oracles": ["differences"], "max_examples": 3, "points": 2}


def by_hand(architecture: Any, point: Any) -> Any:
    """What the README's reader writes: one network, plain NumPy."""
    x, w, b = point.inputs["x"], point.params["0.weight"], point.params["0.bias"]
    a = np.tanh(x @ w.T + b)
    d = 2 * (a - point.targets) * (1 - a * a)
    return np.sum((a - point.targets) ** 2), {"0.weight": d.T @ x, "0.bias": d.sum(axis=0), "x": d @ w}


def test_a_right_backprop_passes_and_says_what_was_verified() -> None:
    summary = crosscheck.check(by_hand, NET, **QUICK)
    assert (summary.cases, summary.points) == (3, 6)
    assert summary.compared == 3 * 2 * (6 + 2 + 6)
    assert summary.compared == summary.informative + summary.uninformative + summary.undecidable
    assert summary.informative > 0.5 * summary.compared
    assert summary.resolution is not None
    assert summary.resolution < 1e-6
    assert re.fullmatch(
        r"verified: 3 networks, 6 points, 84 entries, \d+ informative, median resolution \d\.\de-\d+", str(summary)
    )
    assert summary.run is not None
    assert summary.run.run.exit.code == 0


def test_the_gradient_of_the_input_may_be_left_out_and_that_is_said() -> None:
    def without(architecture: Any, point: Any) -> Any:
        loss, gradients = by_hand(architecture, point)
        return loss, {k: g for k, g in gradients.items() if k != "x"}

    summary = crosscheck.check(without, NET, **QUICK)
    assert summary.not_compared == 3 * 2 * 6
    assert summary.warnings == ("the subject returned no gradient of an input in 3 cases: it was not compared",)


# What may be asked.


def seen(**asked: Any) -> list[Architecture]:
    met: list[Architecture] = []

    def spy(architecture: Architecture, point: Any) -> Any:
        met.append(architecture)
        return right(architecture, point)

    crosscheck.check(spy, **{**QUICK, "max_examples": 12, "points": 1, **asked})
    return met


def test_an_architecture_is_asked_as_it_is_written_or_built() -> None:
    assert set(seen(architecture=NET)) == {parse(NET)}
    assert set(seen(architecture=parse(NET))) == {parse(NET)}


def test_the_stars_of_a_template_are_drawn() -> None:
    met = seen(architecture="x[*,4] → dense(*) → tanh → sse")
    assert len({a.inputs[0].shape for a in met}) > 1
    assert {a.inputs[0].shape[1] for a in met} == {4}
    assert len({a.node_shapes[0][-1] for a in met}) > 1


def test_ops_are_the_set_to_draw_from_with_the_attributes_that_are_fixed() -> None:
    met = seen(ops=[("dense", {"bias": False}), "tanh", "sse"])
    assert {op for a in met for op in a.ops} == {"dense", "tanh", "sse"}
    assert all(n.attributes["bias"] is False for a in met for n in a.nodes if n.op == "dense")


def test_ops_without_a_loss_are_asked_under_a_cotangent() -> None:
    assert {a.loss.op for a in seen(ops=["dense", "sin"])} == {"cotangent"}


def test_points_come_in_the_dtype_asked_for() -> None:
    met = set()

    def spy(architecture: Any, point: Any) -> Any:
        met.add(point.inputs["x"].dtype.name)
        return right(architecture, point)

    crosscheck.check(spy, NET, dtype="float32", **QUICK)
    assert met == {"float32"}


def test_a_subject_may_be_an_object_of_the_protocol_or_any_callable() -> None:
    class Backprop:
        def __call__(self, architecture: Any, point: Any) -> Any:
            return right(architecture, point)

    assert crosscheck.check(Builtin(), NET, **QUICK).cases == 3
    assert crosscheck.check(Backprop(), NET, **QUICK).cases == 3


# fmt: off
REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (right, {"dtype": "float8"},         UsageError,
     "check: dtype is 'float8', must be one of float64, float32, float16, bfloat16"),
    (right, {"ops": "tanh"},             UsageError,
     "check: ops is the text 'tanh', must be a list of operations such as ['dense', 'tanh']"),
    (3,     {},                          UsageError,
     "check: the subject is int, must be a callable (architecture, point)"),
    (right, {"ops": ["tanj"]},           SpecError,  "ops: 'tanj' is not an operation; did you mean tanh?"),
    (right, {"architecture": NET, "ops": ["tanh"]}, UsageError,
     "--architecture and --ops exclude each other: a fixed network has fixed operations"),
    (right, {"architecture": "x[2] -> tanh"}, SpecError,
     "the architecture has no loss: end it with one, such as -> sse or -> cotangent"),
    (right, {"points": 0},               UsageError, "--points is 0, must be at least 1"),
    (right, {"oracles": ["flint"]},      UsageError,
     "--oracles: 'flint' is no oracle; the oracles are ball, torch, jax, differences"),
]
# fmt: on


@pytest.mark.parametrize(("subject", "options", "error", "text"), REFUSED)
def test_a_malformed_question_is_refused(
    subject: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        crosscheck.check(subject, **{**QUICK, **options})
    assert str(caught.value) == text


# Wrong gradients.


def spoilt(spoil: Callable[[Case, Gradients], Gradients]) -> Any:
    return as_callable(Wrong(spoil))


def test_a_wrong_gradient_raises_with_the_finding_and_the_record_on_it() -> None:
    wrong = as_callable(slope("tanh", lambda z, a, da: da * (1.0 - a)))
    with pytest.raises(crosscheck.GradientMismatch) as caught:
        crosscheck.check(wrong, SMALL, oracles=["torch", "differences"], max_examples=3, points=2)
    error = caught.value
    assert isinstance(error, AssertionError)
    assert error.finding is not None
    assert error.run is not None
    assert error.finding in error.run.run.findings
    assert (error.finding.verdict, error.finding.odd_one_out) == ("DISAGREES", "subject")
    text = str(error)
    unfolded = " ".join(text.split())
    assert f"✗ {error.finding.id}  gradient of {error.finding.tensor} (dense): DISAGREES  ×3, shrunk" in text
    assert f"net     {SMALL}   (minimal)" in text
    assert "differences agree with torch" in text
    assert "exit 1: cases with a failing verdict: 3 DISAGREES" in unfolded


def test_the_oracles_own_findings_are_no_mismatch() -> None:
    summary = crosscheck.check(
        Builtin(), "x[2,2] -> hardsigmoid -> sse", oracles=["torch", "differences"], max_examples=6
    )
    assert summary.run is not None
    assert summary.run.run.verdicts.get("ORACLE_DISAGREES")


@pytest.mark.parametrize(("factor", "words"), [(0.5, "0.5"), (1 / 3, "1/3"), (2.0, "2"), (-1.0, "-1")])
def test_a_loss_that_is_a_multiple_of_the_asked_one_is_told_the_scale(factor: float, words: str) -> None:
    def scaled(architecture: Any, point: Any) -> Any:
        loss, gradients = right(architecture, point)
        return factor * loss, {k: factor * g for k, g in gradients.items()}

    with pytest.raises(crosscheck.GradientMismatch) as caught:
        crosscheck.check(scaled, SMALL, oracles=["torch"], max_examples=2, points=2)
    assert caught.value.finding is not None
    assert caught.value.finding.verdict == "FORWARD_DISAGREES"
    assert caught.value.finding.message == f"your loss is {words} × sse: pass scale={words}"
    assert {f.verdict for f in caught.value.run.run.findings} == {"FORWARD_DISAGREES"}  # type: ignore[union-attr]


# The contract.

calls = itertools.count(1)


def raises(architecture: Any, point: Any) -> Any:
    raise ZeroDivisionError("no batch")


def mutates(architecture: Any, point: Any) -> Any:
    answer = right(architecture, point)
    point.inputs["x"][0, 0] += 1.0
    return answer


def wavers(architecture: Any, point: Any) -> Any:
    loss, gradients = right(architecture, point)
    return loss + next(calls), gradients


def with_gradients(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    def subject(architecture: Any, point: Any) -> Any:
        loss, gradients = right(architecture, point)
        return loss, change(gradients)

    return subject


# fmt: off
BREACHES: dict[str, tuple[Any, str]] = {  # subject, sentence
    "raises":   (raises, r"subject raised ZeroDivisionError: no batch at point 0, \S*test_api.py:\d+ \(raises\)"),
    "mutates":  (mutates, r"subject changed x\[0,0\], the input, of point 0: \S+ before the call, \S+ after it"),
    "wavers":   (wavers, r"subject returned the loss as \S+ and then as \S+ at point 0"),
    "shape":    (with_gradients(lambda g: g | {"0.weight": g["0.weight"].T[:, :0]}),
                 r"subject returned 0.weight of shape \(1, 0\); node 0 \(dense\) needs \(1, 1\)"),
    "dtype":    (with_gradients(lambda g: g | {"0.bias": g["0.bias"].astype("f4")}),
                 r"subject returned 0.bias of dtype float32; node 0 \(dense\) needs float64"),
    "missing":  (with_gradients(lambda g: {"0.weight": g["0.weight"]}),
                 r"subject returned no gradient of 0.bias of node 0 \(dense\)"),
    "unknown":  (with_gradients(lambda g: g | {"W1": g["0.weight"]}),
                 r"subject returned the unexpected key 'W1'; the keys are 0.weight, 0.bias, and x where"),
    "a list":   (with_gradients(lambda g: g | {"0.bias": g["0.bias"].tolist()}),
                 r"subject returned 0.bias as a list; a gradient is a NumPy array"),
    "NaN":      (with_gradients(lambda g: g | {"0.bias": g["0.bias"] * np.nan}),
                 r"subject returned NaN for 0.bias\[0\] at point \d; the true gradient there is finite"),
    "no tuple": (lambda a, p: [1.0], r"subject returned a list; an answer is \(loss, gradients\)"),
}
# fmt: on


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_contract_is_a_mismatch_with_its_sentence(name: str) -> None:
    subject, sentence = BREACHES[name]
    with pytest.raises(crosscheck.GradientMismatch) as caught:
        crosscheck.check(subject, SMALL, oracles=["differences"], max_examples=1, points=1)
    assert caught.value.finding is not None
    assert caught.value.finding.verdict == "BROKE_CONTRACT"
    assert re.match(sentence, caught.value.finding.message), caught.value.finding.message


def test_infinity_where_the_truth_is_finite_is_wrong() -> None:
    infinite = with_gradients(lambda g: g | {"0.bias": g["0.bias"] * np.inf})
    with pytest.raises(crosscheck.GradientMismatch):
        crosscheck.check(infinite, SMALL, oracles=["differences"], max_examples=1, points=1)


# No pass without evidence.


def test_no_example_is_no_pass() -> None:
    with pytest.raises(crosscheck.NothingVerified) as caught:
        crosscheck.check(right, NET, oracles=["differences"], max_examples=0)
    assert isinstance(caught.value, AssertionError)
    assert "exit 5: nothing was verified: no case was checked" in " ".join(str(caught.value).split())
    assert caught.value.run is not None


def test_what_cannot_be_resolved_is_no_pass() -> None:
    with pytest.raises(crosscheck.NothingVerified, match="nothing was verified"):
        crosscheck.check(right, "x[2,2] -> dense(2) -> sse(scale=0.0)", **QUICK)


def test_the_same_seed_asks_the_same() -> None:
    one, again = (crosscheck.check(Builtin(), NET, seed=4, **QUICK) for _ in range(2))
    assert dataclasses.replace(one, run=None) == dataclasses.replace(again, run=None)
    assert one.run is not None
    assert again.run is not None
    assert one.run.run == again.run.run


def test_the_last_tensor_is_held_to_the_same_bound() -> None:
    """1e-9 in one entry of the input's gradient alone."""
    nudged = spoilt(lambda c, g: changed(g, "x", lambda d: d * (1 + 1e-9)))
    with pytest.raises(crosscheck.GradientMismatch, match=r"gradient of x \(input\): DISAGREES"):
        crosscheck.check(nudged, SMALL, oracles=["torch", "differences"], max_examples=3, points=2)


def test_of_one_network_it_is_told_when_it_is_wrong() -> None:
    def of_the_last_sample(_architecture: Architecture, point: Point) -> object:
        x, w, b = point.inputs["x"], point.params["0.weight"], point.params["0.bias"]
        d = 2 * (x @ w.T + b - point.targets)
        return np.sum((d / 2) ** 2), {"0.weight": np.outer(d[-1], x[-1]), "0.bias": d.sum(0)}

    with pytest.raises(crosscheck.GradientMismatch) as caught:
        crosscheck.check(
            of_the_last_sample, architecture="x[*,2] -> dense(2) -> sse", max_examples=8, points=4, oracles=("ball",)
        )
    assert caught.value.finding is not None
    assert "only at a batch above 1" in caught.value.finding.diagnosis


class OfOneEps(Mute):
    """A layer_norm with a known bug, which tells of which eps it was asked."""

    def __init__(self) -> None:
        super().__init__(next(mutant for mutant in mutants() if mutant.name == "layer_norm: mean dropped"))
        self.asked: set[object] = set()

    def gradients(self, case: Case) -> Gradients:
        self.asked |= {node.attributes["eps"] for node in case.architecture.nodes if node.op == "layer_norm"}
        return super().gradients(case)


def test_what_is_fixed_is_fixed_in_the_smallest_network_and_in_the_diagnosis_too() -> None:
    """Of another eps a library whose eps is a constant knows nothing: what it answers there is no bug of its own."""
    subject = OfOneEps()
    fixed = {"eps": 1e-3, "affine": True, "axes": 1}
    with pytest.raises(crosscheck.GradientMismatch) as caught:
        crosscheck.check(subject, ops=["dense", ("layer_norm", fixed), "sse"], max_examples=6)
    assert subject.asked == {1e-3}
    assert caught.value.finding is not None
    assert caught.value.finding.bugs[:1] == ("layer_norm: mean dropped",)
    assert "eps=0.001" in caught.value.finding.architecture
