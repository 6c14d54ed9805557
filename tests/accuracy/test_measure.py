"""The survey finds what is wrong, names it, and finds nothing in the hand-written rules."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("flint")

from crosscheck.accuracy import measure
from crosscheck.accuracy.implementations import IMPLEMENTATIONS, OWN
from crosscheck.accuracy.questions import Question, questions
from crosscheck.backprop import network
from crosscheck.spec.atlas import Atlas, Column
from crosscheck.spec.case import Case
from crosscheck.spec.errors import OracleUnavailable
from crosscheck.spec.record import Number
from crosscheck.spec.result import Gradients

DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])
ULPS = 6.0
# Of focal. In float32, whose exp is off by 2.3 ulps, that counts up to half of gamma + 1 times: 5 is off by 6.8 ulps.
EXPONENTS = {"float64": (0.0, 0.1, 1.5, 5.0), "float32": (0.0, 0.1, 1.5)}
# Kept small; the command asks many more.
POINTS = 1200


def column(atlas: Atlas, op: str, implementation: str) -> Column:
    (found,) = [c for c in atlas.columns if (c.op, c.implementation) == (op, implementation)]
    return found


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves these implementations alone to be asked."""

    def leave(**kept: Callable[[Case, str], Gradients]) -> None:
        for name in list(IMPLEMENTATIONS):
            monkeypatch.delitem(IMPLEMENTATIONS, name)
        for name, implementation in kept.items():
            monkeypatch.setitem(IMPLEMENTATIONS, name.replace("_", "-"), implementation)

    return leave


def own(case: Case, _dtype: str) -> Gradients:
    return network.gradients(case)


@DTYPES
@pytest.mark.parametrize("question", questions(), ids=lambda q: q.name)
def test_the_hand_written_rules_are_within_6_ulps_everywhere(
    question: Question, dtype: str, only: Callable[..., None]
) -> None:
    only(hand_written=own)
    found = measure.survey(question, dtype, POINTS)
    value, slope = found.off(OWN, by_term=True)
    assert (~np.isnan(value)).sum() > len(found.z) // 2
    for true in found.truth:
        assert not np.isnan(true.nearest).any(), "a point whose truth no precision settled is left out without a word"
    assert np.nanmax(value) <= ULPS, f"value at {found.z[np.nanargmax(value)]!r}"
    assert np.nanmax(slope) <= ULPS, f"derivative at {found.z[np.nanargmax(slope)]!r}"


@pytest.mark.parametrize(("dtype", "gamma"), [(d, gamma) for d, those in EXPONENTS.items() for gamma in those])
def test_focal_is_within_6_ulps_for_other_exponents_too(dtype: str, gamma: float, only: Callable[..., None]) -> None:
    only(hand_written=own)
    found = measure.survey(Question("focal", (("gamma", gamma),)), dtype, 6000)
    for errors in found.off(OWN, by_term=True):
        assert np.nanmax(errors) <= ULPS, f"at {found.z[np.nanargmax(errors)]!r}"


@DTYPES
def test_a_relative_error_is_found_and_its_place_named(dtype: str, only: Callable[..., None]) -> None:
    def wrong(case: Case, _dtype: str) -> Gradients:
        """5,000 ulps off, from 3 to 3.1 alone."""
        sound = network.gradients(case)
        z = case.inputs["x"]
        factor = np.where((z > 3) & (z < 3.1), 1 + 5000 * np.finfo(dtype).eps, 1).astype(dtype)
        return dataclasses.replace(sound, by_input={"x": sound["x"] * factor})

    only(hand_written=own, wrong=wrong)
    atlas = measure.atlas(["tanh"], [dtype], POINTS)
    found, sound = column(atlas, "tanh", "wrong"), column(atlas, "tanh", OWN)
    assert found.slope is not None
    assert sound.slope is not None
    assert found.value == sound.value
    assert 4000 < float(found.slope.worst.error) < 11000
    assert 3 < float(found.slope.worst.at) < 3.1
    assert float(found.slope.median) < 3
    assert found.slope.points > POINTS  # the worst were asked about again


def test_what_is_lost_is_named(only: Callable[..., None]) -> None:
    def flushing(case: Case, _dtype: str) -> Gradients:
        sound = network.gradients(case)
        slope = np.where(np.abs(sound["x"]) < 1e-20, 0.0, sound["x"])
        return dataclasses.replace(sound, by_input={"x": slope})

    only(flushing=flushing)
    (found,) = measure.atlas(["sigmoid"], ["float64"], POINTS).columns
    above, below = sorted(found.lost_slopes, key=lambda s: -float(s.low))
    assert 46 < float(above.low) < 60 < 700 < float(above.high) < 746
    assert -746 < float(below.low) < -700 < -60 < float(below.high) < -46
    assert all(1e-26 < float(s.largest) <= 1e-20 for s in (above, below))
    assert found.lost_values == ()


def test_nan_is_found(only: Callable[..., None]) -> None:
    def broken(case: Case, _dtype: str) -> Gradients:
        sound = network.gradients(case)
        return dataclasses.replace(sound, by_input={"x": np.where(case.inputs["x"] > 1e100, np.nan, sound["x"])})

    only(broken=broken)
    (found,) = measure.atlas(["relu"], ["float64"], POINTS).columns
    assert found.slope is not None
    assert found.slope.worst.error == "inf"
    assert float(found.slope.worst.at) > 1e100
    assert found.curve[-1] == "inf"


def test_a_framework_that_is_missing_says_so_and_the_others_are_asked(only: Callable[..., None]) -> None:
    def missing(_case: Case, _dtype: str) -> Gradients:
        raise OracleUnavailable("no such thing here")

    only(hand_written=own, absent=missing)
    atlas = measure.atlas(["relu", "tanh"], ["float64"], POINTS)
    assert atlas.implementations == (OWN, "absent")
    for op in atlas.ops:
        assert column(atlas, op, "absent").missing == "no such thing here"
        assert column(atlas, op, "absent").slope is None
        assert column(atlas, op, OWN).slope is not None


def test_the_same_atlas_every_time(only: Callable[..., None]) -> None:
    only(hand_written=own)
    first = measure.atlas(["gelu", "sse"], ["float32"], POINTS)
    assert measure.atlas(["gelu", "sse"], ["float32"], POINTS) == first


# numerics §3, what was measured of the frameworks: from where on 0 is said, or the least and most ulps.
# fmt: off
LOST = {("sigmoid", "torch"): 36.7, ("sigmoid", "jax"): 36.7, ("tanh", "torch"): 19.06, ("tanh", "jax"): 20.0,
        ("elu", "jax"): 37.4}
OFF = {("softplus", "torch"): (1.5e7, 2e7), ("softplus", "jax"): (20, 40), ("elu", "torch"): (0.5, 1),
       ("tanh", "jax"): (1e17, 1e18)}
# On a stretch of z: from where to where, the least and most ulps; at the zeros of g', -1.2785 and -1.1924, no most.
ON = {("silu", "torch"): (-1.3, -1.26, 20, np.inf), ("silu", "jax"): (-1.3, -1.26, 20, np.inf),
      ("mish", "torch"): (-1.2, -1.15, 20, np.inf), ("mish", "jax"): (-1.2, -1.15, 20, np.inf),
      ("softsign", "torch"): (-35.0, 35.0, 30, 100), ("softsign", "jax"): (-35.0, 35.0, 30, 100)}
# fmt: on


@pytest.fixture(scope="module")
def frameworks() -> Atlas:
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    return measure.atlas(sorted({op for op, _ in (*LOST, *OFF, *ON)} | {"bce"}), ["float64"], 3000)


@pytest.mark.parametrize(("op", "name"), LOST)
def test_where_the_frameworks_lose_a_derivative_is_found(frameworks: Atlas, op: str, name: str) -> None:
    lost = column(frameworks, op, name).lost_slopes
    assert lost
    nearest = min(abs(float(end)) for end in (lost[0].low, lost[0].high))
    assert nearest == pytest.approx(LOST[op, name], abs=0.5)
    assert column(frameworks, op, OWN).lost_slopes == ()


@pytest.mark.parametrize(("op", "name"), OFF)
def test_how_far_the_frameworks_are_off_is_found(frameworks: Atlas, op: str, name: str) -> None:
    found = column(frameworks, op, name).slope
    assert found is not None
    assert found.normal is not None
    low, high = OFF[op, name]
    assert low <= as_float(found.normal.error) <= high


@pytest.mark.parametrize(("op", "name"), ON)
def test_how_far_the_frameworks_are_off_on_a_stretch_is_found(frameworks: Atlas, op: str, name: str) -> None:
    start, end, low, high = ON[op, name]
    first, last = (bisect.bisect(frameworks.edges, z) - 1 for z in (start, end))
    said = [as_float(v) for v in column(frameworks, op, name).curve[first : last + 1] if v is not None]
    assert low <= max(said) <= high


def test_the_clamps_of_torch_s_bce_are_found(frameworks: Atlas) -> None:
    """Its log ends at -100 and the divisor of its slope at 1e-12."""
    found = column(frameworks, "bce", "torch")
    for errors, end in ((found.value, math.exp(-100)), (found.slope, 1e-12)):
        assert errors is not None
        assert errors.normal is not None
        assert as_float(errors.normal.error) > 1e14
        assert as_float(errors.normal.at) < end


def as_float(number: Number) -> float:
    return float(number)
