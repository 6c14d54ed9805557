"""From terms to the loss: C = Σ c ∘ terms + l1 Σ|w| + ½ l2 Σw², and what that makes of a slope.

c is the scale over what the reduction divides by, times the weight of the sample. A mean divides by the sum of the
weights of the terms that count, which is their number where there are no weights:

    sum         c_i = scale w_i
    mean        c_i = scale w_i / Σ_j w_j     over all terms that count
    batch_mean  c_i = scale w_i / Σ_s w_s     over the samples, the first axis

c depends on no parameter, so ∂C/∂(a term) = c, and ∂C/∂w gains l1 sign(w) + l2 w.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from crosscheck.backprop.rows import Array, Loss
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Value


def coefficients(architecture: Architecture, counts: Array | None, weights: Array | None, dtype: Any) -> Any:
    """c: a plain number where all terms are alike, or an array that broadcasts with the terms.

    `counts` is 0 or 1 for each term.
    """
    attributes, shape = architecture.loss.attributes, architecture.terms_shape
    scale, reduction = float(attributes["scale"]), str(attributes["reduction"])
    if weights is None and (counts is None or counts.all()):
        first = architecture.shape_of(architecture.loss.inputs[0])[:1]
        return scale / {"sum": 1, "mean": math.prod(shape), "batch_mean": math.prod(first)}[reduction]
    c, samples = _by_term(counts, weights, shape, dtype)
    if reduction == "mean":
        total = c.reshape((*c.shape[: c.ndim - len(shape)], -1)).sum(axis=-1)
        # Where nothing counts the mean is 0, not 0/0.
        c = c / np.maximum(_like_terms(total, len(shape)), _smallest(dtype))
    elif reduction == "batch_mean":
        c = c / (dtype.type(shape[0]) if samples is None else _like_terms(samples, len(shape)))
    return scaled(c, scale)


def _smallest(dtype: Any) -> Any:
    """A number below any sum of weights; NumPy's own answer knows no bfloat16."""
    return dtype.type(2.0 ** (-14 if dtype == np.float16 else -126))


def _by_term(counts: Array | None, weights: Array | None, shape: tuple[int, ...], dtype: Any) -> tuple[Array, Any]:
    """The weight of each term, 0 where it does not count; and the sum of the weights of all samples."""
    if weights is None:
        return (counts.astype(dtype) if counts is not None else np.ones(shape, dtype)), None
    each = weights.reshape((*weights.shape, *(1,) * (len(shape) - 1)))
    each = each * (np.ones(shape[1:], dtype) if counts is None else counts.astype(dtype))
    return each, weights.sum(axis=-1)


def _like_terms(total: Array, rank: int) -> Array:
    return total.reshape((*total.shape, *(1,) * rank))


def scaled(values: Array, c: Any) -> Array:
    """c ∘ values in the dtype of the values: beside a plain float, bfloat16 would not stay what it is."""
    return values.dtype.type(c) * values if isinstance(c, float) else c * values


def total(row: Loss, given: tuple[Array, ...], own: Mapping[str, Value], c: Any, rank: int, start: Any = None) -> Array:
    """Σ c ∘ terms, leading axes alone; the terms have `rank` axes. `start` is what a loss in two steps begins with."""
    if row.times:
        terms = row.times(*given, given[0].dtype.type(c) if isinstance(c, float) else c, **own)
    elif row.in_steps and start is not None:
        terms = scaled(row.in_steps.value(start, *given, **own), c)
    else:
        terms = scaled(row.value(*given, **own), c)
    return terms.reshape((*terms.shape[: terms.ndim - rank], -1)).sum(axis=-1)


def slopes(
    row: Loss, given: tuple[Array, ...], own: Mapping[str, Value], c: Any, start: Any = None
) -> tuple[Array, ...]:
    """∂C/∂ each input of the loss; `start` as in `total`."""
    steps = row.in_steps if start is not None else None
    found = steps.da(start, *given, **own) if steps else row.da(*given, **own)
    if row.per_sample and not isinstance(c, float):
        c = c[..., np.newaxis]
    return tuple(scaled(slope, c) for slope in (found if isinstance(found, tuple) else (found,)))


def penalties(architecture: Architecture, params: Mapping[str, Array]) -> Iterable[Array]:
    """l1 Σ|w| and ½ l2 Σw² of each tensor that they count, leading axes alone."""
    l1, l2 = _penalties(architecture)
    for key in architecture.penalised if l1 or l2 else ():
        w = params[key]
        flat = w.reshape((*w.shape[: w.ndim - len(architecture.param_shapes[key])], -1))
        if l1:
            yield scaled(abs(flat).sum(axis=-1), l1)
        if l2:
            yield scaled((flat * flat).sum(axis=-1), 0.5 * l2)


def penalty_slopes(architecture: Architecture, params: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
    """(key, l1 sign(w) + l2 w); 0 is taken for sign(0)."""
    l1, l2 = _penalties(architecture)
    for key in architecture.penalised if l1 or l2 else ():
        w = params[key]
        if l1:
            yield key, scaled(_sign(w), l1)
        if l2:
            yield key, scaled(w, l2)


def _sign(w: Array) -> Array:
    """In the dtype of w: plain numbers would make float64 of it."""
    one, zero = w.dtype.type(1.0), w.dtype.type(0.0)
    return np.where(w > 0, one, np.where(w < 0, -one, zero)) + zero * w


def _penalties(architecture: Architecture) -> tuple[float, float]:
    attributes = architecture.loss.attributes
    return float(attributes["l1"]), float(attributes["l2"])
