"""Bugs of the derivatives of activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.backprop.activations import elu_slope, sech_squared, sigmoid_slope
from crosscheck.backprop.gates import gelu_slope, silu_slope
from crosscheck.backprop.rows import Array
from crosscheck.mutants.changes import slope
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.otherwise import without_last
from crosscheck.mutants.parts import inputs
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "activations"
SHOULDERS = ("shoulders", "large", "saturating")
AT_ZERO = ("integers", "dyadic", "sparse")


def of(op: str) -> tuple[Fault, ...]:
    return (Fault(op, Factor.SLOPE),)


def zero_at_zero(z: Array, sound: Array) -> Array:
    return np.where(z == 0, np.zeros_like(sound), sound)


def decided_by_the_output(_z: Array, a: Array, da: Array, _sound: Any, negative_slope: float) -> Array:
    return np.where(a > 0, da, negative_slope * da)


def exponential_beyond(z: Array, _a: Array, da: Array, _sound: Any, alpha: float) -> Array:
    """Both branches times their masks: 0 · ∞ where exp overflows."""
    return da * ((z > 0) + (z <= 0) * (alpha * np.exp(z)))


def of_both_branches(z: Array, _a: Array, da: Array, _sound: Any) -> Array:
    """exp(z)/(1 + exp(z))² below zero and exp(-z)/(1 + exp(-z))² above, each times its mask: ∞/∞ in the other one."""
    below, above = np.exp(z), np.exp(-z)
    return da * ((z < 0) * (below / (1.0 + below) / (1.0 + below)) + (z >= 0) * (above / (1.0 + above) / (1.0 + above)))


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("leaky_relu: side decided by the output", FAMILY,
           "which side of zero it is on is asked of the output, which a negative slope makes positive on both",
           of("leaky_relu"), Symptom.ONE_SIDE, "x[1,1] -> leaky_relu(negative_slope=-0.5) -> sse",
           "pytorch#31938, caffe#2413",
           rows={"leaky_relu": slope("leaky_relu", decided_by_the_output)},
           fixed={"leaky_relu": {"negative_slope": -0.5}}),
    Mutant("softplus: 0 at 0", FAMILY, "the derivative of softplus at 0 is 0 where it is 1/2",
           of("softplus"), Symptom.BOUNDARY, "x[1,1] -> softplus -> sse", "jax#2107",
           rows={"softplus": slope("softplus", lambda z, a, da, sound: zero_at_zero(z, sound(z, a, da)))},
           families=AT_ZERO),
    Mutant("log_sigmoid: 0 at 0", FAMILY, "the derivative of log_sigmoid at 0 is 0 where it is 1/2",
           of("log_sigmoid"), Symptom.BOUNDARY, "x[1,1] -> log_sigmoid -> sse", "jax#2140",
           rows={"log_sigmoid": slope("log_sigmoid", lambda z, a, da, sound: zero_at_zero(z, sound(z, a, da)))},
           families=AT_ZERO),
    Mutant("elu: NaN at large z", FAMILY,
           "the exponential of the branch that is not taken overflows, and 0 times infinity is no number",
           of("elu"), Symptom.NAN, "x[1,1] -> dense(1) -> dense(1) -> elu -> sse", "jax#1538",
           rows={"elu": slope("elu", exponential_beyond)}, families=("shoulders", "saturating", "decades")),
    Mutant("sigmoid: NaN of the branch not taken", FAMILY,
           "both branches are computed and masked, and the one that is not taken is infinity over infinity",
           of("sigmoid"), Symptom.NAN, "x[1,1] -> dense(1) -> dense(1) -> sigmoid -> sse", "jax#347",
           rows={"sigmoid": slope("sigmoid", of_both_branches)}, families=("shoulders", "saturating", "decades")),
    Mutant("sigmoid: no derivative in the output layer", FAMILY,
           "the derivative of the activation of the output layer is missing",
           of("sigmoid"), Symptom.NO_SLOPE, "x[1,1] -> sigmoid -> sse", "classic",
           remembers=without_last("sigmoid"), beside=("sigmoid",)),
    Mutant("gelu: erf forward, tanh backward", FAMILY,
           "the forward is the exact gelu, the backward belongs to its approximation by tanh",
           of("gelu"), Symptom.OTHER_FUNCTION, "x[1,1] -> gelu -> sse", "classic",
           rows={"gelu": slope("gelu", lambda z, a, da, sound, approximate: da * gelu_slope(z, "tanh"))},
           fixed={"gelu": {"approximate": "none"}}),
    Mutant("tanh: derivative at the output", FAMILY,
           "the derivative of tanh is taken at its output a where it needs its input z",
           of("tanh"), Symptom.SLOPE_AT_OUTPUT, "x[1,1] -> tanh -> sse", "classic",
           rows={"tanh": slope("tanh", lambda z, a, da, sound: da * sech_squared(a))}),
    Mutant("silu: derivative at the output", FAMILY,
           "the derivative of silu is taken at its output a where it needs its input z",
           of("silu"), Symptom.SLOPE_AT_OUTPUT, "x[1,1] -> silu -> sse", "classic",
           rows={"silu": slope("silu", lambda z, a, da, sound: da * silu_slope(a))}),
    Mutant("elu: derivative at the output", FAMILY,
           "the derivative of elu is taken at its output a where it needs its input z",
           of("elu"), Symptom.SLOPE_AT_OUTPUT, "x[1,1] -> elu -> sse", "classic",
           rows={"elu": slope("elu", lambda z, a, da, sound, alpha: da * elu_slope(a, alpha))}),
    Mutant("tanh: z for a", FAMILY,
           "the derivative 1 - a² of tanh takes the input z in the place of the output a",
           of("tanh"), Symptom.OTHER_FUNCTION, "x[1,1] -> tanh -> sse", "classic",
           rows={"tanh": slope("tanh", lambda z, a, da, sound: da * (1.0 - z * z))}),
    Mutant("sigmoid: squashed twice", FAMILY,
           "s(1 - s) is given the output, which is squashed already, and squashes it once more",
           of("sigmoid"), Symptom.SLOPE_AT_OUTPUT, "x[1,1] -> sigmoid -> sse", "classic",
           rows={"sigmoid": slope("sigmoid", lambda z, a, da, sound: da * sigmoid_slope(a))}),
    Mutant("tanh: square missing", FAMILY, "the derivative of tanh is 1 - a where it is 1 - a²",
           of("tanh"), Symptom.OTHER_FUNCTION, "x[1,1] -> tanh -> sse", "classic",
           rows={"tanh": slope("tanh", lambda z, a, da, sound: da * (1.0 - a))}),
    Mutant("relu: wrong side", FAMILY, "the derivative of relu is 1 below zero and 0 above",
           of("relu"), Symptom.OTHER_FUNCTION, "x[1,1] -> relu -> sse", "classic",
           rows={"relu": slope("relu", lambda z, a, da, sound: np.where(z < 0, da, np.zeros_like(da)))}),
    Mutant("softmax: diagonal alone", FAMILY,
           "the backward of softmax is a(1 - a), as if each output depended on its own input alone",
           of("softmax"), Symptom.DIAGONAL, "x[2] -> softmax -> sse", "classic",
           rows={"softmax": slope("softmax", lambda z, a, da, sound, axis: da * a * (1.0 - a))}),
    Mutant("log_softmax: diagonal alone", FAMILY,
           "the backward of log_softmax is 1 - p, as if each output depended on its own input alone",
           of("log_softmax"), Symptom.DIAGONAL, "x[2] -> log_softmax -> sse", "classic",
           rows={"log_softmax": slope("log_softmax", lambda z, a, da, sound, axis: da * (1.0 - np.exp(a)))}),
    Mutant("prelu: side decided by the output", FAMILY,
           "which side of zero it is on is asked of the output, which a negative slope makes positive on both",
           (Fault("prelu", Factor.INPUT, "0"),), Symptom.ONE_SIDE, "x[1,1] -> prelu -> sse", "caffe#2413",
           rows={"prelu": inputs("prelu", (0,), lambda call, d: np.where(call.output > 0, call.d_out, d))}),
)
# fmt: on
