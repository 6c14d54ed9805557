"""Where a framework's loss is systematically off in float64: functions of what the loss is given.

Each takes the outputs and the targets, with two leading axes, and the loss's own attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from crosscheck.spec.op import Attributes
from crosscheck.spec.result import DeviationMet
from crosscheck.tolerance.frameworks import Constants

Given = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class LossDeviation:
    """As `KnownDeviation`: `slopes` are the absolute errors by each output, `value` that of each term.

    `region` says at which terms it is off, and is given all attributes of the loss.
    """

    witness: Constants
    op: str
    where: str
    size: str
    source: str
    region: Callable[[Given, Attributes], Any]
    slopes: Callable[[Given, Attributes], tuple[Any, ...]]
    value: Callable[[Given, Attributes], Any]
    beyond_rounding: bool = True

    @property
    def about(self) -> DeviationMet:
        """What the report says of it."""
        return DeviationMet(self.witness, self.op, self.where, self.size, self.source)


_SOURCE = "tests/tolerance/test_loss_deviations.py"
# PyTorch's constants (aten/src/ATen/native/Loss.cpp); the second is a float32.
LEAST_LOG, LEAST_PRODUCT = -100.0, float(np.float32(1e-12))


def _bce_region(given: Given, _own: Attributes) -> Any:
    a, _ = given
    return a * (1.0 - a) < LEAST_PRODUCT


def _bce_slopes(given: Given, _own: Attributes) -> tuple[Any, ...]:
    a, y = given
    product = a * (1.0 - a)
    off = (a - y) / np.maximum(product, LEAST_PRODUCT) - (a - y) / product
    return (np.where(product < LEAST_PRODUCT, off, 0.0),)


def _bce_value(given: Given, _own: Attributes) -> Any:
    a, y = given
    lost = [weight * np.maximum(LEAST_LOG - log, 0.0) for weight, log in ((y, np.log(a)), (1.0 - y, np.log1p(-a)))]
    return -np.where(np.isnan(lost), 0.0, lost).sum(axis=0)


def _certain(given: Given, _own: Attributes) -> Any:
    a, y = given
    return ((y == 1.0) & (a > 1.0 - 1e-15)) | ((y == 0.0) & (a < 1e-300))


def _variance_slopes(given: Given, own: Attributes) -> tuple[Any, ...]:
    a, var, y = given
    eps = float(own["eps"])
    d = (a - y) / eps
    return np.zeros_like(d), np.where(var < eps, 0.5 * (1.0 / eps - d * d), 0.0)


def _short(given: Given, own: Attributes) -> Any:
    norm = np.sqrt(np.square(given[0]).sum(axis=-1))
    return (norm > 0) & (norm < float(own["eps"]))


def _cosine_slopes(given: Given, own: Attributes) -> tuple[Any, ...]:
    """What the norm's own slope adds, as if it were not replaced by eps."""
    a, y = given
    eps = float(own["eps"])
    norm = np.sqrt(np.square(a).sum(axis=-1, keepdims=True))
    other = np.maximum(np.sqrt(np.square(y).sum(axis=-1, keepdims=True)), eps)
    dot = (a * y).sum(axis=-1, keepdims=True) / other
    return (np.where(_short(given, own)[..., np.newaxis], dot / (eps * eps) * a / np.maximum(norm, 1e-300), 0.0),)


def _without_a_miss(given: Given, own: Attributes) -> Any:
    z, y = given
    p, rest = special.expit(z), special.expit(-z)
    return (p * (1.0 - y) + rest * y < 1e-15) & (own["gamma"] == 0.0)


def _nobody(given: Given, own: Attributes) -> Any:
    """Whether no sample of a network counts."""
    y = given[-1]
    if own["targets"] != "classes":
        return np.zeros(y.shape[:2], np.bool_)
    return (y == own["ignore_index"]).all(axis=tuple(range(2, y.ndim)))


def _nobody_in_a_mean(given: Given, own: Attributes) -> Any:
    return _nobody(given, own) & (own["reduction"] == "mean" and not own["weighted"])


def _unknown(given: Given, own: Attributes) -> Any:
    """NaN for the terms of a network of which nobody counts."""
    y = given[-1] if own["targets"] == "classes" else given[-1][..., 0]
    lost = np.where(_nobody(given, own), np.nan, 0.0)
    return np.broadcast_to(lost.reshape((*lost.shape, *(1,) * (y.ndim - 2))), y.shape)


def _nothing(given: Given, _own: Attributes) -> Any:
    return np.zeros_like(given[0])


def _nothing_by_sample(given: Given, _own: Attributes) -> Any:
    return np.zeros(given[0].shape[:-1])


def _mean_of_nothing(op: str) -> LossDeviation:
    return LossDeviation(
        witness="torch",
        op=op,
        where="no sample counts, reduction=mean",
        size="the loss is NaN, 0 divided by 0, where 0 is meant",
        source=_SOURCE,
        region=_nobody_in_a_mean,
        slopes=lambda given, own: (_nothing(given, own),),
        value=_unknown,
    )


LOSS_DEVIATIONS: tuple[LossDeviation, ...] = (
    LossDeviation(
        witness="torch",
        op="bce",
        where="a(1 - a) < 1e-12",
        size="the slope is (a - y)/1e-12 there, and no logarithm is below -100",
        source=_SOURCE,
        region=_bce_region,
        slopes=_bce_slopes,
        value=_bce_value,
    ),
    LossDeviation(
        witness="jax",
        op="bce",
        where="y=1 and a > 1 - 1e-15, y=0 and a < 1e-300",
        size="the slope is NaN, 0 divided by 0, where a is computed as 1 or 0",
        source=_SOURCE,
        region=_certain,
        slopes=lambda given, own: (np.where(_certain(given, own), np.nan, 0.0),),
        value=_nothing,
    ),
    LossDeviation(
        witness="torch",
        op="gaussian_nll",
        where="variance < eps",
        size="the slope by the variance is that at eps, where 0 is true",
        source=_SOURCE,
        region=lambda given, own: given[1] < float(own["eps"]),
        slopes=_variance_slopes,
        value=_nothing,
    ),
    LossDeviation(
        witness="torch",
        op="cosine_similarity",
        where="0 < ‖a‖ < eps",
        size="the slope is as if ‖a‖ were not replaced by eps: its own slope is added",
        source=_SOURCE,
        region=_short,
        slopes=_cosine_slopes,
        value=_nothing_by_sample,
    ),
    LossDeviation(
        witness="jax",
        op="focal",
        where="q < 1e-15, gamma=0",
        size="the slope is NaN where q is computed as 0: that of q⁰ is 0 times 1/q",
        source=_SOURCE,
        region=_without_a_miss,
        slopes=lambda given, own: (np.where(_without_a_miss(given, own), np.nan, 0.0),),
        value=_nothing,
    ),
    _mean_of_nothing("nll"),
    _mean_of_nothing("softmax_cross_entropy"),
)
