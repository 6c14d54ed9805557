"""The frameworks' error models widen the bound, and their known deviations explain what they are known for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.checking import Witnesses, check
from crosscheck.judge.compare import Status
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Verdict
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import SMALLEST, applicable, bound, deviating_bounds, deviations_met
from crosscheck.tolerance.frameworks import DERIVATIVE_ERROR, DEVIATIONS, VALUE_ERROR, KnownDeviation

WIDENED = sorted({name.removesuffix("_tanh") for name in DERIVATIVE_ERROR})
MODELS = pytest.mark.parametrize("model", ["torch", "jax"])


def elementwise(op: str, values: list[float], attributes: str = "") -> Case:
    """Each value through the activation, one point, a cotangent of 1."""
    case = case_of(f"x[{len(values)}] -> {op}{attributes} -> cotangent", points=1)
    return with_arrays(case, inputs={"x": np.array([values])}, targets=np.ones((1, len(values))))


@MODELS
@pytest.mark.parametrize("op", WIDENED)
def test_a_framework_may_err_more_than_a_right_formula(op: str, model: str) -> None:
    case = elementwise(op, np.linspace(-6.0, 6.0, 101).tolist())
    plain, wide = (bound(case, "float64", m, samples=64).gradients["x"] for m in (None, model))
    assert np.median(wide / plain) > 1.0
    # The constant is in units of u sup|g'|: at least half of it must have arrived, 16-fold and root mean square.
    constant = DERIVATIVE_ERROR[op]
    assert np.median(wide) > 16 * 2.0**-53 * constant.sup * getattr(constant, model) / np.sqrt(3) / 2


@MODELS
def test_an_op_without_constants_is_bounded_alike_for_everybody(model: str) -> None:
    named = set(DERIVATIVE_ERROR) | set(VALUE_ERROR)
    for op in sorted(set(OPS) - named):
        if OPS[op].kind == "activation":
            case = case_of(f"x[2,3] -> {op} -> sse")
            assert applicable(case, model) is None
            plain, wide = (bound(case, "float64", m).gradients["x"] for m in (None, model))
            floor = SMALLEST * (2.0**-1022 if model == "jax" else 2.0**-1074)
            np.testing.assert_allclose(wide, plain, rtol=0, atol=floor)


def test_jax_may_flush_subnormals_and_torch_may_not() -> None:
    case = case_of("x[2]; u[2]; u -> relu -> sse", points=1)
    floors = {m: bound(case, "float64", m).gradients["x"] / SMALLEST for m in (None, "torch", "jax")}
    assert {m: set(f.ravel().tolist()) for m, f in floors.items()} == {
        None: {2.0**-1074},
        "torch": {2.0**-1074},
        "jax": {2.0**-1022},
    }


def torch_slope(case: Case) -> np.ndarray:
    return TorchAutograd().references(case).gradients["x"][0]


INSIDE = {
    "hardsigmoid": [-2.9, -1.0, 0.0, 1.0, 2.9],
    "softplus": [20.001, 20.5, 21.0, 25.0],
}
OUTSIDE = {"hardsigmoid": [-3.5, 3.5, 40.0], "softplus": [-30.0, 0.0, 19.5]}


@pytest.mark.parametrize("op", INSIDE)
def test_what_torch_is_known_for_is_beyond_rounding_and_within_the_deviation(op: str) -> None:
    case = elementwise(op, INSIDE[op])
    met = deviations_met(case, ["torch"])
    assert [(known.op, points.tolist()) for known, points in met] == [(op, [True])]
    off = np.abs(torch_slope(case) - network.gradients(case)["x"][0])
    rounding = 2 * bound(case, "float64", "torch").gradients["x"][0]
    allowed = deviating_bounds(case, [k for k, _ in met])["torch"].gradients["x"][0]
    clear = np.array(INSIDE[op]) < 25.0  # beyond it softplus's deviation, exp(-z), is lost in the rounding
    assert (off > rounding)[clear].all()
    assert (off <= allowed).all()
    known = met[0][0].slope(np.array(INSIDE[op]), {})
    assert (allowed <= 20 * known + 10 * rounding).all(), "the deviation is allowed to be larger than it is"


@pytest.mark.parametrize("op", INSIDE)
def test_the_size_written_down_is_the_size_that_torch_has(op: str) -> None:
    case = elementwise(op, INSIDE[op])
    known = next(k for k in DEVIATIONS if k.witness == "torch" and k.op == op)
    off = np.abs(torch_slope(case) - network.gradients(case)["x"][0])
    expected = known.slope(np.array(INSIDE[op]), {})
    np.testing.assert_allclose(off, expected, rtol=2e-3, atol=1e-14)
    largest = max(float(number) for number in re.findall(r"\d\.\d+e-9", known.size))
    assert off.max() == pytest.approx(largest, rel=0.05)


def test_what_deviates_twice_adds_up_as_it_does_in_torch() -> None:
    """Above 20 torch's softplus is too small and its slope too large. With signs that cancel where torch's add
    up (under a sine they do so whenever sin g = cos g), the rest would be held against the subject.
    """
    case = case_of("x[99] -> softplus -> sin -> cotangent", points=1)
    case = with_arrays(case, inputs={"x": np.linspace(20.1, 30.0, 99)[np.newaxis]}, targets=np.ones((1, 99)))
    met = deviations_met(case, ["torch"])
    off = np.abs(torch_slope(case) - network.gradients(case)["x"][0])
    rounding = 2 * bound(case, "float64", "torch").gradients["x"][0]
    allowed = deviating_bounds(case, [k for k, _ in met])["torch"].gradients["x"][0]
    assert (off > rounding).any()
    assert (off <= allowed).all(), f"{(off / allowed).max():.2g} times what is allowed"


CELU = np.array([-6.0, -3.0, -1.0, -0.3, -1e-9, 0.0, 0.5])


def test_torch_divides_by_alpha_in_single_precision_in_the_derivative_of_celu() -> None:
    """g' is α i exp(z i) with i = 1 / float32(α): at α = 0.3 up to 3.6e-7 of g' off at z = -3."""
    case = elementwise("celu", CELU.tolist(), "(alpha=0.3)")
    ((known, points),) = deviations_met(case, ["torch", "jax"])
    assert (known.witness, known.op, points.tolist()) == ("torch", "celu", [True])
    own = network.gradients(case)["x"][0]
    off = np.abs(torch_slope(case) - own)
    expected = np.abs(known.slope(CELU, {"alpha": 0.3}))
    np.testing.assert_allclose(off, expected, rtol=1e-6, atol=1e-15)
    assert (off[CELU <= 0] / own[CELU <= 0]).max() == pytest.approx(7.55e-7, rel=0.01)
    assert (off <= deviating_bounds(case, [known])["torch"].gradients["x"][0]).all()
    judgement = check(case, Builtin(), Witnesses((TorchAutograd(),)))
    assert (judgement.verdict, judgement.odd_one_out) == (Verdict.ORACLE_DISAGREES, "torch")


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.75])
def test_an_alpha_that_is_a_float32_is_no_deviation_of_celu(alpha: float) -> None:
    case = elementwise("celu", CELU.tolist(), f"(alpha={alpha})")
    assert deviations_met(case, ["torch"]) == ()
    assert check(case, Builtin(), Witnesses((TorchAutograd(),))).verdict is Verdict.AGREES


@pytest.mark.parametrize(("x", "met"), [([[0.0, 0.0], [1.0, 0.0]], [True]), ([[0.0, 1.0], [1.0, 0.0]], [])])
def test_jax_is_known_for_a_norm_of_zeros_alone(x: list[list[float]], met: list[bool]) -> None:
    case = with_arrays(case_of("x[2,2] -> norm -> cotangent", points=1), inputs={"x": np.array([x])})
    assert [bool(points[0]) for _, points in deviations_met(case, ["jax"])] == met


def test_what_comes_through_the_norm_of_zeros_may_be_off_by_anything_in_jax_and_nothing_else_may() -> None:
    case = with_arrays(
        case_of("x[2,2] -> norm -> cotangent", points=1), inputs={"x": np.array([[[0.0, 0.0], [3.0, 4.0]]])}
    )
    with np.errstate(all="ignore"):
        found = deviating_bounds(case, [known for known, _ in deviations_met(case, ["jax"])])["jax"]
    assert np.isinf(found.gradients["x"][0, 0]).all()
    # On one side of the kink; across it the bound holds what the branches make of it too.
    assert (found.held["x"][0, 1] < 1e-12).all()


@pytest.mark.parametrize("op", OUTSIDE)
def test_outside_its_region_a_deviation_is_not_met(op: str) -> None:
    case = elementwise(op, OUTSIDE[op])
    assert deviations_met(case, ["torch"]) == ()
    off = np.abs(torch_slope(case) - network.gradients(case)["x"][0])
    assert (off <= 2 * bound(case, "float64", "torch").gradients["x"][0]).all()


def test_only_the_witnesses_asked_and_only_the_points_concerned() -> None:
    case = case_of("x[2] -> softplus -> tanh -> cotangent", points=3)
    case = with_arrays(case, inputs={"x": np.array([[1.0, 2.0], [30.0, 0.0], [0.0, 1.0]])})
    met = {(k.witness, k.op): points.tolist() for k, points in deviations_met(case, ["torch", "jax"])}
    assert met == {
        ("torch", "softplus"): [False, True, False],
        ("torch", "tanh"): [False, True, False],
        ("jax", "tanh"): [False, True, False],
    }
    assert {k.witness for k, _ in deviations_met(case, ["jax"])} == {"jax"}
    assert deviations_met(case, []) == ()


def test_a_deviation_is_met_in_its_own_dtypes_and_by_operations_like_it() -> None:
    """Witnesses compute in float64, whatever the case is in; a subject does not."""
    softplus = case_of("x[1] -> softplus -> cotangent", points=1)
    for dtype in ("float64", "float32", "float16"):
        case = with_arrays(softplus, inputs={"x": np.array([[30.0]])}).astype(dtype)
        assert [k.op for k, _ in deviations_met(case, ["torch"])] == ["softplus"]
        assert [k.op for k, _ in deviations_met(case, [], "torch")] == ["softplus"] * (dtype == "float64")
        assert deviations_met(case, [], None) == ()
    for attribute, dtype, met in (("tanh", "float16", 1), ("tanh", "float32", 0), ("none", "float16", 0)):
        gelu = case_of(f"x[1] -> gelu(approximate={attribute}) -> cotangent", points=1)
        case = with_arrays(gelu, inputs={"x": np.array([[-160.0]])}).astype(dtype)
        assert len(deviations_met(case, [], "jax")) == met
        assert deviations_met(case, ["jax"]) == ()


@pytest.mark.parametrize("op", INSIDE)
def test_a_case_in_the_region_is_held_against_torch_and_not_the_subject(op: str) -> None:
    judgement = check(elementwise(op, INSIDE[op]), Builtin(), Witnesses((TorchAutograd(),)))
    assert judgement.verdict is Verdict.ORACLE_DISAGREES
    assert judgement.odd_one_out == "torch"
    assert [d.op for d in judgement.deviations] == [op]
    assert judgement.tensors["x"].count(Status.DISAGREE) == 0


@pytest.mark.parametrize("known", DEVIATIONS, ids=lambda k: f"{k.witness} {k.op}")
def test_each_deviation_says_where_how_large_and_how_it_was_measured(known: KnownDeviation) -> None:
    assert known.op in OPS
    told = known.about
    assert (told.witness, told.op) == (known.witness, known.op)
    assert all((told.where, told.size, told.source))
    z = np.concatenate([np.linspace(-50.0, 50.0, 2001), [-200.0, 200.0]])
    assert known.region(z).any()
    assert not known.region(z).all()
    assert not known.slope(z, {})[~known.region(z) & (np.abs(z) != 3.0)].any(), "a deviation outside its own region"
