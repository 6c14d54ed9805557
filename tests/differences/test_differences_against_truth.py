"""Finite differences promise a radius for each entry: the certified value lies within it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crosscheck import checking
from crosscheck.differences import ridders
from crosscheck.oracles.ball import Ball
from crosscheck.spec.case import Case
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases
from crosscheck.strategies.space import EVERYTHING
from crosscheck.tolerance.bounds import bound


def worst(case: Case) -> float:
    """The largest error over its radius, of all entries that were answered."""
    names = (*case.params, *case.architecture.float_inputs)
    found = checking.differences(case, {}, ridders.everything(case, names))
    truth = Ball().references(case).gradients
    assert found.radius is not None
    ratios = [0.0]
    for name, values in found.gradients.tensors():
        answered = np.isfinite(found.radius[name])
        error = np.abs(values - truth[name])[answered]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(float(np.nan_to_num(error / found.radius[name][answered], nan=0.0).max(initial=0.0)))
    return max(ratios)


@pytest.mark.thorough
@pytest.mark.parametrize("shard", range(4))
def test_over_random_networks(shard: int) -> None:
    source = Source(cases(EVERYTHING, dtypes=("float64",), points=4), 13)
    for index in range(25 * shard, 25 * (shard + 1)):
        case = source.case(index)
        assert case is not None
        assert worst(case) <= 1.0, f"index {index}: {case.architecture}, {case.family}"


# Found by holding differences against the truth. In `symmetric` all logits are alike, and so are their roundings: they
# cancel there, and nowhere beside it. In the others parameters are 1e-4 and less: a step of 1/4 leads to losses a
# thousand times as large, with errors to match.
FOUND = {path.stem: path for path in sorted((Path(__file__).parent / "found").glob("*.npz"))}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_outside_its_radius_lies_within_it(name: str) -> None:
    assert worst(Case.load(FOUND[name])) <= 0.25


@pytest.mark.parametrize("name", ["far_from_the_start", "far_from_the_start_2"])
def test_it_is_the_error_of_the_slope_that_keeps_the_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_neighbourhood", lambda exact: bound(exact, "float64"))
    monkeypatch.setattr(checking, "with_slope_error", lambda found, *_errors: found)
    # Twice this was the error over the budget before truncation was doubled too.
    assert worst(Case.load(FOUND[name])) > 0.5


def test_all_that_were_found_are_here() -> None:
    assert list(FOUND) == ["far_from_the_start", "far_from_the_start_2", "symmetric"]
