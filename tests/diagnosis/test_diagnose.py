"""What is said of a subject that no single bug explains: wrong everywhere, at random, or in a way that nothing fits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from builders import Wrong, as_callable, changed

from crosscheck.backprop.rows import Row
from crosscheck.mutants.changes import Backward, Call, layer, loss, slope
from crosscheck.session import Settings, verify
from crosscheck.spec import Case, Gradients, Subject
from crosscheck.spec.record import Finding
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

OPS = ("dense", "tanh", "sin", "sse")
FIXED = "x[2,3] -> dense(4) -> tanh -> dense(3) -> sin -> dense(2) -> sse"


def told(subject: Subject, **asked: Any) -> Finding:
    """The first finding of a few networks; the truth alone is asked."""
    found = verify(Settings(subject, examples=6, points=3, oracles=("ball",), **(asked or {"ops": OPS})))
    return found.run_file.run.findings[0]


def planted(rows: Mapping[str, Row]) -> Subject:
    return Builtin({**Builtin().rows, **rows})


def bent(g: np.ndarray) -> np.ndarray:
    return g + 0.5 * g * np.sin(3.0 * g)


def bent_dense(call: Call) -> Backward:
    d_inputs, d_params = call.answer
    return tuple(None if d is None else bent(d) for d in d_inputs), {role: bent(g) for role, g in d_params.items()}


TANH = slope("tanh", lambda z, a, da, sound: da * (1.0 - a**4 + 0.1 * a))
SIN = slope("sin", lambda z, a, da, sound: da * np.cos(1.1 * z))
SSE = loss("sse", lambda sound, a, y: (sound[0] + 0.1 * a * a,))


def test_where_nothing_fits_it_says_so_and_how_much_was_tried() -> None:
    finding = told(planted({"tanh": TANH}))
    assert finding.architecture == "x[1,1] -> tanh -> sse"
    assert finding.bugs == ()
    tried, _, of = finding.diagnosis[0].removeprefix("unknown: neither a pattern nor one of ").partition(" known bugs ")
    assert int(tried) > 5
    assert of == "of tanh ∂a/∂z gives these gradients"


def test_several_operations_each_wrong_by_itself_are_no_single_bug() -> None:
    finding = told(planted({"dense": layer("dense", bent_dense), "tanh": TANH, "sin": SIN, "sse": SSE}))
    assert finding.diagnosis[0].startswith("wrong everywhere: each of dense, ")
    assert finding.diagnosis[0].endswith(" is wrong by itself, so no single term of the chain rule is to blame")
    assert finding.bugs == ()


def test_beside_operations_that_are_right_it_is_not_wrong_everywhere() -> None:
    finding = told(planted({"tanh": TANH, "sin": SIN, "sse": SSE}))
    assert finding.diagnosis[0].startswith("unknown: ")


def test_what_is_wrong_beside_the_first_wrong_factor_is_named_and_nothing_that_only_follows_from_it() -> None:
    finding = told(planted({"tanh": TANH, "sse": SSE}), ops=("dense", "tanh", "sse"))
    assert finding.op == "input"
    assert "wrong by itself too, where it was met: ∂a/∂z of tanh" in finding.diagnosis
    alone = told(planted({"sse": SSE}), ops=("dense", "tanh", "sse"))
    assert not any("by itself too" in line for line in alone.diagnosis)


def at_random(case: Case, found: Gradients) -> Gradients:
    """The same for the same question."""
    for name, _ in list(found.tensors()):
        seed = int(hashlib.sha256(f"{case.key} {name}".encode()).hexdigest()[:8], 16)
        found = changed(found, name, lambda g, seed=seed: np.random.default_rng(seed).standard_normal(g.shape))
    return found


def test_numbers_at_random_are_called_that_and_given_no_name() -> None:
    for asked in ({"ops": OPS}, {"architecture": FIXED}):
        finding = told(Wrong(at_random), **asked)
        assert finding.diagnosis[0].startswith("nothing in common with the true gradient: over ")
        assert finding.bugs == ()


def last_weight_negated(call: Call) -> Backward:
    d_inputs, d_params = call.answer
    weight = d_params["weight"].copy()
    weight[..., -1, -1] *= -1.0
    return d_inputs, {**d_params, "weight": weight}


def test_of_several_entries_it_is_said_which_is_shown() -> None:
    finding = told(planted({"dense": layer("dense", last_weight_negated)}), architecture="x[1,3] -> dense(2) -> sse")
    (detail,) = [detail for _, state, detail in finding.terms if state == "first wrong"]
    assert detail.startswith("first wrong at [1,2]: ")
    assert finding.entries[0].index == (1, 2)


@pytest.mark.parametrize(("key", "factor", "words"), [("0.weight", -0.1, "weights"), ("2.bias", 0.1, "biases")])
def test_of_one_network_a_penalty_that_is_missing_or_too_much_is_the_penaltys(
    key: str, factor: float, words: str
) -> None:
    def off(case: Case, found: Gradients) -> Gradients:
        return changed(found, key, lambda g: g + factor * case.params[key])

    net = "x[2,3] -> dense(4) -> sigmoid -> dense(2) -> mse(l2=0.1)"
    finding = told(PythonCallable(as_callable(Wrong(off))), architecture=net)
    assert [(symbol, state) for symbol, state, _ in finding.terms] == [("∂R/∂w", "first wrong")]
    assert f"off by {factor:g} × the {words}" in finding.diagnosis[0].replace("−", "-")


@pytest.mark.parametrize(
    ("op", "row", "said"),
    [
        (
            "dropout",
            layer("dropout", lambda call: (tuple(d if d is None else 0.5 * d for d in call.answer[0]), {})),
            "constant ratio: the gradient is 0.5 × the true one",
        ),
        (
            "dropout",
            layer("dropout", lambda call: (tuple(_unscaled(call, d) for d in call.answer[0]), {})),
            "the gradient is the true one times dropout's (1 - p) (0.5 in the smallest), in all 10 cases",
        ),
    ],
)
def test_a_factor_that_equals_an_attribute_by_chance_is_told_from_the_attribute(op: str, row: Row, said: str) -> None:
    finding = told(planted({op: row}), ops=(op, "dense", "sse"))
    assert said in finding.diagnosis


def _unscaled(call: Call, d: np.ndarray | None) -> np.ndarray | None:
    return d if d is None else d * (1.0 - float(call.site.attributes["p"]))
