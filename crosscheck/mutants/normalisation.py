"""Bugs of normalisations, as another ∂C/∂a from g = ∂C/∂x for the same x = (a - μ)/σ."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from crosscheck.backprop.normalisation import (
    Axes,
    Formulas,
    Groups,
    around_mean,
    batch_norm,
    by_channel,
    by_last_axes,
    evaluated,
    evaluated_backward,
    mean,
    norm,
    standardised,
)
from crosscheck.backprop.rows import Array, Layer
from crosscheck.mutants.changes import Backward, Call, layer
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import params
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "normalisation"
Slopes = Callable[[Array, Array, Groups, float], Array]
OF_BATCH, OF_LAYER = (Fault(op, Factor.INPUT, "0") for op in ("batch_norm", "layer_norm"))
WEIGHTS = tuple(Fault("layer_norm", Factor.PARAM, role) for role in ("weight", "bias"))


def batch(da: Slopes) -> Layer:
    """batch_norm with this ∂C/∂a in training."""
    return batch_norm(norm(by_channel, Formulas(standardised, da, standardised)), Layer(evaluated, evaluated_backward))


def by_layer(da: Slopes) -> Layer:
    return norm(by_last_axes, Formulas(standardised, da, standardised))


def parts(a: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
    """x and σ."""
    d = around_mean(a, axes)
    sigma = np.sqrt(mean(d * d, axes) + a.dtype.type(eps))
    return d / sigma, sigma


def over(axes_of: Callable[[Groups], Axes]) -> Slopes:
    """Of the right x and σ, but with the means of the backward over other axes."""

    def da(g: Array, a: Array, groups: Groups, eps: float) -> Array:
        x, sigma = parts(a, groups.axes, eps)
        axes = axes_of(groups)
        return (around_mean(g, axes) - x * mean(g * x, axes)) / sigma

    return da


def all_axes(groups: Groups) -> Axes:
    return tuple(range(-len(groups.shape), 0))


def all_but_the_first(groups: Groups) -> Axes:
    """Right where there are two axes: all behind the first, whatever the norm is over."""
    return tuple(range(1 - len(groups.shape), 0)) if len(groups.shape) > 2 else groups.axes


def channels(groups: Groups) -> Axes:
    return (1 - len(groups.shape),)


def without_the_mean(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    x, sigma = parts(a, groups.axes, eps)
    return (g - x * mean(g * x, groups.axes)) / sigma


def without_the_variance(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    _, sigma = parts(a, groups.axes, eps)
    return around_mean(g, groups.axes) / sigma


def statistics_constant(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    return g / parts(a, groups.axes, eps)[1]


def of_one_less(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """Σ g x/(n - 1) where it is (1/n) Σ g x: the backward of the unbiased variance."""
    x, sigma = parts(a, groups.axes, eps)
    n = math.prod(a.shape[axis] for axis in groups.axes)
    ratio = a.dtype.type(n / max(n - 1, 1))
    return (around_mean(g, groups.axes) - ratio * x * mean(g * x, groups.axes)) / sigma


def by_raw_moments(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """v = E[a²] - μ²: da_i = g_i/σ + (2/n) a_i dv + dμ/n, where dμ = -Σ g/σ lacks -2μ dv, its path through v."""
    x, sigma = parts(a, groups.axes, eps)
    half_dv = -0.5 * mean(g * x, groups.axes) / sigma / sigma
    return (around_mean(g, groups.axes)) / sigma + 2.0 * a * half_dv


def through_the_deviation(g: Array, a: Array, groups: Groups, eps: float) -> Array:
    """σ = √(s² + ε) by s = √v, whose slope d/(n s) is 0/0 where there is no variance."""
    d = around_mean(around_mean(a, groups.axes), groups.axes)
    s = np.sqrt(mean(d * d, groups.axes))
    sigma = np.sqrt(s * s + a.dtype.type(eps))
    ds = -mean(g * d, groups.axes) / sigma / sigma * (s / sigma)
    return around_mean(g / sigma + ds * (d / s), groups.axes)


def eps_twice(call: Call) -> Backward:
    if call.site.attributes["mode"] != "evaluation":
        return call.answer
    return call.again(attributes={"eps": 2.0 * float(call.site.attributes["eps"])})


EVALUATED = tuple(Fault("batch_norm", Factor.INPUT, number) for number in "012")

# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("layer_norm: right for two axes alone", FAMILY,
           "the means in the backward of a layer norm are over all axes behind the first, which is right for two axes",
           (OF_LAYER,), Symptom.AXIS, "x[1,2,1] -> layer_norm -> sse", "FlagGems#5392",
           rows={"layer_norm": by_layer(over(all_but_the_first))}, fixed={"layer_norm": {"axes": 1}},
           beside=("conv1d",)),
    Mutant("layer_norm: means over all rows", FAMILY,
           "the means in the backward of a layer norm are over all rows at once where each row has its own",
           (OF_LAYER,), Symptom.AXIS, "x[2,1] -> layer_norm -> sse", "FlagGems#59",
           rows={"layer_norm": by_layer(over(all_axes))}, fixed={"layer_norm": {"axes": 1}}),
    Mutant("layer_norm: weights without gradients", FAMILY,
           "the gradients of the weight and the bias of a layer norm are missing",
           WEIGHTS, Symptom.MISSING, "x[1,1] -> layer_norm -> sse", "candle#95",
           rows={"layer_norm": params("layer_norm", ("weight", "bias"), lambda _, g: np.zeros_like(g))},
           fixed={"layer_norm": {"affine": True}}),
    Mutant("batch_norm: path through the variance missing from the mean", FAMILY,
           "the variance is E[a²] - μ², but the gradient of the mean lacks its path through the variance",
           (OF_BATCH,), Symptom.TERM, "x[2,1] -> batch_norm -> sse", "mlpack#2474",
           rows={"batch_norm": batch(by_raw_moments)}, fixed={"batch_norm": {"mode": "training"}}),
    Mutant("batch_norm: eps added twice in evaluation", FAMILY,
           "the backward of a batch norm in evaluation divides by √(var + 2 eps) where it is √(var + eps)",
           (*EVALUATED, Fault("batch_norm", Factor.PARAM, "weight")), Symptom.SLIGHT,
           "x[1,1]; mean[1]; var[1]; x -> batch_norm(mean, var, mode=evaluation) -> sse", "chainer#4505",
           rows={"batch_norm": layer("batch_norm", eps_twice)}, fixed={"batch_norm": {"mode": "evaluation"}}),
    Mutant("layer_norm: mean dropped", FAMILY,
           "every number is in the mean of its group too, but the backward lacks that term, - (1/n) Σ g",
           (OF_LAYER,), Symptom.TERM, "x[1,1] -> layer_norm -> sse", "classic",
           rows={"layer_norm": by_layer(without_the_mean)}),
    Mutant("batch_norm: N - 1 for N", FAMILY,
           "the forward divides the variance by N, and the backward by N - 1",
           (OF_BATCH,), Symptom.OTHER_FUNCTION, "x[2,1] -> batch_norm -> sse", "classic",
           rows={"batch_norm": batch(of_one_less)}, fixed={"batch_norm": {"mode": "training"}}),
    Mutant("batch_norm: means over the channels", FAMILY,
           "the means in the backward of a batch norm are over the channels where they are over the batch",
           (OF_BATCH,), Symptom.AXIS, "x[1,2] -> batch_norm -> sse", "classic",
           rows={"batch_norm": batch(over(channels))}, fixed={"batch_norm": {"mode": "training"}}),
    Mutant("batch_norm: variance dropped", FAMILY,
           "every number is in the variance of its batch too, but the backward lacks that term, - x (1/n) Σ g x",
           (OF_BATCH,), Symptom.TERM, "x[2,1] -> batch_norm -> sse", "classic",
           rows={"batch_norm": batch(without_the_variance)}, fixed={"batch_norm": {"mode": "training"}}),
    Mutant("batch_norm: statistics as constants", FAMILY,
           "mean and variance of the batch are taken for constants in the backward, as they are in evaluation",
           (OF_BATCH,), Symptom.TERM, "x[1,1] -> batch_norm -> sse", "classic",
           rows={"batch_norm": batch(statistics_constant)}, fixed={"batch_norm": {"mode": "training"}}),
    Mutant("layer_norm: NaN where there is no variance", FAMILY,
           "the backward divides by the standard deviation without eps: 0/0 where all numbers of a group are alike",
           (OF_LAYER,), Symptom.NAN, "x[1,1] -> layer_norm -> sse", "pytorch#4320",
           rows={"layer_norm": by_layer(through_the_deviation)}, families=("dyadic", "integers", "ones")),
)
# fmt: on
