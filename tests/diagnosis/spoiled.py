"""Answers with gradients that are spoiled in one way, and right elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from builders import Wrong, case_of, changed

from crosscheck.diagnosis.seen import Seen, asked
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients

TEXTS = ("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse", "x[3,2] -> dense(4) -> dense(1) -> sse")


def answers(spoil: Callable[[Case, Gradients], Gradients], texts: Sequence[str] = TEXTS) -> list[Seen]:
    with np.errstate(all="ignore"):
        return [asked(case_of(text, seed=k), Wrong(spoil), Ball()) for k, text in enumerate(texts)]


def all_of(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Case, Gradients], Gradients]:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        for name, _ in list(found.tensors()):
            found = changed(found, name, change)
        return found

    return spoil
