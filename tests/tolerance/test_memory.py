"""Large networks: counted before anything is run, asked in parts that change no bit, and refused where none fits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from builders import case_of

from crosscheck.checking import DIFFERENCED_ENTRIES
from crosscheck.spec import parse
from crosscheck.spec.errors import UsageError
from crosscheck.tolerance import memory
from crosscheck.tolerance.bounds import bound
from crosscheck.tolerance.memory import SAMPLES, SAMPLES_FOR_SUSPECTS

MNIST = parse("x[2,784] -> dense(512) -> relu -> dense(512) -> relu -> dense(10) -> softmax_cross_entropy")
SMALL = parse("x[3,4] -> dense(2) -> tanh -> sse")
HUGE = parse("x[2,1000] -> dense(100000) -> tanh -> sse")


def test_numbers_are_parameters_inputs_and_outputs() -> None:
    assert memory.numbers(SMALL) == (2 * 4 + 2) + 3 * 4 + 3 * 2 + 3 * 2
    weights = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert memory.numbers(MNIST) == weights + 2 * 784 + 2 * (4 * 512 + 10)


def test_small_networks_are_asked_whole() -> None:
    assert memory.points_of_a_case(SMALL, 8) == 8
    assert memory.points_at_once(SMALL, SAMPLES_FOR_SUSPECTS) > 8
    assert memory.samples_of_a_suspect(SMALL) == SAMPLES_FOR_SUSPECTS
    assert memory.entries_differenced(SMALL, 8, DIFFERENCED_ENTRIES) == DIFFERENCED_ENTRIES
    assert memory.evaluations(SMALL, 8, 150) == 150
    assert memory.told(SMALL, 8, DIFFERENCED_ENTRIES) == []


def test_of_large_networks_less_is_asked_and_that_is_told() -> None:
    assert memory.points_of_a_case(MNIST, 8) == 1
    assert SAMPLES <= memory.samples_of_a_suspect(MNIST) < SAMPLES_FOR_SUSPECTS
    assert memory.evaluations(MNIST, 1, 150) < 150
    assert memory.told(MNIST, 8, DIFFERENCED_ENTRIES) == [
        "large network, 675,390 numbers a point: 1 of 8 points a network, 24 of 256 samples where a bound is asked "
        "again"
    ]
    assert memory.told(HUGE, 1, DIFFERENCED_ENTRIES) == [
        "large network, 100,502,000 numbers a point: 16 of 256 samples where a bound is asked again, "
        "16 of 120 entries for finite differences"
    ]


@pytest.mark.parametrize("architecture", [SMALL, MNIST, HUGE])
def test_something_is_always_asked(architecture: object) -> None:
    assert memory.points_at_once(architecture, SAMPLES_FOR_SUSPECTS) >= 1  # type: ignore[arg-type]
    samples = memory.samples_of_a_suspect(architecture)  # type: ignore[arg-type]
    assert samples >= SAMPLES
    assert samples % 2 == 0, "they come in pairs"
    assert memory.evaluations(architecture, 8, 150) >= 1  # type: ignore[arg-type]
    assert memory.entries_differenced(architecture, 8, 120) >= 1  # type: ignore[arg-type]


@pytest.mark.parametrize("family", ["normal", "integers"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_points_one_after_the_other_give_the_same_bounds(
    family: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: parted points among them, of which some parts have none."""
    case = case_of("x[2,3] -> dense(4) -> relu -> dense(2) -> mae", family=family, points=7, dtype=dtype)
    whole = bound(case, dtype)
    monkeypatch.setattr(memory, "AT_ONCE", 3 * SAMPLES * memory.numbers(case.architecture))
    assert memory.points_at_once(case.architecture, SAMPLES) == 3
    parts = bound(case, dtype)
    for of_whole, of_parts in (
        (whole.gradients, parts.gradients),
        (whole.held, parts.held),
        (whole.centre, parts.centre),
    ):
        np.testing.assert_array_equal(of_parts.loss, of_whole.loss)
        for name, values in of_whole.tensors():
            np.testing.assert_array_equal(of_parts[name], values)
    for name in ("parted", "loss_spread", "signal"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert set(parts.near) == set(whole.near)
    for link, widths in whole.near.items():
        np.testing.assert_array_equal(parts.near[link], widths)


def test_what_does_not_fit_is_refused_with_value_rule_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "bytes_of_this_machine", lambda: 24e9)
    with pytest.raises(UsageError) as refused:
        memory.refuse_what_does_not_fit(HUGE)
    assert str(refused.value) == (
        "architecture: one point has 100,502,000 numbers, 100,300,000 of them in node 0 (dense); each is held 10 × 16 "
        "times at once, which takes some 129 GB, and this machine has 24: smaller layers, or a smaller batch"
    )
    memory.refuse_what_does_not_fit(MNIST)


def test_a_system_that_does_not_say_how_much_memory_it_has_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(memory.os, "sysconf", unknown)
    assert memory.bytes_of_this_machine() == math.inf
    memory.refuse_what_does_not_fit(HUGE)
