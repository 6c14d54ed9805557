"""Counting a run: in any order the same record, and no entry lost."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from builders import Wrong, case_of, off_by

from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Gradients, Subject
from crosscheck.store.tally import PairTally, Tally
from crosscheck.subjects.builtin import Builtin

BOTH = Witnesses((TorchAutograd(),), differences=True)
TEXTS = (
    "x[3,4] -> dense(2) -> tanh -> sse",
    "x[2] -> dense(1, bias=false) -> relu -> mae",
    "x[2,3] -> h: sin -> add(x) -> softmax_cross_entropy",
)


def counted(*pairs: tuple[Case, Subject]) -> Tally:
    tally = Tally()
    for case, subject in pairs:
        tally.add(case, check(case, subject, BOTH))
    return tally


def record(tally: Tally) -> tuple[Any, ...]:
    ops = ("dense", "tanh", "sin", "relu", "add", "sse", "mae", "softmax_cross_entropy")
    return (
        tally.entries(),
        tally.resolutions(),
        tally.agreement(),
        tally.oracles(("torch", "differences")),
        tally.known_deviations(),
        tally.coverage(ops),
        sorted(tally.verdicts.items()),
    )


def test_the_order_in_which_cases_come_changes_nothing() -> None:
    families = ("normal", "integers", "saturating")
    cases = [
        case_of(t, family=f, dtype=d)
        for t, f, d in zip(TEXTS, families, ("float64", "float32", "float64"), strict=True)
    ]
    judged = [(c, check(c, Builtin(), BOTH)) for c in cases]
    records = []
    for order in itertools.permutations(judged):
        tally = Tally()
        for case, judgement in order:
            tally.add(case, judgement)
        records.append(record(tally))
    assert all(r == records[0] for r in records)


@pytest.mark.parametrize("text", TEXTS)
def test_every_entry_is_counted_once(text: str) -> None:
    case = case_of(text, family="integers", points=5)
    entries = counted((case, Builtin())).entries()
    every = sum(a.size for a in case.params.values()) + case.inputs["x"].size
    assert entries.compared + entries.not_compared == every
    parts = entries.informative + entries.uninformative + entries.undecidable + entries.disagreeing
    assert entries.compared == parts
    assert entries.undecidable_by_design == entries.undecidable, "integers aim at kinks"


def test_a_disagreement_is_no_informative_agreement() -> None:
    case = case_of()
    entries = counted((case, off_by("0.weight", 2.0))).entries()
    assert entries.disagreeing == case.params["0.weight"].size
    assert entries.informative == case.params["0.bias"].size + case.inputs["x"].size


def test_what_nobody_claimed_is_not_compared() -> None:
    def without(_case: Case, found: Gradients) -> Gradients:
        return Gradients(found.loss, found.by_param)

    case = case_of(points=2)
    tally = counted((case, Wrong(without)))
    assert tally.entries().not_compared == case.inputs["x"].size
    assert tally.unclaimed_names == {"an input": 1}


# Pairs.


def test_each_pair_of_parties_is_counted() -> None:
    agreement = {(a.a, a.b): a for a in counted((case_of(), Builtin())).agreement()}
    assert set(agreement) == {("subject", "torch"), ("subject", "differences"), ("torch", "differences")}
    total = sum(a.size for a in (*case_of().params.values(), *case_of().inputs.values()))
    assert {a.comparisons for a in agreement.values()} == {total}
    assert {a.disagreements for a in agreement.values()} == {0}
    assert all(0 <= float(a.worst_bounds) <= 1 for a in agreement.values())


def test_the_odd_one_out_shows_in_its_pairs_alone() -> None:
    wrong = counted((case_of(), off_by("0.weight", 2.0))).agreement()
    found = {(a.a, a.b): a.disagreements for a in wrong}
    size = case_of().params["0.weight"].size
    assert found == {("subject", "torch"): size, ("subject", "differences"): size, ("torch", "differences"): 0}


def pair(
    errors: list[float], bounds: list[float], values: list[float], informative: list[bool] | None = None
) -> PairTally:
    tally = PairTally()
    kept = np.array([True] * len(errors) if informative is None else informative)
    tally.add(np.array(errors), np.array(bounds), np.array(values), kept)
    return tally


def test_nan_is_the_worst_error_and_a_disagreement() -> None:
    tally = pair([math.nan, 1e-20], [1e-16, 1e-16], [1.0, 1.0])
    assert (tally.comparisons, tally.disagreements) == (2, 1)
    assert tally.worst_bounds == math.inf


def test_what_was_not_asked_or_not_informative_is_no_comparison() -> None:
    assert pair([1.0], [math.inf], [1.0]) == PairTally()
    assert pair([1.0], [1e-9], [1.0], [False]) == PairTally()


def test_the_worst_is_kept_over_all_that_is_added() -> None:
    tally = pair([3e-16], [1e-16], [1.0])
    tally.add(np.array([1e-16]), np.array([1e-16]), np.array([1.0]), np.array([True]))
    assert tally.worst_bounds == pytest.approx(3.0)
    assert tally.worst_ulps == pytest.approx(3e-16 / 2.0**-52)
    assert (tally.comparisons, tally.disagreements) == (2, 1)


def test_an_exact_zero_bound_is_held() -> None:
    assert pair([0.0], [0.0], [1.0]).worst_bounds == 0.0
    assert pair([1e-300], [0.0], [1.0]).worst_bounds == math.inf


@pytest.mark.parametrize(("dtype", "least"), [("float64", 2.0**-1074), ("float32", 2.0**-149)])
def test_an_ulp_is_no_less_than_the_smallest_number(dtype: str, least: float) -> None:
    """A tensor of subnormal numbers that is one step off is one ulp off."""
    tally = PairTally()
    tally.add(np.array([least]), np.array([2 * least]), np.array([5 * least]), np.array([True]), dtype)
    assert tally.worst_ulps == 1.0


def test_an_entry_that_is_lost_in_its_bound_has_no_ulps() -> None:
    assert pair([1e-17], [1e-16], [1e-18]).worst_ulps == 0.0


# Resolution.


def test_the_median_resolution_is_that_of_the_entries() -> None:
    case = case_of(points=8)
    judgement = check(case, Builtin(), BOTH)
    (found,) = counted((case, Builtin())).resolutions()
    exact = np.median(np.concatenate([t.resolution.reshape(-1) for t in judgement.tensors.values()]))
    assert found.dtype == "float64"
    assert found.median == pytest.approx(exact, rel=0.15), "a bin is a twentieth of a decade"
    assert found.p95 is not None
    assert found.median is not None
    assert found.p95 >= found.median
    assert sum(found.histogram.values()) == judgement.count(Status.AGREE) + judgement.count(Status.UNINFORMATIVE)


def test_each_dtype_has_its_own_resolution() -> None:
    both = counted((case_of(), Builtin()), (case_of(dtype="float32"), Builtin())).resolutions()
    single, double = both
    assert (single.dtype, double.dtype) == ("float32", "float64")
    assert single.median is not None
    assert double.median is not None
    assert single.median > 1e6 * double.median


# Coverage.


def test_a_role_counts_the_decided_comparisons_that_pass_through_it() -> None:
    case = case_of(points=2)
    coverage = counted((case, Builtin())).coverage(("dense", "tanh", "sin", "sse"))
    x, weight, bias = (case.inputs["x"].size, case.params["0.weight"].size, case.params["0.bias"].size)
    assert coverage.roles["dense"] == {"weight": weight, "bias": bias, "input": x}
    assert coverage.roles["tanh"] == {"input": x + weight + bias}
    assert coverage.roles["sse"] == {"input": x + weight + bias}
    assert coverage.never_compared == ("sin.input",)
    assert (coverage.families, coverage.dtypes, coverage.depths) == ({"normal": 1}, {"float64": 1}, {"2": 1})


def test_inputs_that_mean_different_things_are_counted_apart() -> None:
    case = case_of("x[2,3,2]; h0[2,2]; c0[2,2]; x -> lstm(h0, c0, 2) -> transpose -> matmul(x) -> sse", points=2)
    lstm, matmul = (counted((case, Builtin())).coverage(("lstm", "matmul")).roles[op] for op in ("lstm", "matmul"))
    x, h0, c0 = (case.inputs[name].size for name in ("x", "h0", "c0"))
    assert (lstm["input"], lstm["h0"], lstm["c0"]) == (x, h0, c0)
    assert matmul["right"] == x
    assert matmul["input"] == x + h0 + c0 + sum(p.size for p in case.params.values())


def test_a_state_that_was_never_given_is_never_compared() -> None:
    case = case_of("x[2,3,2]; h0[2,1]; x -> gru(h0, 1) -> sse", points=2)
    assert counted((case, Builtin())).coverage(("gru",)).never_compared == ()
    without = case_of("x[2,3,2] -> gru(1) -> sse", points=2)
    assert counted((without, Builtin())).coverage(("gru",)).never_compared == ("gru.h0",)


def test_an_op_that_was_met_and_never_decided_is_named() -> None:
    """sin stands before every parameter: without the gradient of x nothing of it was seen."""
    case = case_of("x[2,3] -> sin -> dense(1) -> sse")
    tally = counted((case, Wrong(lambda c, found: Gradients(found.loss, found.by_param))))
    assert tally.coverage(("sin", "dense", "sse")).never_compared == ("sin.input", "dense.input")
    assert tally.coverage(("sse",)).never_compared == ()


def test_gaps_of_a_witness_are_counted_by_op_and_reason() -> None:
    tally = counted((case_of(), Builtin()))
    tally.add_gap("torch", "mish", "not there")
    tally.add_gap("torch", "mish", "not there")
    torch, differences = tally.oracles(("torch", "differences"))
    assert (torch.answered, torch.gaps) == (1, (("mish", "not there", 2),))
    assert (differences.answered, differences.gaps) == (1, ())


def test_an_empty_tally_has_a_record_too() -> None:
    tally = Tally()
    assert tally.entries().compared == 0
    assert tally.resolutions() == tally.agreement() == ()
    assert tally.coverage(("tanh",)).never_compared == ("tanh.input",)


def test_kinks_are_counted_over_all_cases_and_those_never_met_too() -> None:
    cases = [case_of("x[2,3] -> dense(2) -> relu -> mae", family=f, points=8) for f in ("dyadic", "normal")]
    met = [check(case, Builtin(), BOTH).kinks for case in cases]
    (relu_exactly, _), (relu_normal, relu_near) = (kinks["relu", 0.0] for kinks in met)
    assert relu_exactly >= 4
    assert relu_normal == 0
    tally = counted(*((case, Builtin()) for case in cases), (case_of("x[3] -> hardtanh -> sse"), Builtin()))
    found = {(k.op, k.at): (k.exactly, k.near) for k in tally.coverage(("relu", "mae", "hardtanh", "sse")).kinks}
    assert found["relu", 0.0] == (relu_exactly, met[0]["relu", 0.0][1] + relu_near)
    assert found["mae", 0.0][0] == met[0]["mae", 0.0][0] >= 4
    assert found["hardtanh", -1.0] == found["hardtanh", 1.0] == (0, 0)
    assert list(found) == sorted(found)
