"""Dropout and embedding by hand: right by every witness; repeated ids add up; each wrong variant is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import normed
import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.backprop.rows import Layer
from crosscheck.backprop.selection import firsts, of_stretches
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import SpecError, Verdict
from crosscheck.subjects.builtin import Builtin

EVERYBODY = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
DROPOUT = "x[3,4]; kept[3,4]:bool; x -> dropout(kept, p=0.3) -> tanh -> cotangent"
EMBEDDING = "ids[2,5]:int64 -> embedding(3, 2) -> tanh -> cotangent"
PLAIN = "ids[2,5]:int64 -> embedding(3, 2) -> cotangent"


def test_random_networks_agree_with_every_witness() -> None:
    agreed, compared = 0, 0
    for case in normed.cases(("dropout", "embedding"), seed=5, count=60):
        found = check(case, Builtin(), EVERYBODY)
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{found.verdict} on {case.architecture}"
        agreed += found.verdict is Verdict.AGREES
        compared += found.count(Status.AGREE)
    assert agreed > 55
    assert compared > 1500


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("text", [DROPOUT, EMBEDDING])
def test_each_agrees_in_every_dtype(text: str, dtype: str) -> None:
    found = check(case_of(text, seed=3, dtype=dtype), Builtin(), EVERYBODY)
    assert found.verdict is Verdict.AGREES
    assert found.count(Status.AGREE) > 0


# --- embedding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ids", [[[0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], [[2, 0, 2, 1, 2], [1, 2, 0, 0, 2]], [[2, 2, 2, 2, 2], [0, 2, 2, 2, 0]]]
)
def test_repeated_ids_add_up_and_a_row_that_nobody_names_has_slope_zero(ids: list[list[int]]) -> None:
    case = with_arrays(case_of(PLAIN, points=1), inputs={"ids": np.array([ids])})
    wanted = np.zeros((3, 2))
    for row, c in zip(np.ravel(ids), case.targets.reshape(-1, 2), strict=True):
        wanted[row] += c
    assert np.array_equal(Builtin().gradients(case).by_param["0.weight"][0], wanted)
    assert check(case, Builtin(), EVERYBODY).verdict is Verdict.AGREES


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 64])
def test_stretches_are_summed_whatever_their_length(n: int) -> None:
    g = np.random.default_rng(n)
    named = np.sort(g.integers(0, 3, (4, n)), axis=-1)
    a = g.integers(-8, 9, (4, n, 2)).astype(float)
    sums = of_stretches(a, named)
    for point in range(4):
        for i in range(n):
            same = named[point] == named[point, i]
            assert np.array_equal(sums[point, i], a[point, i:][same[i:]].sum(axis=0))


def test_firsts_says_where_each_row_stands_first() -> None:
    assert firsts(np.array([[0, 0, 2, 2, 3], [1, 1, 1, 1, 1]]), 5).tolist() == [[0, 5, 2, 4, 5], [5, 0, 5, 5, 5]]


def test_many_equal_ids_cost_few_digits() -> None:
    """Added in pairs: 10,000 in float32 one after the other would lose three digits more."""
    d = np.full((1, 10_000, 1), 0.1, np.float32)
    total = of_stretches(d, np.zeros((1, 10_000), np.int64))[0, 0, 0]
    assert abs(float(total) - 10_000 * float(np.float32(0.1))) < 1000.0 * 2**-23


@pytest.mark.parametrize("wrong", [-1, 3, 10**9])
def test_an_id_out_of_range_is_refused(wrong: int) -> None:
    with pytest.raises(SpecError, match=f"input 'ids' holds {wrong}; it holds indices from 0 to 2"):
        with_arrays(case_of(PLAIN, points=1), inputs={"ids": np.full((1, 2, 5), wrong)})


# --- dropout ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [True, False])
def test_a_mask_that_keeps_everything_or_nothing(mask: bool) -> None:
    case = case_of(DROPOUT.replace("tanh -> ", ""))
    case = with_arrays(case, inputs={"kept": np.full((3, 3, 4), mask)})
    assert np.array_equal(Builtin().gradients(case).by_input["x"], case.targets / 0.7 * mask)


@pytest.mark.parametrize("mask", [True, False])
def test_p_of_one_leaves_nothing_whatever_the_mask(mask: bool) -> None:
    case = case_of("x[3,4]; kept[3,4]:bool; x -> dropout(kept, p=1.0) -> sse")
    case = with_arrays(case, inputs={"kept": np.full((3, 3, 4), mask)})
    for found in (Builtin().gradients(case), *(o.references(case).gradients for o in (TorchAutograd(), JaxGrad()))):
        assert not found.by_input["x"].any()
        assert np.allclose(found.loss, np.square(case.targets).sum(axis=(1, 2)))


def test_evaluation_keeps_everything() -> None:
    case = case_of("x[3,4] -> dropout(p=0.3, mode=evaluation) -> cotangent")
    assert np.array_equal(Builtin().gradients(case).by_input["x"], case.targets)
    assert check(case, Builtin(), EVERYBODY).verdict is Verdict.AGREES


# --- wrong ones are found ---------------------------------------------------------------------------------------


def kept_by(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    return (np.where(inputs[1], d, 0.0), None), {}


def everything_kept(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    return (d / (1.0 - site.attributes["p"]), None), {}


def others_kept(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    return (np.where(inputs[1], 0.0, d / (1.0 - site.attributes["p"])), None), {}


def scaled_by_p(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    return (np.where(inputs[1], d / site.attributes["p"], 0.0), None), {}


def last_one_wins(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    """dW[ids] = d, as of ids that are all different."""
    return (None,), {"weight": _assigned(site, d, inputs[0], add=False)}


def one_row_along(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    return (None,), {"weight": np.roll(_assigned(site, d, inputs[0], add=True), 1, axis=-2)}


def averaged(site: Any, d: Any, inputs: Any, _params: Any) -> Any:
    ids = inputs[0].reshape(len(inputs[0]), -1)
    counts = (ids[:, np.newaxis] == np.arange(site.attributes["num"])[:, np.newaxis]).sum(axis=-1)
    summed = _assigned(site, d, inputs[0], add=True)
    return (None,), {"weight": summed / np.maximum(counts, 1)[..., np.newaxis]}


def _assigned(site: Any, d: Any, ids: Any, *, add: bool) -> Any:
    found = np.zeros((len(d), site.attributes["num"], site.attributes["dim"]))
    for point, (rows, slopes) in enumerate(zip(ids, d, strict=True)):
        for row, slope in zip(rows.ravel(), slopes.reshape(-1, found.shape[-1]), strict=True):
            found[point, row] = found[point, row] + slope if add else slope
    return found


BUGS = [
    *(("dropout", DROPOUT, bug) for bug in (kept_by, everything_kept, others_kept, scaled_by_p)),
    *(("embedding", EMBEDDING, bug) for bug in (last_one_wins, one_row_along, averaged)),
]


@pytest.mark.parametrize(("op", "text", "bug"), BUGS)
def test_a_wrong_backward_is_found(op: str, text: str, bug: Any) -> None:
    sound = network.ROWS[op]
    assert isinstance(sound, Layer)
    subject = Builtin({**network.ROWS, op: replace(sound, backward=bug)})
    assert check(case_of(text, seed=1), subject, Witnesses((Ball(),))).verdict is Verdict.DISAGREES
