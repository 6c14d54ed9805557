"""The bounds of norms on inputs with a large mean: right formulas are within them, what loses digits is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck.backprop import network
from crosscheck.backprop.normalisation import TWO_PASSES, Formulas, Groups, by_channel, by_group, by_last_axes, norm
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Subject, Verdict
from crosscheck.subjects import frameworks
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance import normalisation
from crosscheck.tolerance.bounds import bound
from crosscheck.tolerance.rows import ROWS

TEXTS = {
    "batch_norm": "x[5,3,2] -> batch_norm -> tanh -> cotangent",
    "layer_norm": "x[5,6] -> layer_norm -> tanh -> cotangent",
    "group_norm": "x[3,4,3] -> group_norm(2) -> tanh -> cotangent",
}
BY = {"batch_norm": by_channel, "layer_norm": by_last_axes, "group_norm": by_group}


def around(middle: float, text: str, dtype: str = "float64", points: int = 8) -> Case:
    case = case_of(text, seed=3, points=points, dtype=dtype)
    return with_arrays(case, inputs={"x": case.inputs["x"] + case.inputs["x"].dtype.type(middle)})


def mean(a: Any, groups: Groups) -> Any:
    return a.mean(axis=groups.axes, keepdims=True)


def sigma(a: Any, groups: Groups, eps: float) -> Any:
    return np.sqrt(mean(np.square(a - mean(a, groups)), groups) + a.dtype.type(eps))


def x_of(a: Any, groups: Groups, eps: float) -> Any:
    return (a - mean(a, groups)) / sigma(a, groups, eps)


def short(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    x = x_of(a, groups, eps)
    return (g - mean(g, groups) - x * mean(g * x, groups)) / sigma(a, groups, eps)


def three_terms(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    """Ioffe and Szegedy 2015, section 3."""
    d, s = a - mean(a, groups), sigma(a, groups, eps)
    dv = mean(g * d, groups) * -0.5 / s**3
    return g / s - mean(g / s, groups) + dv * 2.0 * (d - mean(d, groups))


def as_written(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    """∂C/∂v as in the paper, and no path through v from the mean, which is 0: g/σ + 2 d ∂C/∂v /n - mean of g/σ."""
    d, s = a - mean(a, groups), sigma(a, groups, eps)
    dv = mean(g * d * a.dtype.type(-0.5) * (s * s) ** a.dtype.type(-1.5), groups)
    return g / s + a.dtype.type(2.0) * d * dv - mean(g / s, groups)


def mean_of_all(g: Any, a: Any, groups: Groups, eps: float) -> Any:
    """As autograd has it: ∂C/∂d, and then its mean taken out."""
    d, s = a - mean(a, groups), sigma(a, groups, eps)
    dd = g / s - d * (mean(g * d, groups) / s**3)
    return dd - mean(dd, groups)


def by_squares(a: Any, groups: Groups, eps: float) -> Any:
    """With E[a²] - E[a]² for the variance."""
    variance = np.maximum(mean(a * a, groups) - mean(a, groups) ** 2, 0.0)
    return (a - mean(a, groups)) / np.sqrt(variance + eps)


RIGHT = {"short": short, "three terms": three_terms, "as written": as_written, "mean of all": mean_of_all}


def written(op: str, formulas: Formulas) -> Builtin:
    return Builtin({**network.ROWS, op: norm(BY[op], formulas)})


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("middle", [0.0, 30.0, 1e4])
@pytest.mark.parametrize("op", TEXTS)
def test_right_formulas_are_not_accused(op: str, middle: float, dtype: str) -> None:
    case = around(middle, TEXTS[op], dtype)
    subjects: tuple[Subject, ...] = (
        *(written(op, Formulas(x_of, da, x_of)) for da in RIGHT.values()),
        frameworks.torch(),
        frameworks.jax(),
        Builtin(),
    )
    for subject in subjects:
        found = check(case, subject, Witnesses((Ball(),)))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{subject.name}, {op}, {dtype}"
    if middle == 0.0 or dtype == "float64":
        assert check(case, Builtin(), Witnesses((Ball(),))).verdict is Verdict.AGREES


# A norm takes out what is common to a group: of equal upstream gradients only what is rounded singly is left.
TWICE = {
    "batch_norm": "x[5,2] -> batch_norm -> batch_norm -> cotangent",
    "layer_norm": "x[3,5] -> layer_norm(affine=false) -> layer_norm(affine=false) -> cotangent",
    "group_norm": "x[3,4,3] -> group_norm(2, affine=false) -> group_norm(2, affine=false) -> cotangent",
}


def behind_equal_gradients(op: str, middle: float, dtype: str) -> Case:
    case = around(middle, TWICE[op], dtype)
    return with_arrays(case, targets=np.ones_like(case.targets))


def error_over(case: Case, subject: Subject, bounds: Any) -> float:
    """The largest ratio of error to bound in ∂C/∂x, the truth being certified."""
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients.by_input["x"]
    error = np.abs(subject.gradients(case).by_input["x"] - truth)
    return float((error / bounds.gradients.by_input["x"]).max())


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("middle", [1.0, 25.0, 100.0, 1000.0])
@pytest.mark.parametrize("op", TWICE)
def test_no_right_formula_is_accused_behind_equal_gradients(op: str, middle: float, dtype: str) -> None:
    case = behind_equal_gradients(op, middle, dtype)
    for name, da in RIGHT.items():
        part = error_over(case, written(op, Formulas(x_of, da, x_of)), bound(case, dtype))
        assert part < 0.5, f"{name}, {op} around {middle}, {dtype}: {part:.2f} of the bound"
    for subject in (frameworks.torch(), frameworks.jax()):
        found = check(case, subject, Witnesses((Ball(),)))
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), f"{subject.name}, {op}, {dtype}"


def test_the_order_in_which_the_mean_is_taken_out_counts() -> None:
    """By the short form the paper's formula would be accused, by a thousand bounds and more."""
    case = behind_equal_gradients("batch_norm", 25.0, "float64")
    shorter = norm(by_channel, replace(normalisation.PLAIN, da=normalisation.short_form))
    bounds = bound(case, "float64", rows={**ROWS[None], "batch_norm": shorter})
    assert error_over(case, written("batch_norm", Formulas(x_of, as_written, x_of)), bounds) > 1000.0
    assert error_over(case, written("batch_norm", Formulas(x_of, short, x_of)), bounds) < 0.5


@pytest.mark.parametrize("op", TEXTS)
def test_on_everyday_numbers_a_relative_error_of_1e_12_is_found(op: str) -> None:
    case = around(1.0, TEXTS[op])
    off = replace(TWO_PASSES, da=lambda *given: TWO_PASSES.da(*given) * (1.0 + 1e-12))
    assert check(case, written(op, off), Witnesses((Ball(),))).verdict is Verdict.DISAGREES
    bounds = bound(case, "float64")
    resolved = bounds.gradients.by_input["x"] / np.abs(bounds.centre.by_input["x"])
    assert np.median(resolved) < 1e-13


@pytest.mark.parametrize("op", TEXTS)
def test_a_variance_of_squares_is_told_what_it_loses(op: str) -> None:
    case = around(1e4, TEXTS[op])
    subject = written(op, replace(TWO_PASSES, x=by_squares))
    assert check(case, subject, Witnesses((Ball(),))).verdict is not Verdict.AGREES


# fmt: off
LOSING = [
    ("x[5,2,5] -> layer_norm -> dense(2) -> cotangent",      "sparse",     33, 1e3),
    ("x[3,2,3,3] -> group_norm(1) -> dense(2) -> cotangent", "saturating", 23, 1e5),
]
# fmt: on


@pytest.mark.parametrize(("text", "family", "seed", "middle"), LOSING)
def test_the_model_of_pytorch_is_needed(text: str, family: str, seed: int, middle: float) -> None:
    """Its backward is made of sums of g a and of g: by the textbook's σ it would be accused."""
    case = case_of(text, family=family, seed=seed, points=8)
    case = with_arrays(case, inputs={"x": case.inputs["x"] + middle})
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients.by_input["x"]
    error = np.abs(frameworks.torch().gradients(case).by_input["x"] - truth)
    assert (error > bound(case, "float64").gradients.by_input["x"]).any()
    assert (error <= bound(case, "float64", "torch").gradients.by_input["x"] / 2.0).all()


def test_pytorchs_weights_of_a_group_norm_are_a_difference_of_sums() -> None:
    """Of equal numbers with opposite gradients each rounding of g a is left over, where that of x would cancel."""
    case = case_of("x[1,1,2] -> group_norm(1) -> cotangent", dtype="float32", points=8)
    equal = np.repeat(case.inputs["x"][..., :1], 2, axis=-1)
    opposite = np.stack([case.targets[..., 0], -case.targets[..., 0] * np.float32(1.0 + 2.0**-20)], axis=-1)
    case = with_arrays(case, inputs={"x": equal}, targets=opposite)
    truth = Ball().certify(case, points=range(case.n_points)).reference.gradients.by_param["0.weight"]
    error = np.abs(frameworks.torch().gradients(case).by_param["0.weight"] - truth)
    by_x = {**ROWS["torch"], "group_norm": norm(by_group, normalisation.BY_SUMS)}
    assert (error > bound(case, "float32", "torch", rows=by_x).gradients.by_param["0.weight"]).any()
    assert (error <= bound(case, "float32", "torch").gradients.by_param["0.weight"] / 2.0).all()


def test_the_bound_grows_with_the_mean_as_its_digits_are_lost() -> None:
    sizes = [
        np.median(bound(around(m, TEXTS["layer_norm"]), "float64").gradients.by_input["x"]) for m in (0.0, 1e3, 1e6)
    ]
    assert 100.0 < sizes[1] / sizes[0] < 1e5
    assert 300.0 < sizes[2] / sizes[1] < 3000.0
