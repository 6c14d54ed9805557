"""Who is asked: the hand-written rules, and each framework as the witness that it is elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crosscheck.accuracy.questions import Question, case, read
from crosscheck.backprop import network
from crosscheck.oracles import jax_grad, torch_autograd
from crosscheck.spec.case import Case
from crosscheck.spec.result import Floats, Gradients

OWN = "hand-written"

IMPLEMENTATIONS: dict[str, Callable[[Case, str], Gradients]] = {
    OWN: lambda asked, dtype: network.gradients(asked),
    "torch": torch_autograd.gradients,
    "jax": jax_grad.gradients,
}


def answer(name: str, question: Question, dtype: str, z: Floats, y: Floats, size: int) -> tuple[Floats, Floats]:
    """Values and slopes in this dtype. Asked in portions of one size, because JAX compiles for each.

    Raises OracleUnavailable where the framework cannot be imported, and OracleCrashed for what it raises.
    """
    portions = []
    for start in range(0, len(z), size):
        part = slice(start, start + size)
        places = np.resize(np.arange(len(z[part])), size)
        with np.errstate(all="ignore"):
            found = IMPLEMENTATIONS[name](case(question, dtype, z[part][places], y[part][places]), dtype)
        portions.append([a[: len(z[part])] for a in read(question, found)])
    value, slope = (np.concatenate(parts) for parts in zip(*portions, strict=True))
    return value, slope
