"""Layers that are not elementwise: prelu, glu, swiglu, logsumexp, norm. Given d = ∂C/∂(the output):

    prelu      a = z for z > 0, else w z          ∂C/∂z = d ∘ (1 above zero, w below)
                                                  ∂C/∂w = Σ d z over the z ≤ 0 that it multiplies
    glu        out = a sigmoid(b)                 ∂C/∂a = d ∘ sigmoid(b),  ∂C/∂b = d ∘ a ∘ sigmoid'(b)
    swiglu     out = silu(a) b                    ∂C/∂b = d ∘ silu(a),     ∂C/∂a = d ∘ b ∘ silu'(a)
    logsumexp  out = m + log Σ_k exp(z_k - m), m the largest z
               ∂out/∂z_k = exp(z_k - m) / Σ_j exp(z_j - m), so ∂C/∂z = d softmax(z)
    norm       out = u √Σ_k r_k², r = z/u, u the largest |z|, so that no square overflows or underflows
               ∂out/∂z_k = z_k/‖z‖ = r_k/√Σ_j r_j²; where all z are 0, where it has a kink, 0 is taken

At the kink of prelu the derivative from below is taken, w. The sums over what a weight multiplies are those of the
textbook's sum over all paths: one weight feeds every element of its channel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosscheck.backprop import activations
from crosscheck.backprop.activations import below_the_top, besides_the_top, not_the_top
from crosscheck.backprop.rows import Activation, Array, Layer, Site, cut

Backward = tuple[tuple[Array, ...], dict[str, Array]]
Params = Mapping[str, Array]


def prelu(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
    z = inputs[0]
    return np.where(z > 0, z, beside(site, params["weight"]) * z)


def prelu_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
    z = inputs[0]
    dz = np.where(z > 0, d_out, beside(site, params["weight"]) * d_out)
    below = np.where(z > 0, 0.0, d_out * z)
    shape = site.in_shapes[0]
    lead = below.shape[: below.ndim - len(shape)]
    if not site.attributes["per_channel"]:
        return (dz,), {"weight": below.reshape((*lead, -1)).sum(axis=-1, keepdims=True)}
    return (dz,), {"weight": below.reshape((*lead, shape[0], shape[1], -1)).sum(axis=(-3, -1))}


def beside(site: Site, weight: Array) -> Array:
    """The weight with the axes of the input: its channels on the second, if it has any."""
    rank, lead = len(site.in_shapes[0]), weight.shape[:-1]
    if not site.attributes["per_channel"]:
        return weight.reshape((*lead, *(1,) * rank))
    return weight.reshape((*lead, 1, weight.shape[-1], *(1,) * (rank - 2)))


def gated(gate: Activation, *, first: bool) -> Layer:
    """The gate of one half of an axis, the first or the second, times the other half."""

    def halves(site: Site, z: Array) -> tuple[Array, Array]:
        """What goes through the gate, and what it is multiplied by."""
        axis = int(site.attributes["axis"])
        middle = z.shape[axis] // 2
        parts = cut(z, axis, 0, middle), cut(z, axis, middle, z.shape[axis])
        return parts if first else (parts[1], parts[0])

    def forward(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
        z, other = halves(site, inputs[0])
        return gate.f(z) * other

    def backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
        z, other = halves(site, inputs[0])
        g = gate.f(z)
        pair = gate.dz(z, g, d_out * other), d_out * g
        return (np.concatenate(pair if first else pair[::-1], axis=int(site.attributes["axis"])),), {}

    return Layer(forward, backward)


def logsumexp(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    z, axis = inputs[0], int(site.attributes["axis"])
    half, e = below_the_top(z, axis)
    out = z.max(axis=axis, keepdims=True) + np.log1p(besides_the_top(e, not_the_top(half), axis))
    return without(site, out)


def logsumexp_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    return (kept(site, d_out) * activations.softmax(inputs[0], int(site.attributes["axis"])),), {}


def norm(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    axis = int(site.attributes["axis"])
    r, unit = scaled(inputs[0], axis)
    return without(site, unit * np.sqrt((r * r).sum(axis=axis, keepdims=True)))


def norm_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    axis = int(site.attributes["axis"])
    r, _ = scaled(inputs[0], axis)
    size = np.sqrt((r * r).sum(axis=axis, keepdims=True))
    # At least 2⁻⁵² unless all are zero: then 0 is divided by the smallest normal number, and is 0.
    return (kept(site, d_out) * (r / np.maximum(size, np.finfo(r.dtype).tiny)),), {}


def scaled(z: Array, axis: int) -> tuple[Array, Array]:
    """z over its largest size, and that; at least the smallest normal number, so that zeros stay zeros."""
    unit = np.maximum(abs(z).max(axis=axis, keepdims=True), np.finfo(z.dtype).tiny)
    return z / unit, unit


def without(site: Site, out: Array) -> Array:
    """The output without the axis of size 1 that is left of it, unless it is to be kept."""
    return out if site.attributes["keepdims"] else np.squeeze(out, axis=int(site.attributes["axis"]))


def kept(site: Site, d_out: Array) -> Array:
    """∂C/∂(the output) with an axis of size 1 where the input has its own."""
    axis = int(site.attributes["axis"])
    return d_out if site.attributes["keepdims"] else np.expand_dims(d_out, axis)


# fmt: off
ROWS: dict[str, Layer] = {
    "prelu":     Layer(prelu, prelu_backward),
    "glu":       gated(activations.ROWS["sigmoid"], first=False),
    "swiglu":    gated(activations.ROWS["silu"], first=True),
    "logsumexp": Layer(logsumexp, logsumexp_backward),
    "norm":      Layer(norm, norm_backward),
}
# fmt: on
