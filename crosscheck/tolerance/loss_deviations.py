"""Where a framework's loss is systematically off, and by how much in float64: functions of what the loss is given.

Each takes the outputs and the targets, with two leading axes, and the loss's own attributes; where what is computed as
0 or 1 decides, the format too in which it is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from crosscheck.spec.dtypes import DTYPES
from crosscheck.spec.op import Attributes
from crosscheck.spec.result import DeviationMet
from crosscheck.tolerance.formats import FORMATS, Format
from crosscheck.tolerance.frameworks import Constants

Given = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class LossDeviation:
    """As `KnownDeviation`: `slopes` are the absolute errors by each output, `value` that of each term, in float64.

    `region` says at which terms it is off in one of the `dtypes`, and is given all attributes of the loss.
    """

    witness: Constants
    op: str
    where: str
    size: str
    source: str
    region: Callable[[Given, Attributes, Format], Any]
    slopes: Callable[[Given, Attributes], tuple[Any, ...]]
    value: Callable[[Given, Attributes], Any]
    dtypes: tuple[str, ...] = DTYPES

    @property
    def beyond_rounding(self) -> bool:
        """Whether a witness, who computes in float64, is off."""
        return "float64" in self.dtypes

    @property
    def about(self) -> DeviationMet:
        """What the report says of it."""
        return DeviationMet(self.witness, self.op, self.where, self.size, self.source)


_SOURCE = "tests/tolerance/test_loss_deviations.py"
FLOAT64 = FORMATS["float64"]
# Where a number has been rounded on its way to 0 or 1 it may be off by a few u.
AROUND = 4.0
# Half of the smallest number of float16: what is less is 0 there.
NOTHING_IN_HALF = FORMATS["float16"].smallest / 2.0
# PyTorch's constants (aten/src/ATen/native/Loss.cpp); the second is a float32.
LEAST_LOG, LEAST_PRODUCT = -100.0, float(np.float32(1e-12))


def _bce_region(given: Given, _own: Attributes, _in: Format) -> Any:
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


def _certain(given: Given, within: Format, least: float) -> Any:
    """Whether a probability that is to be 1 is computed as that, or one that is to be 0 and is less than `least`."""
    a, y = given
    return ((y == 1.0) & (1.0 - a < AROUND * within.roundoff)) | ((y == 0.0) & (a < least))


def _certain_to_jax(given: Given, _own: Attributes, within: Format = FLOAT64) -> Any:
    """Its 1/(1 + e) is 1 where e is below u, and 0 where e overflows or the result is flushed."""
    return _certain(given, within, max(within.held, 1.0 / within.largest))


def _certain_in_half(given: Given, _own: Attributes, within: Format) -> Any:
    return _certain(given, within, NOTHING_IN_HALF)


def _variance_slopes(given: Given, own: Attributes) -> tuple[Any, ...]:
    a, var, y = given
    eps = float(own["eps"])
    d = (a - y) / eps
    return np.zeros_like(d), np.where(var < eps, 0.5 * (1.0 / eps - d * d), 0.0)


def _short(given: Given, own: Attributes, _in: Format = FLOAT64) -> Any:
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


def _underflown(given: Given, own: Attributes, least: float, eps: float) -> Any:
    """Whether all numbers of a vector are below `least`, and the loss's eps below `eps`."""
    small = [np.abs(vector).max(axis=-1, initial=0.0) < least for vector in given]
    return (small[0] | small[1]) & (float(own["eps"]) < eps)


def _without_a_miss(given: Given, own: Attributes, within: Format = FLOAT64) -> Any:
    z, y = given
    p, rest = special.expit(z), special.expit(-z)
    return (p * (1.0 - y) + rest * y < AROUND * within.roundoff) & (float(own["gamma"]) < 1.0)


def _nobody(given: Given, own: Attributes) -> Any:
    """Whether no sample of a network counts."""
    y = given[-1]
    if own["targets"] != "classes":
        return np.zeros(y.shape[:2], np.bool_)
    return (y == own["ignore_index"]).all(axis=tuple(range(2, y.ndim)))


def _nobody_in_a_mean(given: Given, own: Attributes, _in: Format) -> Any:
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


def _no_number_where(region: Callable[[Given, Attributes], Any]) -> Callable[[Given, Attributes], tuple[Any, ...]]:
    return lambda given, own: (np.where(region(given, own), np.nan, 0.0),)


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
        # 1e-12 is 0 in float16.
        dtypes=("float64", "float32", "bfloat16"),
    ),
    LossDeviation(
        witness="torch",
        op="bce",
        where="y=1 and 1 - a < 2e-3, y=0 and a < 3e-8 in float16",
        size="the slope is NaN, 0 divided by 0, where a is computed as 1 or 0: 1e-12 is 0 in float16",
        source=_SOURCE,
        region=_certain_in_half,
        slopes=lambda given, _: (np.full_like(given[0], np.nan),),
        value=_nothing,
        dtypes=("float16",),
    ),
    LossDeviation(
        witness="jax",
        op="bce",
        where="y=1 and 1 - a < 4u, y=0 and a is flushed or 1/a overflows",
        size="the slope is NaN, 0 divided by 0, where a is computed as 1 or 0",
        source=_SOURCE,
        region=_certain_to_jax,
        slopes=_no_number_where(_certain_to_jax),
        value=_nothing,
    ),
    LossDeviation(
        witness="torch",
        op="gaussian_nll",
        where="variance < eps",
        size="the slope by the variance is that at eps, where 0 is true",
        source=_SOURCE,
        region=lambda given, own, _in: given[1] < float(own["eps"]),
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
        witness="torch",
        op="cosine_similarity",
        where="all |a| < 3e-8 or all |y| < 3e-8 in float16, eps < 3e-8",
        size="loss and slope are NaN, 0 divided by eps, which is 0 in float16",
        source=_SOURCE,
        region=lambda given, own, _in: _underflown(given, own, NOTHING_IN_HALF, NOTHING_IN_HALF),
        slopes=lambda given, _: (np.full_like(given[0], np.nan),),
        value=_nothing_by_sample,
        dtypes=("float16",),
    ),
    LossDeviation(
        witness="jax",
        op="cosine_similarity",
        where="all |a| < 1.8e-4 or all |y| < 1.8e-4 in float16, eps < 3e-8",
        size="loss and slope are NaN or infinite: squares underflow, and eps, which is divided by, is 0 in float16",
        source=_SOURCE,
        region=lambda given, own, _in: _underflown(given, own, 1.8e-4, NOTHING_IN_HALF),
        slopes=lambda given, _: (np.full_like(given[0], np.nan),),
        value=_nothing_by_sample,
        dtypes=("float16",),
    ),
    LossDeviation(
        witness="jax",
        op="focal",
        where="q < 4u, gamma < 1",
        size="the slope is NaN where q is computed as 0: that of q^gamma is 0 times q^(gamma - 1), which is infinite",
        source=_SOURCE,
        region=_without_a_miss,
        slopes=_no_number_where(_without_a_miss),
        value=_nothing,
    ),
    _mean_of_nothing("nll"),
    _mean_of_nothing("softmax_cross_entropy"),
)
