"""Gradients that are right until something is made of them as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import whole
from crosscheck.diagnosis.diagnose import diagnose
from crosscheck.diagnosis.seen import Seen, asked
from crosscheck.diagnosis.walked import LOSS
from crosscheck.mutants.changes import loss
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.fault import Factor, Fault
from crosscheck.subjects.builtin import Builtin

Spoil = Callable[[Case, Gradients], Gradients]
SQUARE = "x[2,3] -> dense(3) -> tanh -> dense(3) -> sse"


def seen(spoil: Spoil, texts: Sequence[str] = (SQUARE, SQUARE)) -> list[Seen]:
    with np.errstate(all="ignore"):
        return [asked(case_of(text, seed=k), Wrong(spoil), Ball()) for k, text in enumerate(texts)]


def swapped(_case: Case, found: Gradients) -> Gradients:
    a, b = found["0.weight"], found["2.weight"]
    return changed(changed(found, "0.weight", lambda _: b), "2.weight", lambda _: a)


def one_buffer(_case: Case, found: Gradients) -> Gradients:
    return changed(found, "2.weight", lambda _: found["0.weight"])


def by_norm(_case: Case, found: Gradients) -> Gradients:
    square = sum((g.reshape(len(g), -1) ** 2).sum(1) for _, g in found.tensors())
    factor = np.minimum(1.0, 0.5 / np.sqrt(square))
    for name, _ in list(found.tensors()):
        found = changed(found, name, lambda g: g * factor.reshape(-1, *(1,) * (g.ndim - 1)))
    return found


def of_params_by_norm(_case: Case, found: Gradients) -> Gradients:
    """As training loops do it: an input's gradient is nobody's to clip."""
    names = list(found.by_param)
    square = sum((found[name].reshape(len(found[name]), -1) ** 2).sum(1) for name in names)
    factor = np.minimum(1.0, 0.5 / np.sqrt(square))
    for name in names:
        found = changed(found, name, lambda g: g * factor.reshape(-1, *(1,) * (g.ndim - 1)))
    return found


def by_value(_case: Case, found: Gradients) -> Gradients:
    for name, _ in list(found.tensors()):
        found = changed(found, name, lambda g: np.clip(g, -0.25, 0.25))
    return found


def by_point(_case: Case, found: Gradients) -> Gradients:
    for name, _ in list(found.tensors()):
        found = changed(found, name, lambda g: g * np.arange(2.0, 2.0 + len(g)).reshape(-1, *(1,) * (g.ndim - 1)))
    return found


def test_two_gradients_under_each_others_keys_and_one_buffer_for_both() -> None:
    assert whole.of_another(seen(swapped)) == (
        "each is the gradient of another: what is given as 0.weight is that of 2.weight, "
        "what is given as 2.weight is that of 0.weight"
    )
    assert whole.of_another(seen(one_buffer)) == (
        "each is the gradient of another: what is given as 2.weight is that of 0.weight"
    )
    assert whole.of_another(seen(by_value)) is None
    assert whole.of_another(seen(lambda _c, g: changed(g, "2.weight", np.zeros_like))) is None


def test_what_is_clipped_by_the_norm_has_one_norm() -> None:
    said = whole.clipped_by_norm(seen(by_norm))
    assert said is not None
    assert said.endswith(": clipped, their norm is 0.5 wherever they are wrong")
    beside_an_input = whole.clipped_by_norm(seen(of_params_by_norm))
    assert beside_an_input is not None
    assert beside_an_input.endswith(": clipped, their norm is 0.5 wherever they are wrong")
    of_inputs_alone = whole.clipped_by_norm(seen(by_norm, ("x[1,1] -> sse", "x[3,3] -> sse")))
    assert of_inputs_alone is not None, (
        "the one number of the smaller network has nothing to say, and no parameter a norm"
    )
    assert of_inputs_alone.endswith(": clipped, their norm is 0.5 wherever they are wrong")
    assert whole.clipped_by_norm(seen(by_point)) is None
    assert whole.scaled(seen(by_point)) == "at every point one factor for all gradients, from 2 to 4"
    for other in (swapped, by_value):
        assert whole.scaled(seen(other)) is None
    factor = seen(lambda _c, g: changed(g, "2.weight", lambda d: 2 * d))
    assert whole.scaled(factor) is None, "one gradient alone"


def test_what_is_clipped_by_value_is_called_that() -> None:
    assert whole.clipped(seen(by_value)) == "clipped: whatever is larger than 0.25 is given as that"
    one = seen(lambda _c, g: changed(g, "2.weight", lambda d: np.clip(d, -0.25, 0.25)))
    assert whole.clipped(one) == "clipped: whatever is larger than 0.25 is given as that", "the others are not"
    assert whole.clipped(seen(by_norm)) is None
    assert whole.clipped(seen(lambda _c, g: changed(g, "2.weight", np.sign))) is None


@pytest.mark.parametrize("spoil", [by_norm, of_params_by_norm, by_value, swapped])
def test_what_is_done_behind_the_walk_is_put_down_to_no_factor_of_the_chain_rule(spoil: Spoil) -> None:
    case, others = case_of(SQUARE, seed=0), [case_of(SQUARE, seed=1)]
    arbiter, subject = Ball(), Wrong(spoil)
    judgement = check(case, subject, Witnesses((arbiter,), differences=False))
    with np.errstate(all="ignore"):
        found = diagnose(case, judgement, others, subject, arbiter, None)
    assert found.located is None
    assert found.terms == (("∇C", "first wrong", "what is done to the gradients behind the walk back"),)


def test_the_slope_of_a_loss_that_is_clipped_is_told_from_clipped_gradients() -> None:
    """On a loss alone the two are one; where there is a node, the gradients behind it are larger than the clip."""
    sse = loss("sse", lambda sound, a, y: (np.clip(sound[0], -0.25, 0.25),))
    case, others, arbiter = case_of("x[2,3] -> sse", seed=0), [case_of(SQUARE, seed=1)], Ball()
    found = []
    for subject in (Builtin({**Builtin().rows, "sse": sse}), Wrong(by_value)):
        judgement = check(case, subject, Witnesses((arbiter,), differences=False))
        with np.errstate(all="ignore"):
            found.append(diagnose(case, judgement, others, subject, arbiter, Allowed.of(("dense", "tanh", "sse"))))
        assert found[-1].likely[0] == "clipped: whatever is larger than 0.25 is given as that"
    slope, gradients = found
    assert slope.located is not None
    assert (slope.located.node, slope.located.fault) == (LOSS, Fault("sse", Factor.LOSS))
    assert slope.terms[0][:2] == ("∂C/∂a", "first wrong")
    assert gradients.located is None


def test_an_inputs_gradient_that_is_clipped_alone_is_the_way_back_to_it() -> None:
    def clipped(_case: Case, found: Gradients) -> Gradients:
        return changed(found, "x", lambda g: np.clip(g, -0.25, 0.25))

    case, arbiter, subject = case_of("x[2,2] -> dense(2) -> sse", seed=0), Ball(), Wrong(clipped)
    judgement = check(case, subject, Witnesses((arbiter,), differences=False))
    with np.errstate(all="ignore"):
        found = diagnose(case, judgement, [], subject, arbiter, None)
    assert found.likely[0] == "clipped: whatever is larger than 0.25 is given as that"
    assert found.located is not None
    assert found.located.fault == Fault("dense", Factor.INPUT, "0")
