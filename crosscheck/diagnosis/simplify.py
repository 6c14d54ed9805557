"""Readable numbers for a case that fails: rounded, tensor by tensor, as long as it fails alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.errors import SpecError
from crosscheck.spec.result import Array

# Digits behind the point that are tried, fewest first.
DIGITS = (0, 1, 2)


def simplified(case: Case, fails_alike: Callable[[Case], bool], most: int = 40) -> Case:
    """The case with as many of its numbers short as can be; at most `most` questions.

    All tensors are tried together first, then one by one.
    """
    asked = 0
    names = (*case.inputs, *case.params, "targets")
    for digits in DIGITS:
        for group in (names, *((name,) for name in names)):
            shorter = _rounded(case, group, digits)
            if shorter is None:
                continue
            if asked >= most:
                return case
            asked += 1
            if fails_alike(shorter):
                case = shorter
                if group == names:
                    return case
    return case


def _rounded(case: Case, names: tuple[str, ...], digits: int) -> Case | None:
    """With these tensors rounded; None where nothing changes, or a number would be one that the case may not have."""
    changed = {name: np.round(array.astype(np.float64), digits).astype(array.dtype) for name, array in _of(case, names)}
    if all(np.array_equal(changed[name], array) for name, array in _of(case, names)):
        return None
    try:
        return replace(
            case,
            inputs={k: changed.get(k, a) for k, a in case.inputs.items()},
            params={k: changed.get(k, a) for k, a in case.params.items()},
            targets=changed.get("targets", case.targets),
        )
    except SpecError:
        return None


def _of(case: Case, names: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    """The floating tensors among these that are longer than they need be: a short one is never made another."""
    every = {**case.inputs, **case.params, "targets": case.targets}
    yield from ((name, every[name]) for name in names if every[name].dtype.kind not in "iub")
