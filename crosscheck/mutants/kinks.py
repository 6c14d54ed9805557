"""Bugs at kinks, at ties and at singular points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import cast

import numpy as np

from crosscheck.backprop.attention import scale_of, seen_by
from crosscheck.backprop.pooling import largest, windows_of
from crosscheck.backprop.rows import Array
from crosscheck.backprop.windows import entries, fold
from crosscheck.mutants.changes import Backward, Call, layer, loss, slope
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import inputs
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "kinks and singular points"
AT_KINKS = ("integers", "dyadic", "ones", "sparse")
OF_ATTENTION = tuple(Fault("attention", Factor.INPUT, number) for number in "012")


def all_that_tie(seen: Sequence[Array], _padded: bool) -> list[Array]:
    top = reduce(np.maximum, seen)
    return [np.equal(entry, top) for entry in seen]


def over_all_maxima(call: Call) -> Backward:
    """Each largest number gets its share, but the share is by the count of all windows."""
    windows = windows_of(call.site)
    won = all_that_tie(entries(call.inputs[0], windows, -math.inf), any(windows.padding))
    places = tuple(range(-windows.axes, 0))
    count = sum(each.sum(axis=places, keepdims=True) for each in won)
    share = call.d_out / cast("Array", count).astype(call.d_out.dtype)
    return (fold((np.where(each, share, np.zeros_like(share)) for each in won), windows),), {}


def over_the_norm(call: Call, _d: Array) -> Array:
    """d z/‖z‖, which is 0/0 at 0."""
    axis, z = int(call.site.attributes["axis"]), call.inputs[0]
    kept = call.d_out if call.site.attributes["keepdims"] else np.expand_dims(call.d_out, axis)
    unit = abs(z).max(axis=axis, keepdims=True)
    r = z / unit
    return kept * (r / np.sqrt((r * r).sum(axis=axis, keepdims=True)))


def by_powers(call: Call, _d: Array) -> Array:
    """The slope of a square z² as 2 z²/z, which is 0/0 at every z that is 0."""
    axis, z = int(call.site.attributes["axis"]), call.inputs[0]
    kept = call.d_out if call.site.attributes["keepdims"] else np.expand_dims(call.d_out, axis)
    r = z / np.maximum(abs(z).max(axis=axis, keepdims=True), np.finfo(z.dtype).tiny)
    size = np.maximum(np.sqrt((r * r).sum(axis=axis, keepdims=True)), np.finfo(z.dtype).tiny)
    return kept * (r * r / r / size)


def by_exponent_and_power(_sound: tuple[Array], a: Array, y: Array) -> tuple[Array]:
    """(a - y)ⁿ has the slope n (a - y)ⁿ/(a - y)."""
    d = a - y
    return (2.0 * (d * d / d),)


def hidden_overflow(call: Call) -> Backward:
    """exp of a hidden score less the largest that is seen, times 0: no number where it overflows."""
    d_inputs, d_params = call.answer
    hidden = hidden_scores(call)
    if hidden is None:
        return d_inputs, d_params
    q, k = call.inputs[:2]
    leak = 0.0 * np.exp(hidden)
    dq, dk, *rest = d_inputs
    return (dq + np.matmul(leak, k), dk + np.matmul(leak.swapaxes(-1, -2), q), *rest), d_params


def hidden_scores(call: Call) -> Array | None:
    """Scores of hidden keys less the largest that is seen; 0 where they are seen, or where nothing is."""
    q, k = call.inputs[:2]
    seen = seen_by(call.site, call.inputs, q.shape[-2], k.shape[-2], len(call.site.in_shapes[0]))
    if seen is None:
        return None
    s = np.matmul(q, k.swapaxes(-1, -2)) * scale_of(call.site)
    top = np.where(seen, s, -np.inf).max(axis=-1, keepdims=True)
    return np.where(~seen & np.isfinite(top), s - np.where(np.isfinite(top), top, 0.0), 0.0)


def nothing_seen(call: Call) -> Backward:
    """The softmax over nothing is 0/0 in the backward."""
    d_inputs, d_params = call.answer
    q, k = call.inputs[:2]
    seen = seen_by(call.site, call.inputs, q.shape[-2], k.shape[-2], len(call.site.in_shapes[0]))
    if seen is None:
        return d_inputs, d_params
    some = np.any(seen, axis=-1, keepdims=True)
    leak = np.where(some, 0.0, np.nan).astype(q.dtype)
    dq, *rest = d_inputs
    return (dq + leak, *rest), d_params


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    *(Mutant(f"{op}: all that tie", FAMILY,
             "of numbers that tie for the largest of a window each gets all of the gradient, where they share it",
             (Fault(op, Factor.INPUT, "0"),), Symptom.KINK, f"x[{pair}] -> {op} -> sse", "Theano#4568",
             rows={op: largest(all_that_tie)}, families=AT_KINKS)
      for op, pair in (("max_pool1d", "1,1,2"), ("max_pool2d", "1,1,2,2"))),
    *(Mutant(f"{op}: share by the maxima of all windows", FAMILY,
             "the gradient of a largest number is divided by the number of maxima in all windows, not in its own",
             (Fault(op, Factor.INPUT, "0"),), Symptom.FACTOR,
             f"x[{one}] -> {op}(stride=1, padding=1) -> sse", "Paddle#51301",
             rows={op: layer(op, over_all_maxima)}, fixed={op: {"kernel": 2}})
      for op, one in (("max_pool1d", "1,1,1"), ("max_pool2d", "1,1,1,1"))),
    Mutant("norm: NaN at 0", FAMILY,
           "the gradient of a norm is z/‖z‖, which is 0/0 where all numbers are 0",
           (Fault("norm", Factor.INPUT, "0"),), Symptom.NAN, "x[1,1] -> norm -> sse", "pytorch#2421",
           rows={"norm": inputs("norm", (0,), over_the_norm)}, families=("sparse", "integers")),
    Mutant("norm: NaN at a single 0", FAMILY,
           "the slope of a power with a whole exponent n is n zⁿ/z, which is 0/0 at every number that is 0",
           (Fault("norm", Factor.INPUT, "0"),), Symptom.NAN, "x[1,1] -> norm -> sse", "tinygrad#9217",
           rows={"norm": inputs("norm", (0,), by_powers)}, families=("sparse", "integers")),
    Mutant("sse: NaN where output and target agree", FAMILY,
           "the slope of a power with a whole exponent n is n dⁿ/d, which is 0/0 at d = 0",
           (Fault("sse", Factor.LOSS),), Symptom.NAN, "x[1,1] -> dense(1) -> sse", "tinygrad#9217",
           rows={"sse": loss("sse", by_exponent_and_power)}, families=("dyadic",)),
    Mutant("attention: NaN of hidden scores", FAMILY,
           "the exponential of a score that the mask hides overflows, and 0 times infinity is no number",
           OF_ATTENTION[:2], Symptom.NAN, "x[1,2,1] -> attention(x, x, mask=causal, scale=8.0) -> sse", "jax#23842",
           rows={"attention": layer("attention", hidden_overflow)}, fixed={"attention": {"mask": "causal"}},
           families=("saturating",)),
    Mutant("attention: NaN where nothing is seen", FAMILY,
           "the softmax over the keys of a query that may see none is 0/0 in the backward",
           OF_ATTENTION[:1], Symptom.NAN,
           "x[1,1,1]; mask[1,1]:bool; x -> attention(x, x, mask, mask=padding) -> sse", "classic",
           rows={"attention": layer("attention", nothing_seen)}, fixed={"attention": {"mask": "padding"}}),
    Mutant("mae: NaN where output and target agree", FAMILY,
           "the sign of a - y is taken as (a - y)/|a - y|, which is 0/0 at the kink",
           (Fault("mae", Factor.LOSS),), Symptom.NAN, "x[1,1] -> mae", "classic",
           rows={"mae": loss("mae", lambda _, a, y: ((a - y) / abs(a - y),))},
           families=("integers", "dyadic", "ones")),
    Mutant("relu: 2 at 0", FAMILY,
           "the derivative of relu at its kink is 2, which lies outside those of its two sides, 0 and 1",
           (Fault("relu", Factor.SLOPE),), Symptom.KINK, "x[1,1] -> relu -> sse", "classic",
           rows={"relu": slope("relu", lambda z, a, da, sound: np.where(z == 0, 2.0 * da, sound(z, a, da)))},
           families=AT_KINKS),
)
# fmt: on
