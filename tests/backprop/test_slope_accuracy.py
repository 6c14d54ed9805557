"""The derivatives against ball arithmetic: a few ulps of the larger of their terms, up to the ends of the range."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from backprop.slope_table import TRUTH
from builders import every_variant

from crosscheck.backprop import activations, network
from crosscheck.backprop import textbook as tb
from crosscheck.spec import parse
from crosscheck.spec.activations import ACTIVATIONS

Floats = np.ndarray[Any, np.dtype[Any]]

# 6 ulps (numerics §3), and more where it is said why.
ULPS = {
    "gelu": 10.0,  # the Mills ratio is SciPy's erfcx, which alone is off by 8.4 u
    "gelu_tanh": 8.0,  # below zero exp(-2u) is the square of a rounded exponential, so that it underflows late
}
KEYWORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu": ("gelu", {"approximate": "none"}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "elu": ("elu", {"alpha": 1.0}),
}
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def own_slope(name: str, z: Floats) -> Floats:
    op, keywords = KEYWORDS.get(name, (name, {}))
    row = activations.ROWS[op]
    with np.errstate(all="ignore"):
        return np.asarray(row.dz(z, row.f(z, **keywords), np.ones_like(z), **keywords))


def textbook_slope(name: str, z: Floats) -> Floats:
    op, keywords = KEYWORDS.get(name, (name, {}))
    return np.array([tb.ROWS[op].slope(float(v), keywords) for v in z])


def assert_within(ulps: float, name: str, dtype: str, slope: Callable[[str, Floats], Floats]) -> None:
    """Half an ulp more is allowed for the table's own rounding. Points outside the dtype are left out."""
    points = [p for p in TRUTH[name] if dtype == "float64" or (abs(p[0]) < 1e38 and float(np.float32(p[0])) == p[0])]
    assert len(points) >= 20
    z = np.array([p[0] for p in points]).astype(dtype)
    true = np.array([p[1] for p in points])
    ulp = np.spacing(np.abs(np.array([p[-1] for p in points])).astype(dtype)).astype(np.float64)
    found = slope(name, z)
    assert found.dtype == dtype
    off = np.abs(found.astype(np.float64) - true) / ulp
    assert (off <= ulps + 0.5).all(), f"{name}' is {off.max():.1f} ulps off at z = {z[off.argmax()]!r}"


@DTYPES
@pytest.mark.parametrize("name", TRUTH)
def test_slope_is_within_a_few_ulps_of_the_larger_of_its_terms(name: str, dtype: str) -> None:
    assert_within(ULPS.get(name, 6.0), name, dtype, own_slope)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu_tanh", "mish", "silu"])
def test_the_textbook_formula_does_not_reach_that(name: str) -> None:
    with pytest.raises(AssertionError, match="ulps off"):
        assert_within(ULPS.get(name, 6.0), name, "float64", textbook_slope)


def test_every_curved_activation_is_in_the_table() -> None:
    straight = {"identity", "relu", "leaky_relu", "hardtanh", "hardsigmoid"}
    vectors = {"softmax", "log_softmax"}
    named = {KEYWORDS.get(name, (name, {}))[0] for name in TRUTH}
    assert named == {op.name for op in ACTIVATIONS} - straight - vectors


VARIANTS = [v for op in ACTIVATIONS if op.name not in ("softmax", "log_softmax") for v in every_variant(op.name)]
# g' far to the left and far to the right; sin has none.
LIMITS = {
    "identity": (1.0, 1.0),
    "sigmoid": (0.0, 0.0),
    "tanh": (0.0, 0.0),
    "softsign": (0.0, 0.0),
    "hardtanh": (0.0, 0.0),
    "hardsigmoid": (0.0, 0.0),
    "log_sigmoid": (1.0, 0.0),
    "selu": (0.0, activations.SELU_SCALE),
}


def slope_of(text: str) -> tuple[str, dict[str, Any], Callable[[Floats], Floats]]:
    node = parse(text).nodes[0]
    row = network.ROWS[node.op]
    keywords = dict(node.attributes)
    return node.op, keywords, lambda z: partial(row.dz, **keywords)(z, row.f(z, **keywords), np.ones_like(z))


@DTYPES
@pytest.mark.parametrize("text", VARIANTS)
def test_slope_has_its_limits_at_the_ends_of_the_range(text: str, dtype: str) -> None:
    op, keywords, slope = slope_of(text)
    far = np.array([1e30, 1e37, np.finfo(dtype).max / 2, np.finfo(dtype).max], dtype)
    with np.errstate(over="ignore", under="ignore"):  # an invalid operation, such as 0 · ∞, stays an error
        left, right = slope(-far), slope(far)
    assert left.dtype == right.dtype == dtype
    if op == "sin":
        assert (np.abs(np.concatenate([left, right])) <= 1).all()
        return
    low, high = LIMITS.get(op, (float(keywords.get("negative_slope", 0.0)), 1.0))
    tiny = 1e-58 if op == "softsign" else 0.0  # 1/(1 + a)² is not zero yet at 1e30
    np.testing.assert_allclose(left, np.full(4, low, dtype), rtol=0, atol=tiny)
    np.testing.assert_allclose(right, np.full(4, high, dtype), rtol=0, atol=tiny)


@DTYPES
@pytest.mark.parametrize("text", VARIANTS)
def test_slope_is_finite_and_small_wherever_exponentials_underflow(text: str, dtype: str) -> None:
    _, _, slope = slope_of(text)
    tiny = np.finfo(dtype)
    sizes = [tiny.smallest_subnormal, tiny.tiny, 37, 39.5, 54, 59, 61, 87, 104, 708, 710, 745.2, 746, 1e3, 1e5, 2e5]
    z = np.array(sizes + [-s for s in sizes] + [0.0, -0.0]).astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        found = slope(z)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 2.0).all()
