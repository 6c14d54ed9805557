"""Of a vector that rounding may turn anywhere nothing is told; of one that it moves a little all is as ever."""

from __future__ import annotations

import numpy as np
from builders import case_of, with_arrays

from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball
from crosscheck.spec.result import Verdict
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.bounds import bound

TEXT = "x[1,3] -> elu -> norm -> sse"


def of(values: list[float], text: str = TEXT) -> object:
    return with_arrays(case_of(text, points=1), inputs={"x": np.array([[values]])})


def test_elu_of_numbers_far_below_its_rounding_has_no_direction_that_is_known() -> None:
    """exp(z) - 1 of -1e-17 is 0, 1e-16 off: the bound was 10⁻³ of the gradient, and its own run off by all of it."""
    case = of([3.4e-18, -1.1e-17, -4.5e-18])
    found = bound(case, "float64")  # type: ignore[arg-type]
    assert found.parted.all()
    assert not np.isfinite(found.gradients["x"]).any()
    judgement = check(case, Builtin(), Witnesses((Ball(),), differences=False))  # type: ignore[arg-type]
    assert judgement.verdict is Verdict.UNDECIDABLE


def test_numbers_above_it_are_compared_as_ever() -> None:
    case = of([0.5, -0.25, -1.0])
    found = bound(case, "float64")  # type: ignore[arg-type]
    assert not found.parted.any()
    assert (found.gradients["x"] < 1e-13).all()
    assert check(case, Builtin(), Witnesses((Ball(),), differences=False)).verdict is Verdict.AGREES  # type: ignore[arg-type]


def test_small_numbers_that_have_not_been_rounded_keep_their_direction() -> None:
    case = of([3e-100, -1e-100, 2e-100], "x[1,3] -> norm -> sse")
    found = bound(case, "float64")  # type: ignore[arg-type]
    assert np.isfinite(found.gradients["x"]).all()
    assert check(case, Builtin(), Witnesses((Ball(),), differences=False)).verdict is Verdict.AGREES  # type: ignore[arg-type]
