"""Attention by hand: right by every witness, and each wrong variant of it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sequences
from builders import case_of, with_arrays

from crosscheck.backprop import attention, network
from crosscheck.backprop.attention import Softmax, weights, weights_pulled_back
from crosscheck.backprop.rows import Keeping, Kept, Site
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import UNINFORMATIVE, Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import SpecError, Verdict, parse
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.formats import FORMATS
from crosscheck.tolerance.rounding import MULTIPLE

ROWS = network.ROWS
MHA = "multi_head_attention"
Found = tuple[tuple[Any, ...], dict[str, Any]]
Change = Callable[[Found], Found]

PLAIN = "x[2,3,2]; k[2,3,2]; v[2,3,3]; x -> attention(k, v, scale=0.7) -> cotangent"
GIVEN = "x[2,3,2]; k[2,4,2]; v[2,4,3]; m[2,3,4]:bool; x -> attention(k, v, m, mask=given) -> cotangent"
PADDED = "x[2,2,3,2]; k[2,2,4,2]; v[2,2,4,3]; m[2,4]:bool; x -> attention(k, v, m, mask=padding) -> cotangent"
CAUSAL = "x[2,4]; k[3,4]; v[3,1]; x -> attention(k, v, mask=causal) -> cotangent"
ITSELF = "x[2,3,4] -> multi_head_attention(heads=2) -> cotangent"
CROSS = (
    "x[2,3,4]; c[2,2,4]; m[2,2]:bool; x -> multi_head_attention(c, m, heads=2, mask=padding, cross=true) -> cotangent"
)


@pytest.mark.thorough
def test_random_networks_agree_with_every_witness() -> None:
    """Scores of thousands in float32 are known to 1e-3, and so is a p that is made of them anew: nothing is said there.

    Of one network in a hundred, where all it has is that attention.
    """
    compared, undecided = 0, []
    for case in sequences.cases(sequences.ATTENTION, seed=5, count=120):
        found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd())))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{found.verdict} on {case.architecture}"
        compared += found.count(Status.AGREE)
        undecided += [case] if found.verdict is Verdict.UNDECIDABLE else []
    assert compared > 5000
    assert len(undecided) <= 1
    for case in undecided:
        q, k = (case.inputs[name].astype(np.float64) for name in ("x", "k"))
        scores = np.matmul(q, k.swapaxes(-1, -2)) / np.sqrt(q.shape[-1])
        assert MULTIPLE * FORMATS[case.dtype].roundoff * abs(scores).max() > UNINFORMATIVE


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", [PLAIN, GIVEN, PADDED, CAUSAL, ITSELF, CROSS])
def test_each_agrees_with_jax_too(text: str, dtype: str) -> None:
    found = check(case_of(text, seed=3, dtype=dtype), Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert found.verdict is Verdict.AGREES
    assert set(found.references) == {"ball", "torch", "jax", "differences"}
    assert found.count(Status.AGREE) > 0.9 * sum(t.status.size for t in found.tensors.values())


@pytest.mark.parametrize("text", [ITSELF, CROSS, GIVEN])
def test_it_has_a_16_bit_form(text: str) -> None:
    found = check(case_of(text, family="small", dtype="float16"), Builtin(), Witnesses((Ball(),)))
    assert found.verdict is Verdict.AGREES
    assert found.count(Status.AGREE) > 0


@pytest.mark.parametrize("text", [GIVEN, CROSS])
def test_who_sees_nothing_has_no_output_and_gives_no_gradient(text: str) -> None:
    """As PyTorch's scaled_dot_product_attention has it; Flax would take the mean of all values."""
    case = case_of(text, points=2)
    mask = np.array(case.inputs["m"])
    mask[:, 0] = False
    case = with_arrays(case, inputs={"m": mask})
    found = check(case, Builtin(), Witnesses((Ball(), TorchAutograd(), JaxGrad())))
    assert found.verdict is Verdict.AGREES
    assert found.claimed is not None
    outputs = found.claimed.outputs
    assert outputs is not None
    if "0.bias_o" in case.params:  # all keys of the first sample are padding: the bias of the output is left
        assert (outputs[:, 0] == case.params["0.bias_o"][:, np.newaxis]).all()
        assert not found.claimed.by_input["x"][:, 0].any()
        assert not found.claimed.by_input["c"][:, 0].any()
    else:
        own = np.flatnonzero(~mask[0].any(axis=-1).ravel())
        assert own.size
        assert not outputs[0].reshape(-1, 3)[own].any()
        assert not found.claimed.by_input["x"][0].reshape(-1, 2)[own].any()


def test_what_is_hidden_may_be_anything() -> None:
    """A score that overflows where nobody looks is none of the output's business."""
    case = case_of(GIVEN, points=1)
    mask, keys = np.array(case.inputs["m"]), np.array(case.inputs["k"])
    mask[..., 0], mask[..., 1] = False, True
    keys[:, :, 0] = 1e300
    case = with_arrays(case, inputs={"m": mask, "k": keys, "x": 1e10 * case.inputs["x"]})
    claimed = Builtin().gradients(case)
    assert all(np.isfinite(values).all() for _, values in claimed.tensors())


def test_where_one_key_has_it_all_the_slopes_keep_their_digits() -> None:
    """p is 1 to the last digit; p (dp - m) by the textbook would be rounding noise, or 0."""
    p = np.array([[1.0, 1e-40]])
    dp = np.array([[3.0, 1.0]])
    ds = weights_pulled_back(p, dp, dp, dp)
    np.testing.assert_allclose(ds, [[2e-40, -2e-40]], rtol=1e-15)


def _less(mean: Callable[[Any, Any], Any]) -> Softmax:
    """With this for the mean of dp."""
    return Softmax(weights, lambda p, dp, _d, _out: p * (dp - mean(p, dp)))


SOFTMAXES = {
    "no mean is taken off": (PLAIN, _less(lambda p, dp: 0.0)),
    "the mean is not by p": (PLAIN, _less(lambda p, dp: dp.mean(axis=-1, keepdims=True))),
    "by the other axis": (PLAIN, _less(lambda p, dp: (p * dp).sum(axis=-2, keepdims=True))),
    "in heads, no mean": (ITSELF, _less(lambda p, dp: 0.0)),
    "the diagonal alone": (CROSS, _less(lambda p, dp: p * dp)),
    "no p in front": (PLAIN, Softmax(weights, lambda p, dp, _d, _out: dp - (p * dp).sum(axis=-1, keepdims=True))),
}


@pytest.mark.parametrize("name", SOFTMAXES)
def test_a_wrong_slope_of_the_softmax_is_found(name: str) -> None:
    text, softmax = SOFTMAXES[name]
    assert check_of(text, {**ROWS, **attention.rows(softmax)}) is Verdict.DISAGREES


def check_of(text: str, rows: Any) -> Verdict:
    return check(case_of(text, seed=4), Builtin(rows), Witnesses((Ball(),), differences=False)).verdict


def changed(op: str, change: Change) -> dict[str, Any]:
    """The table with what the rule of this op gives changed."""
    sound = ROWS[op]
    assert isinstance(sound, Keeping)

    def backward(site: Site, d: Any, kept: Kept, inputs: tuple[Any, ...], params: Any) -> Found:
        return change(sound.backward(site, d, kept, inputs, params))

    return {**ROWS, op: replace(sound, backward=backward)}


def of_input(number: int, change: Callable[[Any], Any]) -> Change:
    return lambda found: (
        tuple(change(d) if i == number else d for i, d in enumerate(found[0])),
        found[1],
    )


def parameter(role: str, change: Callable[[Any], Any]) -> Change:
    return lambda found: (found[0], {**found[1], role: change(found[1][role])})


# fmt: off
WRONG = {
    "dq without the scale":      (PLAIN, "attention", of_input(0, lambda d: d / 0.7)),
    "dk without the scale":      (PLAIN, "attention", of_input(1, lambda d: d / 0.7)),
    "dk of the other key":       (PLAIN, "attention", of_input(1, lambda d: d[..., ::-1, :])),
    "dv is left out":            (GIVEN, "attention", of_input(2, lambda d: 0.0 * d)),
    "x has a third of its sum":  (ITSELF, MHA, of_input(0, lambda d: d / 3.0)),
    "the context has nothing":   (CROSS, MHA, of_input(1, lambda d: 0.0 * d)),
    "the heads swap places":     (ITSELF, MHA, parameter("weight_v", lambda d: np.roll(d, 2, axis=-2))),
    "a weight is transposed":    (ITSELF, MHA, parameter("weight_o", lambda d: d.swapaxes(-1, -2))),
    "a bias is not summed":      (CROSS, MHA, parameter("bias_v", lambda d: d / 2.0)),
    "a bias of k that is one":   (CROSS, MHA, parameter("bias_k", lambda d: d + 1.0)),
    "a weight of q is left out": (CROSS, MHA, parameter("weight_q", lambda d: 0.0 * d)),
}
# fmt: on


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variant_is_found(name: str) -> None:
    text, op, change = WRONG[name]
    assert check_of(text, ROWS) is Verdict.AGREES
    assert check_of(text, changed(op, change)) is Verdict.DISAGREES


def test_a_mask_that_is_not_heeded_is_found() -> None:
    rows = {**ROWS, **attention.rows(Softmax(lambda s, seen: weights(s, None), weights_pulled_back))}
    for text in (GIVEN, PADDED, CAUSAL, CROSS):
        assert check_of(text, rows) in (Verdict.DISAGREES, Verdict.FORWARD_DISAGREES)


# fmt: off
REFUSED = {
    "x[2,3]; k[2,3]; v[4,3]; x -> attention(k, v) -> sse":
        "attention needs q (…, Tq, d), k (…, Tk, d) and v (…, Tk, e), not (2, 3), (2, 3) and (4, 3)",
    "x[2,3]; k[2,3]; v[2,3]; x -> attention(k, v, mask=padding) -> sse":
        "attention(mask=padding) takes queries, keys and values and a mask: 4 inputs, not 3",
    "x[2,3]; k[2,3]; v[2,3]; m[2,2]:bool; x -> attention(k, v, m, mask=padding) -> sse":
        "attention(mask=padding) needs samples on a first axis, but its scores have shape (2, 2)",
    "x[1,2,3]; k[1,2,3]; v[1,2,3]; m[2,2]:bool; x -> attention(k, v, m, mask=given) -> sse":
        "attention(mask=given) needs a mask (…, Tq, Tk) = (1, 2, 2), not (2, 2)",
    "x[2,3,5] -> multi_head_attention(heads=2) -> sse":
        "multi_head_attention(heads=2) needs an input (N, T, E) with an E that its heads divide, not (2, 3, 5)",
    "x[2,3,4]; c[3,3,4]; x -> multi_head_attention(c, cross=true) -> sse":
        "multi_head_attention needs x (N, T, E) and a context (N, S, E), not (2, 3, 4) and (3, 3, 4)",
    "x[2,3,4]; m[2,3,3]; x -> multi_head_attention(m, mask=given) -> sse":
        "takes bool, but input m is float; declare it as m[2,3,3]:bool",
}
# fmt: on


@pytest.mark.parametrize("text", REFUSED)
def test_shapes_that_do_not_fit_are_named(text: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse(text)
    assert REFUSED[text] in str(raised.value)
