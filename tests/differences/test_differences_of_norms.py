"""Beside the kink of a norm, differences are right or silent."""

from __future__ import annotations

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck import checking
from crosscheck.backprop import network
from crosscheck.backprop.branches import beyond_half_the_norm
from crosscheck.differences import losses, ridders
from crosscheck.spec import Case


def at(x: list[float]) -> Case:
    case = case_of(f"x[{len(x)}] -> norm -> cotangent", points=1)
    return with_arrays(case, inputs={"x": np.array([x])}, targets=np.array([1.0]))


def slopes(case: Case) -> tuple[np.ndarray, np.ndarray]:
    found = checking.differences(case, {}, ridders.everything(case, ("x",)))
    assert found.radius is not None
    return found.gradients["x"][0], found.radius["x"][0]


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-3, 0.1, 1.0, 1e3])
@pytest.mark.parametrize("x", [[1.0, 0.0], [0.6, -0.8], [1.0, 1e-3, 0.0], [-1.0]])
def test_near_its_kink_the_truth_is_within_the_radius(x: list[float], size: float) -> None:
    vector = size * np.array(x)
    value, radius = slopes(at(vector.tolist()))
    assert (np.abs(value - vector / np.linalg.norm(vector)) <= radius).all()
    if size >= 1e-3:
        assert (radius < 1e-6).all()


def test_on_its_kink_nothing_is_said() -> None:
    assert np.isinf(slopes(at([0.0, 0.0]))[1]).all()


def test_it_is_the_mark_that_keeps_it_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "beyond_half_the_norm", lambda tape: np.zeros(np.shape(tape.loss), np.bool_))
    assert np.isfinite(slopes(at([0.0, 0.0]))[1]).all()


def test_each_network_is_measured_from_the_first() -> None:
    case = at([3.0, 4.0])
    moved = np.array([[3.0, 4.0], [3.0, 6.4], [3.0, 6.6], [0.6, 4.0]])[:, np.newaxis]
    tape = network.forward(case.architecture, {}, {"x": moved}, case.targets[np.newaxis])
    assert beyond_half_the_norm(tape).ravel().tolist() == [False, False, True, False]
