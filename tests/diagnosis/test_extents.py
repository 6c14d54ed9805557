"""Which rows are wrong: of all answers that fail, not of one."""

from __future__ import annotations

import numpy as np
from builders import Wrong, case_of, changed

from crosscheck.diagnosis.extents import extents
from crosscheck.diagnosis.seen import asked
from crosscheck.oracles.ball import Ball
from crosscheck.spec import Case, Gradients


def only_rows_of(case: Case, found: Gradients) -> Gradients:
    """Row 0 is wrong in a batch of two, rows 0 and 1 in a batch of three."""

    def spoil(g: np.ndarray) -> np.ndarray:
        g[:, : case.architecture.inputs[0].shape[0] - 1] += 1.0
        return g

    return changed(found, "0.weight", spoil)


def test_what_is_wrong_in_a_smaller_answer_is_not_right_elsewhere() -> None:
    with np.errstate(all="ignore"):
        two, three = (
            asked(case_of(f"x[{n},2] -> dense(3) -> sse", seed=n), Wrong(only_rows_of), Ball()) for n in (2, 3)
        )
    assert extents([two]) == ["0.weight: wrong at index 0 of axis 0 (of 3), right elsewhere"]
    both = ["0.weight: wrong at index 0, 1 of axis 0 (of 3), right elsewhere"]
    assert extents([two, three]) == extents([three, two]) == both
