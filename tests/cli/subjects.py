"""Subjects to be named on a command line, as tests/cli/subjects.py:name."""

from __future__ import annotations

import itertools
import os
import sys
from typing import Any

from builders import as_callable
from meta.planted import slope

from crosscheck.subjects.builtin import Builtin

TANH = slope("tanh", lambda z, a, da: da * (1.0 - a))
calls = itertools.count(1)

right = as_callable(Builtin())
wrong_tanh = as_callable(TANH)


def half_the_loss(architecture: Any, point: Any) -> Any:
    loss, gradients = right(architecture, point)
    return 0.5 * loss, {name: 0.5 * g for name, g in gradients.items()}


def returns_a_list(architecture: Any, point: Any) -> Any:
    return [1.0]


def interrupts(architecture: Any, point: Any) -> Any:
    if next(calls) == 400:
        raise KeyboardInterrupt
    return right(architecture, point)


def goes_elsewhere(architecture: Any, point: Any) -> Any:
    """It changes the directory that it is asked in, and what it prints to."""
    os.chdir("/")
    sys.stdout = None  # type: ignore[assignment]
    return right(architecture, point)


def rounds_the_loss(architecture: Any, point: Any) -> Any:
    loss, gradients = right(architecture, point)
    return float(int(loss)), gradients


def never_finite(architecture: Any, point: Any) -> Any:
    return float("nan"), right(architecture, point)[1]
