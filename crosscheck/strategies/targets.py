"""Targets as each loss wants them: probabilities, counts, signs, classes; any numbers where it takes any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Attributes, Shape

Floats = NDArray[np.float64]
Rule = Callable[[np.random.Generator, Shape, Attributes], Floats]
# PyTorch's default of a class to ignore, which nobody means to draw: a subject need not know of it.
NO_CLASS = -100


def _quarters(g: np.random.Generator, shape: Shape, _attributes: Attributes) -> Floats:
    return np.asarray(g.integers(0, 5, shape) / 4.0)


def _distributions(g: np.random.Generator, shape: Shape, attributes: Attributes) -> Floats:
    """Some classes have 0; of logarithms none does."""
    least = 1 if attributes.get("log_target") else 0
    if not shape[1:]:
        return np.asarray(g.integers(1, 4, shape) / 4.0, np.float64)
    weights = g.integers(least, 4, shape) + np.eye(shape[-1])[g.integers(0, shape[-1], shape[:-1])]
    probabilities = weights / weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.log(probabilities) if least else probabilities, np.float64)


def _counts(g: np.random.Generator, shape: Shape, _attributes: Attributes) -> Floats:
    return g.integers(0, 5, shape).astype(np.float64)


def _signs(g: np.random.Generator, shape: Shape, _attributes: Attributes) -> Floats:
    return np.asarray(g.integers(0, 2, shape) * 2.0 - 1.0, np.float64)


TARGETS: dict[str, Rule] = {
    "bce_with_logits": _quarters,
    "bce": _quarters,
    "focal": _quarters,
    "softmax_cross_entropy": _distributions,
    "kl_div": _distributions,
    "poisson_nll": _counts,
    "hinge": _signs,
}


def targets(g: np.random.Generator, architecture: Architecture, shape: Shape, kind: str) -> NDArray[Any]:
    """Targets of this shape, points first; `kind` "binary" draws 0 and 1 only."""
    loss = architecture.loss
    if architecture.target_dtype == "int64":
        return _classes(g, shape, architecture.shape_of(loss.inputs[0])[-1], int(loss.attributes["ignore_index"]))
    if kind == "binary":
        return g.integers(0, 2, shape).astype(np.float64)
    if loss.op in TARGETS:
        return TARGETS[loss.op](g, shape, loss.attributes)
    # Never all ones: under a constant upstream many wrong derivatives look right.
    return g.integers(-16, 17, shape) / 8.0 + 1.0 / 16.0


def _classes(g: np.random.Generator, shape: Shape, classes: int, ignored: int) -> NDArray[np.int64]:
    """Class indices; where a class of no number is to be ignored, a quarter of the samples have it."""
    drawn = g.integers(0, classes, shape)
    if ignored != NO_CLASS and not 0 <= ignored < classes:
        drawn = np.where(g.random(shape) < 0.25, ignored, drawn)
    return np.asarray(drawn)
