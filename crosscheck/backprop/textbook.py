"""Backpropagation as the textbook derives it: scalars, loops, and every factor of the chain rule by its name.

A network has layers `l = 1 … L`; layer 1 is the input. Node `j` of layer `l` takes in
`z_j^(l) = Σ_k w_jk^(l) a_k^(l-1) + b_j^(l)` and puts out `a_j^(l) = g^(l)(z_j^(l))`. The loss of one sample is
`C_0 = Σ_j (a_j^(L) - y_j)²`; over n samples the textbook takes the average.

*A weight of the output layer* moves `C_0` through `z_j^(L)` and `a_j^(L)` alone, so three factors:

    ∂C_0/∂w_jk^(L) = ∂C_0/∂a_j^(L) · ∂a_j^(L)/∂z_j^(L) · ∂z_j^(L)/∂w_jk^(L)
                   = 2(a_j^(L) - y_j) · g'^(L)(z_j^(L)) · a_k^(L-1)

*A weight before it* has the same three factors, but `C_0` is no direct function of `a_k^(l)`, l < L. That
activation output feeds every node j of layer l+1, so its derivative is a sum over them, again of three factors:

    ∂C_0/∂a_k^(l) = Σ_j ∂C_0/∂a_j^(l+1) · ∂a_j^(l+1)/∂z_j^(l+1) · ∂z_j^(l+1)/∂a_k^(l)

where the last factor is `w_jk^(l+1)`: every other term of the sum `z_j^(l+1)` is constant in `a_k^(l)`. The first
factor is of the same kind one layer later; only at l+1 = L is it known: `2(a_j^(L) - y_j)`. So the factors are
computed from the output to the input, and that is the "back" in backprop. For a bias the last factor is
`∂z_j^(l)/∂b_j^(l) = 1`; the gradient of the input is `∂C_0/∂a_k^(1)`.

Nodes are indexed from 0 here, as in any list, and from 1 in the printed symbols. Layers keep the textbook's number
everywhere. Nothing of this is fast, and nothing of it is shared with any other implementation.
Source: "Backpropagation explained", part 5, "What puts the 'back' in backprop?".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Attributes = Mapping[str, bool | int | float | str]
Activation = tuple[str, Attributes]


@dataclass(frozen=True)
class Row:
    """An activation function g(z) and its derivative g'(z), given z and the attributes.

    At a kink the derivative is the one from the left; at both ends of hardtanh and hardsigmoid it is 0.
    """

    g: Callable[[float, Attributes], float]
    slope: Callable[[float, Attributes], float]


def _sigmoid(z: float) -> float:
    # exp of a negative number only: math.exp raises where the result overflows
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _mish_slope(z: float) -> float:
    t = math.tanh(_softplus(z))
    return t + z * (1 - t * t) * _sigmoid(z)


def _normal_cdf(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


def _normal_pdf(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _gelu(z: float, at: Attributes) -> float:
    if at["approximate"] == "tanh":
        return z / 2 * (1 + math.tanh(_ROOT * (z + _CUBIC * z * z * z)))
    return z * _normal_cdf(z)


def _gelu_slope(z: float, at: Attributes) -> float:
    if at["approximate"] != "tanh":
        return _normal_cdf(z) + z * _normal_pdf(z)
    t = math.tanh(_ROOT * (z + _CUBIC * z * z * z))
    sech2 = 1 - t * t
    # where tanh is saturated its slope is 0, although the polynomial beside it may have overflowed
    return (1 + t) / 2 + (z / 2 * sech2 * _ROOT * (1 + 3 * _CUBIC * z * z) if sech2 else 0.0)


def _tanh_slope(z: float) -> float:
    t = math.tanh(z)
    return 1 - t * t


def _trig(f: Callable[[float], float], z: float) -> float:
    return f(z) if math.isfinite(z) else math.nan  # math.sin raises at infinity


def _clip(z: float, at: Attributes) -> float:
    return min(max(z, float(at["min_val"])), float(at["max_val"]))


_ROOT, _CUBIC = math.sqrt(2 / math.pi), 0.044715  # Hendrycks and Gimpel 2016
_LAMBDA, _ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017

# fmt: off
ROWS: dict[str, Row] = {
    "identity":    Row(lambda z, at: z,                                  lambda z, at: 1.0),
    "sigmoid":     Row(lambda z, at: _sigmoid(z),                        lambda z, at: _sigmoid(z) * (1 - _sigmoid(z))),
    "tanh":        Row(lambda z, at: math.tanh(z),                       lambda z, at: _tanh_slope(z)),
    "relu":        Row(lambda z, at: max(z, 0.0),                        lambda z, at: 1.0 if z > 0 else 0.0),
    "leaky_relu":  Row(lambda z, at: z if z > 0 else float(at["negative_slope"]) * z,
                       lambda z, at: 1.0 if z > 0 else float(at["negative_slope"])),
    "elu":         Row(lambda z, at: z if z > 0 else float(at["alpha"]) * math.expm1(z),
                       lambda z, at: 1.0 if z > 0 else float(at["alpha"]) * math.exp(z)),
    "celu":        Row(lambda z, at: z if z > 0 else float(at["alpha"]) * math.expm1(z / float(at["alpha"])),
                       lambda z, at: 1.0 if z > 0 else math.exp(z / float(at["alpha"]))),
    "selu":        Row(lambda z, at: _LAMBDA * (z if z > 0 else _ALPHA * math.expm1(z)),
                       lambda z, at: _LAMBDA * (1.0 if z > 0 else _ALPHA * math.exp(z))),
    "softplus":    Row(lambda z, at: _softplus(z),                       lambda z, at: _sigmoid(z)),
    "silu":        Row(lambda z, at: z * _sigmoid(z),
                       lambda z, at: _sigmoid(z) + z * _sigmoid(z) * (1 - _sigmoid(z))),
    "gelu":        Row(_gelu,                                            _gelu_slope),
    "mish":        Row(lambda z, at: z * math.tanh(_softplus(z)),        lambda z, at: _mish_slope(z)),
    "softsign":    Row(lambda z, at: z / (1 + abs(z)),                   lambda z, at: 1 / (1 + abs(z)) / (1 + abs(z))),
    "hardtanh":    Row(_clip, lambda z, at: 1.0 if float(at["min_val"]) < z < float(at["max_val"]) else 0.0),
    "hardsigmoid": Row(lambda z, at: min(max(z / 6 + 0.5, 0.0), 1.0),    lambda z, at: 1 / 6 if -3 < z < 3 else 0.0),
    "log_sigmoid": Row(lambda z, at: -_softplus(-z),                     lambda z, at: _sigmoid(-z)),
    "sin":         Row(lambda z, at: _trig(math.sin, z),                 lambda z, at: _trig(math.cos, z)),
}
# fmt: on


@dataclass(frozen=True)
class Layer:
    """Layer l > 1: weight (out, in), bias (out,) or None, and the name of g^(l) with its attributes.

    `then` holds further activations: g^(l) is the last of them after … after `g`.
    """

    weight: Sequence[Sequence[float]]
    bias: Sequence[float] | None = None
    g: str = "identity"
    attributes: Attributes = field(default_factory=dict)
    then: tuple[Activation, ...] = ()

    @property
    def activations(self) -> tuple[Activation, ...]:
        return ((self.g, self.attributes), *self.then)


@dataclass(frozen=True)
class Trace:
    """What the forward saw: `z[l][j]` for l = 2 … L, `a[l][j]` for l = 1 … L."""

    z: dict[int, list[float]]
    a: dict[int, list[float]]


@dataclass(frozen=True)
class Gradients:
    """The loss, ∂C/∂ every weight `[l][j][k]`, bias `[l][j]` (layers that have one) and input `[sample][k]`."""

    loss: float
    weights: dict[int, list[list[float]]]
    biases: dict[int, list[float]]
    inputs: list[list[float]]


def g(layer: Layer, z_j: float) -> float:
    """a_j^(l) = g^(l)(z_j^(l))."""
    for name, attributes in layer.activations:
        z_j = ROWS[name].g(z_j, attributes)
    return z_j


def forward(layers: Sequence[Layer], x: Sequence[float]) -> Trace:
    """z and a of every layer for one sample x (in,). Raises ValueError where sizes do not fit."""
    z: dict[int, list[float]] = {}
    a = {1: list(x)}
    for l, layer in enumerate(layers, start=2):
        b = layer.bias if layer.bias is not None else [0.0] * len(layer.weight)
        z[l] = [
            sum(w_jk * a_k for w_jk, a_k in zip(w_j, a[l - 1], strict=True)) + b_j
            for w_j, b_j in zip(layer.weight, b, strict=True)
        ]
        a[l] = [g(layer, z_j) for z_j in z[l]]
    return Trace(z, a)


def loss(a: Sequence[float], y: Sequence[float]) -> float:
    """C_0 = Σ_j (a_j^(L) - y_j)², for outputs and targets (out,)."""
    return sum((a_j - y_j) * (a_j - y_j) for a_j, y_j in zip(a, y, strict=True))


def dC_da_output(a_j: float, y_j: float) -> float:
    """∂C_0/∂a_j^(L): the other terms of C_0 are constant in a_j^(L)."""
    return 2 * (a_j - y_j)


def da_dz(layer: Layer, z_j: float) -> float:
    """∂a_j^(l)/∂z_j^(l) = g'^(l)(z_j^(l)); where g is several activations, the product of their slopes."""
    product = 1.0
    for name, attributes in layer.activations:
        product *= ROWS[name].slope(z_j, attributes)
        z_j = ROWS[name].g(z_j, attributes)
    return product


def dz_dw(a_k: float) -> float:
    """∂z_j^(l)/∂w_jk^(l) = a_k^(l-1)."""
    return a_k


def dz_db() -> float:
    """∂z_j^(l)/∂b_j^(l) = 1."""
    return 1.0


def dz_da(layer: Layer, j: int, k: int) -> float:
    """∂z_j^(l)/∂a_k^(l-1) = w_jk^(l)."""
    return layer.weight[j][k]


def dC_da(layers: Sequence[Layer], trace: Trace, y: Sequence[float]) -> dict[int, list[float]]:
    """∂C_0/∂a_k^(l) for every node of every layer, l = L … 1: each from those of the layer after it."""
    L = len(layers) + 1
    dC = {L: [dC_da_output(a_j, y_j) for a_j, y_j in zip(trace.a[L], y, strict=True)]}
    for l in range(L - 1, 0, -1):
        after, z = layers[l - 1], trace.z[l + 1]  # layer l+1
        # ∂C_0/∂a_k^(l) = Σ_j ∂C_0/∂a_j^(l+1) · ∂a_j^(l+1)/∂z_j^(l+1) · ∂z_j^(l+1)/∂a_k^(l)
        dC[l] = [
            sum(dC[l + 1][j] * da_dz(after, z[j]) * dz_da(after, j, k) for j in range(len(z)))
            for k in range(len(trace.a[l]))
        ]
    return dC


def dC_dw(layer: Layer, dC_da_j: float, z_j: float, a_k: float) -> float:
    """∂C_0/∂w_jk^(l) = ∂C_0/∂a_j^(l) · ∂a_j^(l)/∂z_j^(l) · ∂z_j^(l)/∂w_jk^(l)."""
    return dC_da_j * da_dz(layer, z_j) * dz_dw(a_k)


def dC_db(layer: Layer, dC_da_j: float, z_j: float) -> float:
    """∂C_0/∂b_j^(l) = ∂C_0/∂a_j^(l) · ∂a_j^(l)/∂z_j^(l) · ∂z_j^(l)/∂b_j^(l)."""
    return dC_da_j * da_dz(layer, z_j) * dz_db()


def gradients(
    layers: Sequence[Layer],
    samples: Sequence[Sequence[float]],
    targets: Sequence[Sequence[float]],
    share: float | None = None,
) -> Gradients:
    """Loss and all gradients over samples (n, in) and targets (n, out).

    Each sample counts with `share`, 1/n where it is not given: the textbook's average. Raises ValueError where
    there is no sample or sizes do not fit.
    """
    if not samples:
        raise ValueError("there are no samples; the average over samples needs at least one")
    share = 1 / len(samples) if share is None else share
    traces = [forward(layers, x) for x in samples]
    dC = [dC_da(layers, trace, y) for trace, y in zip(traces, targets, strict=True)]
    both = list(zip(dC, traces, strict=True))
    outputs = [trace.a[len(layers) + 1] for trace in traces]
    return Gradients(
        loss=share * sum(loss(a, y) for a, y in zip(outputs, targets, strict=True)),
        weights={
            l: [
                [
                    share * sum(dC_dw(layer, d[l][j], t.z[l][j], t.a[l - 1][k]) for d, t in both)
                    for k in range(len(layer.weight[j]))
                ]
                for j in range(len(layer.weight))
            ]
            for l, layer in enumerate(layers, start=2)
        },
        biases={
            l: [share * sum(dC_db(layer, d[l][j], t.z[l][j]) for d, t in both) for j in range(len(layer.weight))]
            for l, layer in enumerate(layers, start=2)
            if layer.bias is not None
        },
        inputs=[[share * d_k for d_k in d[1]] for d in dC],
    )
