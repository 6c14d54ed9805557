"""A recurrent layer that carries something wrong from step to step is told by its last step, which is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck.diagnosis.carried import carried_back
from crosscheck.diagnosis.recognise import recognise
from crosscheck.diagnosis.seen import Seen, asked
from crosscheck.oracles.ball import Ball

SAID = "right for the last step and wrong before it: what is carried back from step to step"


def bent(g: np.ndarray) -> np.ndarray:
    return g * (1.5 + np.sin(5.0 * g))


def before_the_last(g: np.ndarray) -> np.ndarray:
    return np.concatenate([bent(g[..., :-1, :]), g[..., -1:, :]], axis=-2)


def at_the_last(g: np.ndarray) -> np.ndarray:
    return np.concatenate([g[..., :-1, :], bent(g[..., -1:, :])], axis=-2)


def answers(change: Callable[[np.ndarray], np.ndarray], *texts: str) -> list[Seen]:
    subject = Wrong(lambda _case, found: changed(found, "x", change))
    with np.errstate(all="ignore"):
        return [asked(case_of(text, seed=k), subject, Ball()) for k, text in enumerate(texts)]


@pytest.mark.parametrize("op", ["rnn", "lstm", "gru"])
def test_it_is_told_where_the_last_step_is_right_and_an_earlier_one_is_not(op: str) -> None:
    seen = answers(before_the_last, f"x[2,3,2] -> {op}(2) -> sse", f"x[1,2,1] -> {op}(1) -> sse")
    assert recognise(seen, (), ()).likely[0].text == SAID
    alone = answers(before_the_last, f"x[1,1,2] -> {op}(2) -> sse")
    assert not alone[0].failed
    assert carried_back([*seen, *alone]) == SAID


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (at_the_last, "x[2,3,2] -> lstm(2) -> sse"),
        (bent, "x[2,3,2] -> lstm(2) -> sse"),
        (before_the_last, "x[2,3,2] -> dense(2) -> sse"),
        (before_the_last, "x[2,3,2] -> lstm(2) -> tanh -> sse"),
    ],
)
def test_it_is_told_of_nothing_else(change: Callable[[np.ndarray], np.ndarray], text: str) -> None:
    seen = answers(change, text)
    assert seen[0].failed
    assert carried_back(seen) is None
