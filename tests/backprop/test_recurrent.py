"""Recurrent layers by hand: right by every witness, at the kinks of a relu too, and each wrong variant is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sequences
from builders import case_of, with_arrays

from crosscheck.backprop import network, recurrent
from crosscheck.backprop.branches import met, signature
from crosscheck.backprop.recurrent import RELU, SIGMOID, TANH
from crosscheck.backprop.rows import Keeping, Kept, Site
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, SpecError, Verdict, parse
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import bound

ROWS = network.ROWS
Found = tuple[tuple[Any, ...], dict[str, Any]]
Backward = Callable[..., Found]

RNN = "x[2,3,2]; h0[2,2]; x -> rnn(h0, 2) -> cotangent"
RELU_RNN = "x[2,3,2] -> rnn(2, nonlinearity=relu) -> cotangent"
LSTM = "x[2,3,2]; h0[2,2]; c0[2,2]; x -> lstm(h0, c0, 2) -> cotangent"
GRU = "x[2,3,2]; h0[2,2]; x -> gru(h0, 2) -> cotangent"
LAST = "x[2,4,2] -> lstm(3, output=last) -> cotangent"
STACKED = "x[2,3,2] -> gru(3) -> lstm(2) -> rnn(3, output=last) -> dense(2) -> sse"


@pytest.mark.thorough
def test_random_networks_agree_with_every_witness() -> None:
    agreed, compared = 0, 0
    for case in sequences.cases(sequences.RECURRENT, seed=6, count=120):
        found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd())))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{found.verdict} on {case.architecture}"
        agreed += found.verdict is Verdict.AGREES
        compared += found.count(Status.AGREE)
    assert agreed > 110
    assert compared > 5000


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [RNN, RELU_RNN, LSTM, GRU, LAST, STACKED])
def test_each_agrees_with_jax_too(text: str, dtype: str) -> None:
    found = check(case_of(text, seed=3, dtype=dtype), Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert found.verdict is Verdict.AGREES
    assert set(found.references) == {"ball", "torch", "jax", "differences"}
    assert found.count(Status.AGREE) > 0.9 * sum(t.status.size for t in found.tensors.values())


@pytest.mark.parametrize("text", [RNN, RELU_RNN, LSTM, GRU])
def test_it_has_a_16_bit_form(text: str) -> None:
    found = check(case_of(text, family="small", dtype="float16"), Builtin(), Witnesses((Ball(),)))
    assert found.verdict is Verdict.AGREES
    assert found.count(Status.AGREE) > 0


def test_a_saturated_gate_keeps_its_digits() -> None:
    """s(1 - s) and 1 - t² would be 0 there: of what they leave nothing could be said."""
    z = np.array([-300.0, -40.0, 40.0, 300.0])
    w = SIGMOID.way(z)
    s, t = SIGMOID.f(w), TANH.f(z)
    np.testing.assert_allclose(SIGMOID.slope(w, s), np.exp(-abs(z)), rtol=1e-15)
    np.testing.assert_allclose(SIGMOID.rest(w, s), [1.0, 1.0, np.exp(-40.0), np.exp(-300.0)], rtol=1e-15)
    np.testing.assert_allclose(TANH.slope(z, t), 4.0 * np.exp(-2.0 * abs(z)), rtol=1e-15)


def test_a_gate_that_overflows_is_shut_without_a_warning() -> None:
    case = case_of("x[1,2,1] -> lstm(1) -> cotangent", points=1)
    case = with_arrays(case, inputs={"x": np.full((1, 1, 2, 1), -1e4)}, params={"0.weight_ih": np.ones((1, 4, 1))})
    tape = network.forward(case.architecture, case.params, case.inputs, case.targets)
    by_param, _ = network.backward(tape)
    assert all(np.isfinite(values).all() for values in by_param.values())


def test_what_onednn_flushes_is_not_held_against_pytorch() -> None:
    """-1.7e-38, a normal number of float32, comes out as 0."""
    text = "x[1,5,1]; h0[1,5]; c0[1,5]; x -> lstm(h0, c0, 5, bias=false) -> sse"
    case = case_of(text, family="saturating", seed=648880281, points=8, dtype="float32")
    found = check(case, frameworks.torch(), Witnesses((Ball(),)))
    assert found.verdict is Verdict.AGREES
    assert found.count(Status.AGREE) > 100


# --- the kinks of a relu inside ------------------------------------------------------------------------------


def on_a_kink() -> Case:
    """All that goes into the relu of the first step is 0 at the first point, and nothing at the other."""
    case = case_of(RELU_RNN, points=2, seed=1)
    x, bias = np.array(case.inputs["x"]), np.array(case.params["0.bias_ih"])
    x[0, :, 0], bias[0] = 0.0, 0.0
    return with_arrays(case, inputs={"x": x}, params={"0.bias_ih": bias, "0.bias_hh": np.where(bias == 0, 0.0, bias)})


def other_side() -> Builtin:
    """The built-in that takes the derivative from above."""
    above = replace(RELU, slope=lambda z, _: np.where(z >= 0, np.ones_like(z), 0.0))
    return Builtin({**ROWS, **recurrent.rows(SIGMOID, TANH, above)})


def test_the_kinks_are_those_of_what_goes_into_the_relu() -> None:
    case = on_a_kink()
    assert met(case, {})["rnn", 0.0][0] == 4  # two samples, two hidden units
    near = bound(case, "float64").near
    assert near[0].shape == (2, 2, 3, 2)
    assert (near[0][0, :, 0] > 0).all()
    assert not near[0][1].any()


@pytest.mark.parametrize("subject", [Builtin(), other_side()])
def test_at_a_kink_either_side_is_right(subject: Builtin) -> None:
    found = check(on_a_kink(), subject, Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE)
    assert found.certified is not None
    assert found.certified.hull.tolist() == [True, False]
    assert found.certified.kinks == (("rnn", 0),)


def test_at_a_kink_what_is_on_no_side_is_found() -> None:
    twice = replace(RELU, slope=lambda z, _: np.where(z >= 0, np.where(z > 0, 1.0, 2.0), 0.0))
    subject = Builtin({**ROWS, **recurrent.rows(SIGMOID, TANH, twice)})
    assert check(on_a_kink(), subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES


def test_at_a_kink_nothing_is_decided_without_truth() -> None:
    found = check(on_a_kink(), other_side(), Witnesses((TorchAutograd(), JaxGrad())))
    assert found.verdict is not Verdict.DISAGREES
    assert found.count(Status.UNDECIDABLE) > 0


def test_the_signature_knows_on_which_side_every_step_is() -> None:
    case = case_of(RELU_RNN, points=1, seed=1)
    x = np.array(case.inputs["x"])
    moved = np.concatenate([x, x])
    moved[1] = -5.0 * moved[1]
    params = {k: np.concatenate([a, a]) for k, a in case.params.items()}
    targets = np.concatenate([case.targets, case.targets])
    tape = network.forward(case.architecture, params, {"x": moved}, targets)
    z = tape.kinked(0)
    assert z.shape == (2, 2, 3, 2)
    one, other = signature(tape)
    assert (one == other) == bool(((z[0] > 0) == (z[1] > 0)).all())
    assert one != other


# --- wrong variants ------------------------------------------------------------------------------------------

SLOPES = {
    "s instead of s(1 - s)": (LSTM, recurrent.rows(replace(SIGMOID, slope=lambda z, a: a), TANH, RELU)),
    "s(1 - s) of a gru": (GRU, recurrent.rows(replace(SIGMOID, slope=lambda z, a: a * a), TANH, RELU)),
    "1 - t instead of 1 - t²": (RNN, recurrent.rows(SIGMOID, replace(TANH, slope=lambda z, a: 1.0 - a), RELU)),
    "1 - t² of the output in place of the state": (
        LSTM,
        recurrent.rows(SIGMOID, replace(TANH, slope=lambda z, a: 1.0 - a * a * a), RELU),
    ),
    "relu's slope is 1": (
        RELU_RNN,
        recurrent.rows(SIGMOID, TANH, replace(RELU, slope=lambda z, a: np.ones_like(z))),
    ),
}


@pytest.mark.parametrize("name", SLOPES)
def test_a_wrong_slope_is_found(name: str) -> None:
    text, rows = SLOPES[name]
    assert verdict(text, {**ROWS, **rows}) is Verdict.DISAGREES


def verdict(text: str, rows: Any) -> Verdict:
    return check(case_of(text, seed=4), Builtin(rows), Witnesses((Ball(),), differences=False)).verdict


def no_way_back(backward: Backward, site: Site, d: Any, kept: Kept, inputs: Any, params: Any) -> Found:
    """Every step on its own: what the next one has the state for is forgotten."""
    return backward(site, d, kept, inputs, {**params, "weight_hh": 0.0 * params["weight_hh"]})


def the_state_after(backward: Backward, site: Site, d: Any, kept: Kept, inputs: Any, params: Any) -> Found:
    """∂C/∂U with the state behind the step."""
    h, z = kept.values
    later = np.concatenate((h[..., 1:, :, :], h[..., -1:, :, :]), axis=-3)
    return backward(site, d, Kept((later, z)), inputs, params)


def no_memory(backward: Backward, site: Site, d: Any, kept: Kept, inputs: Any, params: Any) -> Found:
    """The cell's own way back is cut: as if each f were 0."""
    h, steps = kept.values
    return backward(site, d, Kept((h, [step._replace(f=0.0 * step.f) for step in steps])), inputs, params)


def of_state(number: int, change: Callable[[Any], Any]) -> Callable[..., Found]:
    def backward(sound: Backward, *given: Any) -> Found:
        found = sound(*given)
        return tuple(change(d) if i == number else d for i, d in enumerate(found[0])), found[1]

    return backward


def parameter(role: str, change: Callable[[Any, dict[str, Any]], Any]) -> Callable[..., Found]:
    def backward(sound: Backward, *given: Any) -> Found:
        d_inputs, found = sound(*given)
        return d_inputs, {**found, role: change(found[role], found)}

    return backward


def swapped(d: Any, _found: Any) -> Any:
    """The first two gates change places."""
    size = d.shape[-2] // 4
    return np.concatenate([d[..., size : 2 * size, :], d[..., :size, :], d[..., 2 * size :, :]], axis=-2)


# fmt: off
WRONG = {
    "rnn, truncated":            (RNN, "rnn", no_way_back),
    "relu rnn, truncated":       (RELU_RNN, "rnn", no_way_back),
    "lstm, truncated":           (LAST, "lstm", no_way_back),
    "gru, truncated":            (GRU, "gru", no_way_back),
    "the state after the step":  (RNN, "rnn", the_state_after),
    "the cell forgets":          (LSTM, "lstm", no_memory),
    "no gradient of h0":         (GRU, "gru", of_state(1, lambda d: 0.0 * d)),
    "no gradient of c0":         (LSTM, "lstm", of_state(2, lambda d: 0.0 * d)),
    "h0 has that of c0":         (LSTM, "lstm", of_state(1, lambda d: 2.0 * d)),
    "gates in another order":    (LSTM, "lstm", parameter("weight_ih", swapped)),
    "n's reset is forgotten":    (GRU, "gru", parameter("bias_hh", lambda d, found: found["bias_ih"])),
    "a bias is not summed":      (LSTM, "lstm", parameter("bias_hh", lambda d, found: d / 3.0)),
}
# fmt: on


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variant_is_found(name: str) -> None:
    text, op, change = WRONG[name]
    sound = ROWS[op]
    assert isinstance(sound, Keeping)
    wrong = replace(sound, backward=lambda *given: change(sound.backward, *given))
    assert verdict(text, ROWS) is Verdict.AGREES
    assert verdict(text, {**ROWS, op: wrong}) is Verdict.DISAGREES


# fmt: off
REFUSED = {
    "x[2,3] -> lstm(2) -> sse": "lstm needs an input (N, T, in), not (2, 3)",
    "x[2,3,2]; h0[2,2]; x -> lstm(h0, 2) -> sse":
        "lstm takes an input alone or with h0 and c0: 2 inputs are neither",
    "x[2,3,2]; h0[2,3]; x -> gru(h0, 2) -> sse": "gru(hidden=2) needs h0 (N, hidden) = (2, 2), not (2, 3)",
    "x[2,3,2] -> rnn(0) -> sse": "hidden is a whole number above 0",
    "x[2,3,2] -> rnn(2, nonlinearity=gelu) -> sse": "nonlinearity is one of tanh, relu",
}
# fmt: on


@pytest.mark.parametrize("text", REFUSED)
def test_shapes_that_do_not_fit_are_named(text: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse(text)
    assert REFUSED[text] in str(raised.value)
