"""Values and derivatives against ball arithmetic: a few ulps, up to the ends of the range, zeros of g' included."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
from backprop.slope_table import TRUTH
from builders import every_variant

from crosscheck.backprop import activations, network, tail_table
from crosscheck.backprop import textbook as tb
from crosscheck.spec import parse
from crosscheck.spec.activations import ACTIVATIONS

Floats = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[Floats, Floats]

ULPS = 6.0  # numerics §3
KEYWORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu": ("gelu", {"approximate": "none"}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "elu": ("elu", {"alpha": 1.0}),
    "celu": ("celu", {"alpha": 0.3}),
}
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def own(name: str, z: Floats) -> Pair:
    """Value and slope by the hand-written rows."""
    op, keywords = KEYWORDS.get(name, (name, {}))
    row = activations.ROWS[op]
    with np.errstate(all="ignore"):
        a = row.f(z, **keywords)
        return np.asarray(a), np.asarray(row.dz(z, a, np.ones_like(z), **keywords))


def textbook(name: str, z: Floats) -> Pair:
    op, keywords = KEYWORDS.get(name, (name, {}))
    row = tb.ROWS[op]
    return np.array([row.g(float(v), keywords) for v in z]), np.array([row.slope(float(v), keywords) for v in z])


def tabled(name: str, dtype: str) -> tuple[Floats, Floats]:
    """The points of the table that the dtype holds; value, slope and the larger term of the slope for each."""
    points = [p for p in TRUTH[name] if dtype == "float64" or (abs(p[0]) < 1e38 and float(np.float32(p[0])) == p[0])]
    assert len(points) >= 20
    truth = np.array([(*p[1:3], p[-1]) for p in points])
    return np.array([p[0] for p in points]).astype(dtype), truth.T


def assert_within(ulps: float, what: str, z: Floats, found: Floats, true: Floats, size: Floats) -> None:
    """In ulps of `size`; half an ulp more is allowed for the table's own rounding."""
    assert found.dtype == z.dtype
    ulp = np.spacing(np.abs(size).astype(z.dtype)).astype(np.float64)
    off = np.abs(found.astype(np.float64) - true) / ulp
    assert (off <= ulps + 0.5).all(), f"{what} is {off.max():.1f} ulps off at z = {z[off.argmax()]!r}"


def assert_accurate(name: str, dtype: str, rows: Callable[[str, Floats], Pair]) -> None:
    z, (value, slope, term) = tabled(name, dtype)
    g, dg = rows(name, z)
    assert_within(ULPS, name, z, g, value, value)
    assert_within(ULPS, f"{name}'", z, dg, slope, term)


@DTYPES
@pytest.mark.parametrize("name", TRUTH)
def test_value_and_slope_are_within_a_few_ulps(name: str, dtype: str) -> None:
    assert_accurate(name, dtype, own)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu_tanh", "mish", "silu"])
def test_the_textbook_formula_does_not_reach_that(name: str) -> None:
    z, (_, slope, term) = tabled(name, "float64")
    with pytest.raises(AssertionError, match="ulps off"):
        assert_within(ULPS, name, z, textbook(name, z)[1], slope, term)


@DTYPES
@pytest.mark.parametrize("name", TRUTH)
def test_value_and_slope_are_within_a_few_ulps_at_random_points(name: str, dtype: str) -> None:
    pytest.importorskip("flint")
    from backprop.make_slope_table import value_and_slope

    z = scattered(dtype)
    balls = [value_and_slope(name, float(v)) for v in z]
    value, slope = (np.array([float(b[i].mid()) for b in balls]) for i in (0, 1))
    g, dg = own(name, z)
    assert_within(ULPS, name, z, g, value, value)
    assert_within(ULPS, f"{name}'", z, dg, slope, np.array([b[2] for b in balls]))


def scattered(dtype: str, count: int = 2000) -> Floats:
    """Dense where the functions bend, log-spaced over the whole range, and where results leave the normal numbers."""
    rng, limits = np.random.default_rng(20240301), np.finfo(dtype)
    low, high = np.log10(float(limits.smallest_subnormal)), np.log10(float(limits.max))
    edge = -np.log(float(limits.tiny))
    z = np.concatenate(
        [
            rng.uniform(-6, 6, count),
            rng.uniform(-40, 40, count),
            rng.choice([-1, 1], count) * 10 ** rng.uniform(low, 1, count),
            rng.choice([-1, 1], count // 4) * 10 ** rng.uniform(1, high - 0.1, count // 4),
            -edge * rng.uniform(0.95, 1.07, count // 4),
            -np.sqrt(2 * edge) * rng.uniform(0.95, 1.05, count // 4),
            -3 + rng.normal(0, 1e-4, count // 4),
        ]
    ).astype(dtype)
    return np.unique(z[z != 0])


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
@pytest.mark.parametrize("z", [[40.0, 0.0, -3.0], [700.0, 0.0, 1.0], [0.25, 0.25, -1.0], [1e308, -1e308, 0.0]])
def test_softmax_loses_no_digits_where_one_has_it_all(op: str, z: list[float]) -> None:
    """Every entry of ∂a_j/∂z_k, by decimal arithmetic."""
    found = np.array(z)
    row = activations.ROWS[op]
    with np.errstate(all="ignore"):
        a = row.f(found, axis=-1)
        slopes = [row.dz(found, a, da, axis=-1) for da in np.eye(3)]
    with localcontext(Context(prec=1000)):
        e = [(Decimal(v) - Decimal(max(z))).exp() for v in z]
        p = [v / sum(e) for v in e]
        rest = [sum(e[j] for j in range(3) if j != k) / sum(e) for k in range(3)]
        for j, k in itertools.product(range(3), repeat=2):
            true = rest[j] if j == k else -p[k]
            true = true * p[j] if op == "softmax" else true
            assert abs(Decimal(float(slopes[j][k])) - true) <= 6 * Decimal(float(np.spacing(abs(float(true)))))


def test_the_table_of_the_tail_is_what_its_script_makes() -> None:
    pytest.importorskip("flint")
    from crosscheck.backprop import make_tail_table

    made = tuple(reversed(make_tail_table.coefficients()))
    assert (made, make_tail_table.CENTRE) == (tail_table.COEFFICIENTS, tail_table.CENTRE)


def test_every_curved_activation_is_in_the_table() -> None:
    straight = {"identity", "relu", "leaky_relu", "hardtanh"}
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
