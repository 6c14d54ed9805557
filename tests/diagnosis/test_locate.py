"""The first wrong factor: by intermediates, by networks of one node, and by which gradients are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from builders import Wrong, case_of, changed
from diagnosis.locating import BALL, BY_NAME, PROOF, located, planted

from crosscheck.checking import check
from crosscheck.diagnosis import forward
from crosscheck.diagnosis.locate import locate
from crosscheck.diagnosis.walked import LOSS
from crosscheck.mutants.mutant import Mutant
from crosscheck.spec import Architecture, Case, Gradients, Point, Verdict
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.ops import OPS
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Mute, Planted
from crosscheck.subjects.python_callable import PythonCallable

DEEP = "x[2,3] -> dense(2) -> tanh -> dense(3) -> sigmoid -> dense(2) -> sse"
PLACES = (
    (planted("tanh", Factor.SLOPE), DEEP, 1),
    (planted("sigmoid", Factor.SLOPE), DEEP, 3),
    (planted("sse", Factor.LOSS), DEEP, LOSS),
    (planted("layer_norm", Factor.INPUT, "0"), "x[2,3] -> dense(3) -> layer_norm -> dense(2) -> sse", 1),
    (planted("conv1d", Factor.PARAM, "weight"), "x[2,2,4] -> conv1d(2, 2) -> tanh -> conv1d(1, 2) -> tanh -> sse", 2),
    (planted("lstm", Factor.PARAM, "bias_ih"), "x[2,3,2] -> lstm(2) -> dense(2) -> sse", 0),
)


@pytest.mark.parametrize("subject", [Planted, Mute])
@pytest.mark.parametrize(("mutant", "text", "node"), PLACES, ids=[m.name for m, _, _ in PLACES])
def test_the_node_and_the_factor_with_intermediates_and_without(
    mutant: Mutant, text: str, node: int, subject: type[Planted]
) -> None:
    found = located(case_of(text, seed=3), subject(mutant))
    assert found is not None
    assert found.node == node
    assert any(fault.covers(found.fault) for fault in mutant.faults)


def test_what_comes_before_the_first_wrong_factor_is_found_right_and_what_follows_too() -> None:
    found = located(case_of(DEEP, seed=3), Planted(planted("tanh", Factor.SLOPE)))
    assert found is not None
    states = {(step.node, step.fault.factor): step.state for step in found.steps}
    assert states[LOSS, Factor.LOSS] == "right"
    assert states[3, Factor.SLOPE] == "right"
    assert states[1, Factor.SLOPE] == "wrong"
    assert states[0, Factor.INPUT] == "right", "given its own wrong gradient from above, dense 0 does what it should"
    (wrong,) = [step for step in found.steps if step.state == "wrong"]
    assert wrong.claimed is not None
    assert wrong.certified is not None
    assert wrong.claimed != pytest.approx(wrong.certified)


def test_a_fork_is_told_from_its_uses() -> None:
    case = case_of("x[2,2] -> h: tanh -> dense(2) -> add(h) -> sse", seed=1)
    for subject in (Planted(BY_NAME["fork: = for +="]), Mute(BY_NAME["fork: = for +="])):
        found = located(case, subject)
        assert found is not None
        assert found.fault == Fault(None, Factor.SUM)
    of_one_use = planted("dense", Factor.INPUT, "0")
    for wrong in (Planted(of_one_use), Mute(of_one_use)):
        found = located(case, wrong)
        assert found is not None
        assert found.fault == Fault("dense", Factor.INPUT, "0")


def test_what_is_written_to_behind_a_merge_accuses_no_loss_that_is_right() -> None:
    """One array of ∂C/∂(the sum) goes to both its terms, and who is given it last finds another's gradient there."""
    case = case_of("x[2,2] -> tanh -> add(x) -> sse", seed=1)
    found = located(case, Planted(BY_NAME["tanh: overwrites what comes from above"]))
    assert found is not None
    assert (found.fault, found.how) == (Fault(None, Factor.SUM), "each operation asked for by itself")
    wrong = located(case, Planted(planted("sse", Factor.LOSS)))
    assert wrong is not None
    assert (wrong.node, wrong.fault, wrong.how) == (LOSS, Fault("sse", Factor.LOSS), "its own intermediates")


def test_a_shared_parameter_overwritten_is_the_sum() -> None:
    case = case_of("x[1,1] -> dense(1) -> tanh -> dense(1, weight=@0.weight, bias=@0.bias) -> sse", seed=1)
    found = located(case, Planted(BY_NAME["shared parameter overwritten"]))
    assert found is not None
    assert found.fault.factor is Factor.SUM


def test_a_missing_penalty_is_the_penaltys() -> None:
    mutant = next(m for m in BY_NAME.values() if m.faults and m.faults[0].factor is Factor.PENALTY)
    for text in ("x[2,2] -> dense(2) -> sse(l2=0.25)", "x[2,2] -> dense(2) -> sse(l1=0.125)"):
        case = case_of(text, seed=1)
        with np.errstate(all="ignore"):
            if check(case, Planted(mutant), PROOF).verdict is Verdict.DISAGREES:
                found = located(case, Planted(mutant))
                assert found is not None
                assert found.fault.factor is Factor.PENALTY
                return
    pytest.fail(f"{mutant.name} shows in neither network")


def test_a_slope_that_ignores_what_comes_from_above_is_not_put_down_to_the_layer_above() -> None:
    def backprop(_architecture: Architecture, point: Point) -> object:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        d = 2 * (h @ w2.T + b2 - y)
        dz = 1 - h * h
        return np.sum((d / 2) ** 2), {
            "2.weight": d.T @ h,
            "2.bias": d.sum(0),
            "0.weight": dz.T @ x,
            "0.bias": dz.sum(0),
        }

    case = case_of("x[2,4] -> dense(3) -> tanh -> dense(3) -> sse", seed=5)
    found = located(case, PythonCallable(backprop), None)
    assert found is not None
    assert (1, Fault("tanh", Factor.SLOPE)) in [(found.node, found.fault), *found.others]


def test_a_right_gradient_clears_nothing_that_cancels_in_it() -> None:
    """∂C/∂a in another order of the samples: the sum over them, the bias's gradient, is the same."""

    def backprop(_architecture: Architecture, point: Point) -> object:
        x, y = point.inputs["x"], point.targets
        w1, b1, w2, b2 = (point.params[k] for k in ("0.weight", "0.bias", "2.weight", "2.bias"))
        h = np.tanh(x @ w1.T + b1)
        e = h @ w2.T + b2 - y
        d = np.roll(2 * e, 1, axis=0)
        dz = d @ w2 * (1 - h * h)
        return np.sum(e**2), {"2.weight": d.T @ h, "2.bias": d.sum(0), "0.weight": dz.T @ x, "0.bias": dz.sum(0)}

    found = located(case_of("x[3,4] -> dense(3) -> tanh -> dense(2) -> sse", seed=5), PythonCallable(backprop), None)
    assert found is not None
    assert (found.node, found.fault) == (LOSS, Fault("sse", Factor.LOSS))
    assert (LOSS, Factor.LOSS) not in {(step.node, step.fault.factor) for step in found.steps}


def test_no_single_factor_is_blamed_for_what_none_can_have_done() -> None:
    """All gradients are wrong, as after a wrong ∂C/∂a, but each by itself: no ∂C/∂a gives them."""

    def noisy(_case: Case, found: Gradients) -> Gradients:
        generator = np.random.default_rng(3)
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: g * (1.0 + 0.1 * generator.standard_normal(g.shape)))
        return found

    def twice(_case: Case, found: Gradients) -> Gradients:
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: 2.0 * g)
        return found

    case = case_of("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse", seed=2)
    assert located(case, Wrong(noisy), None) is None
    found = located(case, Wrong(twice), None)
    assert found is not None, "twice the gradients are those of twice ∂C/∂a"
    assert found.fault == Fault("sse", Factor.LOSS)


def test_a_role_that_is_wrong_in_every_layer_is_located_where_it_stands_nearest_the_loss() -> None:
    """Code that is called for both layers takes the mean of the samples for the gradients of their biases."""

    def mean(_case: Case, found: Gradients) -> Gradients:
        for name in ("0.bias", "2.bias"):
            found = changed(found, name, lambda g: g / 5.0)
        return found

    found = located(case_of("x[5,4] -> dense(3) -> tanh -> dense(2) -> sse", seed=2), Wrong(mean), None)
    assert found is not None
    assert (found.node, found.fault) == (2, Fault("dense", Factor.PARAM, "bias"))
    one_of_two = Wrong(lambda _c, g: changed(changed(g, "0.bias", lambda d: d / 5.0), "2.weight", lambda d: d / 5.0))
    assert located(case_of("x[5,4] -> dense(3) -> tanh -> dense(2) -> sse", seed=2), one_of_two, None) is None


def test_several_wrong_factors_of_one_node_are_named_together() -> None:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        return changed(changed(found, "0.weight", lambda g: g + 1.0), "0.bias", lambda g: g - 1.0)

    found = located(case_of("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse", seed=2), Wrong(spoil), None)
    assert found is not None
    assert (found.node, found.fault) == (0, Fault("dense", Factor.PARAM, "weight"))
    assert found.with_it == (Fault("dense", Factor.PARAM, "bias"),)

    def in_two(_case: Case, found: Gradients) -> Gradients:
        return changed(changed(found, "0.weight", lambda g: g + 1.0), "2.bias", lambda g: g - 1.0)

    assert located(case_of("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse", seed=2), Wrong(in_two), None) is None


def test_what_a_recurrent_layer_carries_back_is_never_put_down_to_the_loss_alone() -> None:
    case = case_of("x[2,4,3] -> rnn(3) -> sse", seed=1)
    found = located(case, Mute(BY_NAME["rnn: hidden gradient not passed back"]), None)
    assert found is not None
    candidates = [(found.node, found.fault.op), *((node, fault.op) for node, fault in found.others)]
    assert (0, "rnn") in candidates


def test_a_wrong_forward_is_put_down_to_its_operation() -> None:
    mutant = next(m for m in BY_NAME.values() if m.faults == (Fault("gelu", Factor.FORWARD),))
    case = case_of("x[2,3] -> dense(2) -> tanh -> gelu -> dense(1) -> sse", seed=1)
    found = forward.locate(case, Planted(mutant), BALL, frozenset(OPS))
    assert found is not None
    assert (found.node, found.fault.op) == (2, "gelu")


def test_where_nothing_is_wrong_nothing_is_located() -> None:
    case = case_of(DEEP, seed=3)
    judgement = check(case, Builtin(), PROOF)
    assert locate(case, judgement, Builtin(), BALL, frozenset(OPS)) is None


def test_sums_are_not_blamed_while_an_operation_could_not_be_asked() -> None:
    """Rates below 0 are no case of the loss alone; a shared weight is in the network, and right."""
    text = "x[2,2] -> dense(2) -> dense(2, weight=@0.weight, bias=@0.bias) -> poisson_nll(log_input=false, eps=0.5)"
    case = case_of(text, seed=2, points=3)
    found = located(case, Mute(BY_NAME["poisson_nll: doubled where negative"]))
    assert found is None or found.fault.factor is not Factor.SUM
