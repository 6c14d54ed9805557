"""The built-in in 16 bits: every rule in float32, its results rounded once, and 16-bit numbers between the rules."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, every_variant

from crosscheck.backprop import network
from crosscheck.backprop.rows import Activation
from crosscheck.spec import OPS, Case, parse
from crosscheck.spec.dtypes import HALF, dtype_named
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING
from crosscheck.subjects.builtin import Builtin, in_single
from crosscheck.tolerance.bounds import bound
from crosscheck.tolerance.formats import FORMATS
from crosscheck.tolerance.rounding import MULTIPLE

BOTH = pytest.mark.parametrize("dtype", HALF)
SMOOTH = ("sigmoid", "tanh", "softplus", "silu", "gelu", "gelu(tanh)", "mish", "elu", "selu", "softsign", "log_sigmoid")


@BOTH
@pytest.mark.parametrize("text", [text for op in OPS for text in every_variant(op)])
def test_every_rule_answers_in_the_dtype_of_the_case(text: str, dtype: str) -> None:
    found = Builtin().gradients(case_of(text, dtype=dtype))
    assert found.loss.dtype == dtype
    assert all(gradient.dtype == dtype for _, gradient in found.tensors())


@BOTH
def test_integer_inputs_take_part_as_numbers_of_the_dtype(dtype: str) -> None:
    case = case_of("x[3,2]; ids[3,2]:int64; m[3,2]:bool; x -> multiply(ids) -> add(m) -> dense(2) -> sse", dtype=dtype)
    found, exact = Builtin().gradients(case), network.gradients(case.astype("float64"))
    assert found.by_input["x"].dtype == dtype
    np.testing.assert_allclose(found.loss.astype(np.float64), exact.loss, rtol=32 * FORMATS[dtype].unit)


def every(dtype: str) -> np.ndarray:
    numbers = np.arange(2**16, dtype=np.uint16).view(dtype_named(dtype, "test"))
    with np.errstate(invalid="ignore"):  # some of them are signalling NaNs
        size = np.abs(numbers.astype(np.float64))
    return numbers[np.isfinite(size) & (size >= FORMATS[dtype].smallest_normal)]


@BOTH
@pytest.mark.parametrize("op", SMOOTH)
def test_a_derivative_is_rounded_once_over_the_whole_range(op: str, dtype: str) -> None:
    """g' within the unit roundoff of the true one, at every number that the format has."""
    z = every(dtype)
    ones = np.ones((1, len(z)), z.dtype)
    case = Case(parse(f"x[{len(z)}] -> {op} -> cotangent"), {}, {"x": z[np.newaxis]}, ones, dtype)
    found = Builtin().gradients(case).by_input["x"][0].astype(np.float64)
    true = network.gradients(case.astype("float64")).by_input["x"][0]
    shape = FORMATS[dtype]
    allowed = shape.unit * np.abs(true) * (1 + 2.0**-9) + (shape.smallest if shape.gradual else shape.smallest_normal)
    assert (np.abs(found - true) <= allowed).all()


@BOTH
def test_the_rules_are_those_of_the_table_that_was_handed_in(dtype: str) -> None:
    broken = {**network.ROWS, "tanh": Activation(np.tanh, lambda z, a, da: da * (1 - a))}
    case = case_of("x[2,3] -> tanh -> sse", dtype=dtype)
    found = Builtin(broken).gradients(case).by_input["x"].astype(np.float64)
    assert (np.abs(found - Builtin().gradients(case).by_input["x"].astype(np.float64)) > 0.01).any()
    assert set(in_single(broken, dtype)) == set(network.ROWS)


@BOTH
def test_it_stays_within_half_of_the_bound_on_random_networks(dtype: str) -> None:
    """Largest of error / σ over 1,500 networks: 3.3; accused beyond 16."""
    source = Source(cases(EVERYTHING, dtypes=(dtype,)), 11)
    worst, asked = 0.0, 0
    for index in range(60):
        case = source.case(index)
        assert case is not None
        found, allowed = Builtin().gradients(case), bound(case, dtype)
        exact = network.gradients(case.astype("float64"))
        for name, gradient in found.tensors():
            limit = allowed.gradients[name]
            known = np.isfinite(limit)
            error = np.abs(gradient.astype(np.float64)[known] - exact[name][known])
            worst, asked = max(worst, float((error / limit[known]).max(initial=0.0))), asked + error.size
    assert asked > 5_000
    assert 1.0 < worst * MULTIPLE < 8.0
