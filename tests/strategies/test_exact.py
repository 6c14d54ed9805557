"""What is called known of a network's values is what everybody computes, to the last bit; the rest is NaN."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from builders import case_of

from crosscheck.backprop import network
from crosscheck.spec.dtypes import DTYPES
from crosscheck.strategies.exact import BITS, known, lowest_bit, summed

AIMING = ("dyadic", "integers", "ones", "sparse")
TEXTS = (
    "x[3,5] -> dense(5) -> relu -> dense(3) -> hardtanh -> sse",
    "x[2,3] -> h: dense(3, bias=false) -> tanh -> add(h) -> multiply(x) -> concat(h, x) -> dense(2) -> sse",
    "x[5,2] -> dense(3) -> leaky_relu -> concat(x, axis=-1) -> identity -> dense(1) -> hardsigmoid -> sse",
    "x[2,3,4] -> transpose -> slice(axis=-2, step=2) -> flatten -> dense(4) -> sigmoid -> sse",
    "x[2,2,6] -> conv1d(2, 3) -> hardtanh -> avg_pool1d -> sse",
    "x[2,2,4,4] -> conv_transpose2d(4, 2, groups=2) -> batch_norm -> max_pool2d -> global_avg_pool -> sse",
    "x[2,4] -> layer_norm -> prelu -> reshape(shape=4x2) -> sse",
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", TEXTS)
def test_what_is_known_is_what_is_computed(text: str, dtype: str) -> None:
    somewhere = 0
    for family in AIMING:
        case = case_of(text, family=family, points=6, dtype=dtype)
        params = {k: a.astype(np.float64) for k, a in case.params.items()}
        inputs = {k: a.astype(np.float64) for k, a in case.inputs.items()}
        # Not every rule takes NumPy's bfloat16; whoever computes in it goes by way of float32.
        asked = case.astype("float32") if dtype == "bfloat16" else case
        with np.errstate(all="ignore"):
            tape = network.forward(asked.architecture, asked.params, asked.inputs, asked.targets)
        for found, computed in zip(known(case.architecture, params, inputs, dtype), tape.outputs, strict=True):
            assert found.shape == computed.shape
            certain = ~np.isnan(found)
            np.testing.assert_array_equal(found[certain], computed.astype(np.float64)[certain])
            somewhere += int(certain.sum())
    assert somewhere, "not all is NaN"


def test_layers_of_short_numbers_are_known_throughout() -> None:
    case = case_of("x[3,5] -> dense(5) -> relu -> dense(3) -> sse", family="integers", points=4)
    assert all(np.isfinite(found).all() for found in known(case.architecture, case.params, case.inputs, "float64"))


def test_a_layer_without_weights_is_its_bias() -> None:
    case = case_of("x[2,2,6] -> conv1d(3, 3) -> sse", family="normal", points=2)
    weight, bias = np.array(case.params["0.weight"]), case.params["0.bias"]
    weight[0, 1] = 0.0
    (found,) = known(case.architecture, {"0.weight": weight, "0.bias": bias}, dict(case.inputs), "float64")
    assert (found[0, :, 1] == bias[0, 1]).all()
    assert np.isnan(found[0, :, 0]).all()
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sum_that_needs_more_bits_is_not_known(dtype: str) -> None:
    """1 + 2⁻ᵖ needs one bit more than the significand's p; of 1 + 2²⁻ᵖ one is left over."""
    p = BITS[dtype]
    assert np.isnan(summed(np.array([[1.0, 2.0**-p]]), p)).all()
    assert summed(np.array([[1.0, 2.0 ** (2 - p)]]), p) == 1.0 + 2.0 ** (2 - p)
    assert np.isnan(summed(np.array([[1.0, np.nan]]), p)).all()


def test_a_sum_that_cancels_is_known_only_if_every_order_of_it_is_exact() -> None:
    large = 2.0**60
    assert np.isnan(summed(np.array([[large, 1.0, -large]]), 53)).all()
    assert summed(np.array([[4.0, 1.0, -4.0]]), 53) == 1.0


def test_the_lowest_bit_of_a_number() -> None:
    numbers = np.array([1.0, 3.0, 0.375, -6.0, 1e300, 0.1, 5e-324])
    for value, bit in zip(numbers, lowest_bit(numbers), strict=True):
        quotient = Fraction(float(value)) / Fraction(float(bit))
        assert quotient.denominator == 1
        assert quotient.numerator % 2 == 1
    assert np.isinf(lowest_bit(np.array([0.0]))).all()
    assert np.isnan(lowest_bit(np.array([np.nan]))).all()
