"""Value families keep their promises: exact kinks, readable numbers, targets that suit the loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builders import case_of

from crosscheck.backprop import network
from crosscheck.spec import parse
from crosscheck.spec.dtypes import HALF
from crosscheck.strategies.values import FAMILIES, IN_FLOAT16, MILD, family_in, make_case
from crosscheck.subjects.builtin import Builtin

NET = "x[3,4] -> dense(5) -> tanh -> dense(2) -> cotangent"


def numbers(family: str, **options: object) -> np.ndarray:
    case = case_of(NET, family=family, points=40, **options)  # type: ignore[arg-type]
    return np.concatenate([a.reshape(-1) for a in (*case.params.values(), *case.inputs.values())])


# fmt: off
PROMISES = {
    "dyadic":     lambda v: (v * 8 == np.round(v * 8)).all() and abs(v).max() == 2.0,
    "integers":   lambda v: set(np.unique(v)) == {-2.0, -1.0, 0.0, 1.0, 2.0},
    "ones":       lambda v: (v == 1.0).all(),
    "initialised": lambda v: 0.4 < v.std() < 0.9,
    "normal":     lambda v: 0.9 < v.std() < 1.1,
    "small":      lambda v: 0.09 < v.std() < 0.11,
    "large":      lambda v: 2.7 < v.std() < 3.3,
    "saturating": lambda v: abs(v).max() > 40,
    "tiny":       lambda v: abs(v).max() < 1e-3,
    "decades":    lambda v: abs(v).min() < 0.02 and abs(v).max() > 50 and 0.4 < (v < 0).mean() < 0.6,
    "shoulders":  lambda v: 30 < abs(v).max() <= 40 and 0.2 < (abs(v) >= 10).mean() < 0.8,
    "sparse":     lambda v: 0.05 < (v == 0).mean() < 0.5,
    "repeated":   lambda v: 0.9 < v.std() < 1.1,
}
# fmt: on


def test_every_family_has_a_promise() -> None:
    assert list(PROMISES) == list(FAMILIES)
    assert set(MILD) <= set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_keeps_its_promise(family: str) -> None:
    assert PROMISES[family](numbers(family))
    assert case_of(NET, family=family).aims_at_kinks == FAMILIES[family].kinks


@pytest.mark.parametrize("family", ["dyadic", "integers", "sparse"])
def test_a_family_that_aims_at_kinks_hits_them_exactly(family: str) -> None:
    case = case_of("x[3,4] -> dense(5, bias=false) -> relu -> sse", family=family, points=40)
    assert np.count_nonzero(case.inputs["x"] == 0.0) > 5
    if family == "integers":
        tape = network.forward(case.architecture, case.params, case.inputs, case.targets)
        assert np.count_nonzero(tape.value(0) == 0.0) > 5, "behind a layer too"


def test_repeated_rows_are_alike_and_points_are_not() -> None:
    x = case_of("x[2,3,4] -> sse", family="repeated", points=5).inputs["x"]
    assert (x == x[:, :1, :1, :]).all()
    assert len(np.unique(x[:, 0, 0, 0])) == 5


def test_a_case_is_a_function_of_its_arguments() -> None:
    assert case_of(NET, seed=3).key == case_of(NET, seed=3).key
    assert case_of(NET, seed=3).key != case_of(NET, seed=4).key
    assert case_of(NET, family="small").key != case_of(NET, family="normal").key


def test_float32_numbers_are_the_rounded_float64_ones() -> None:
    single, double = case_of(NET, dtype="float32"), case_of(NET)
    for key, array in double.params.items():
        assert single.params[key].dtype == np.float32
        assert (single.params[key] == array.astype(np.float32)).all()


def test_float16_numbers_are_drawn_on_its_own_scale() -> None:
    """Finite everywhere; in the families that go far, neither all lost in overflow nor in underflow."""
    for family in FAMILIES:
        case = case_of(NET, family=family, points=40, dtype="float16")
        loss = Builtin().gradients(case).loss.astype(np.float64)
        assert np.isfinite(loss).mean() > 0.9, family
        assert np.count_nonzero(loss) > 30, family
    assert set(IN_FLOAT16) <= set(FAMILIES)
    assert abs(numbers("saturating", dtype="float16")).max() > 16, "a sigmoid's slope is lost from 8 on"
    assert abs(numbers("tiny", dtype="float16")).max() < 0.1


def test_bfloat16_has_the_range_of_float32_and_its_draws() -> None:
    for family in FAMILIES:
        assert family_in(family, "bfloat16") is family_in(family, "float32") is FAMILIES[family]


@pytest.mark.parametrize("dtype", HALF)
def test_kinks_and_ties_are_hit_exactly_in_16_bits(dtype: str) -> None:
    for family in ("dyadic", "integers", "ones"):
        exact, rounded = case_of(NET, family=family), case_of(NET, family=family, dtype=dtype)
        assert all((rounded.params[k].astype(np.float64) == a).all() for k, a in exact.params.items())
        assert (rounded.targets.astype(np.float64) == exact.targets).all()


# Targets.


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cotangent_is_never_constant_and_never_zero(family: str) -> None:
    """Under a constant upstream a wrong softmax backward looks right (numerics §5)."""
    c = case_of("x[3,4] -> softmax -> cotangent", family=family, points=8).targets
    assert (c != 0).all()
    assert all(len(np.unique(point)) > 3 for point in c)


def test_targets_suit_their_loss() -> None:
    bce = case_of("x[3,4] -> bce_with_logits", points=30).targets
    assert set(np.unique(bce)) == {0.0, 0.25, 0.5, 0.75, 1.0}
    classes = case_of("x[3,4] -> softmax_cross_entropy", points=30).targets
    assert classes.dtype == np.int64
    assert set(np.unique(classes)) == {0, 1, 2, 3}
    shares = case_of("x[3,4] -> softmax_cross_entropy(probabilities)", points=30).targets
    assert np.allclose(shares.sum(axis=-1), 1.0, rtol=1e-15, atol=0)
    assert (shares >= 0).all()
    assert (shares == 0).any(), "a class without probability: 0 · log 0"


def test_binary_targets_are_zero_and_one_alone() -> None:
    targets = case_of("x[3,4] -> bce_with_logits", points=30, targets="binary").targets
    assert set(np.unique(targets)) == {0.0, 1.0}


def test_inputs_that_are_no_floats_are_drawn_as_what_they_are() -> None:
    case = case_of("x[3,2]; ids[3]:int64; mask[3]:bool; x -> sse", points=20)
    assert case.inputs["ids"].dtype == np.int64
    assert case.inputs["mask"].dtype == np.bool_
    assert len(np.unique(case.inputs["mask"])) == 2


def test_an_unknown_family_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        make_case(case_of(NET).architecture, family="gaussian", seed=0, points=1)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x[4,3] -> hinge", lambda y: np.isin(y, (-1.0, 1.0)).all()),
        ("x[4,3] -> poisson_nll", lambda y: (y >= 0).all() and (y == np.round(y)).all()),
        ("x[4,3] -> bce", lambda y: (y >= 0).all() and (y <= 1).all()),
        ("x[4,3] -> kl_div", lambda y: (y == 0).any() and np.allclose(y.sum(axis=-1), 1.0)),
        ("x[4,3] -> kl_div(log_target=true)", lambda y: np.allclose(np.exp(y).sum(axis=-1), 1.0)),
        ("x[4,3] -> nll(ignore_index=-1)", lambda y: (y == -1).any() and (y >= 0).any() and (y < 3).all()),
        ("x[4,3] -> nll", lambda y: (y >= 0).all()),
        ("x[4,3]; p[4,3]; n[4,3]; x -> triplet(p, n)", lambda y: y.shape == (9, 0)),
    ],
)
def test_targets_are_as_the_loss_wants_them(text: str, rule: Callable[[np.ndarray], bool]) -> None:
    assert rule(make_case(parse(text), family="normal", seed=0, points=9).targets)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_probabilities_lie_between_0_and_1_in_every_family(family: str, dtype: str) -> None:
    x = make_case(parse("x[5,5] -> bce"), family=family, seed=0, points=9, dtype=dtype).inputs["x"]
    assert ((x > 0) & (x < 1)).all()
